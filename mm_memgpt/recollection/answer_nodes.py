"""The nodes of the graph around an answer: the answer, and a photo, sound, note or fact that it rests on.

Notable: what a box has no room for stands below the graph while the box is pointed at or has the focus, without a
script; that is HTML within the SVG, cut where it is longer than anybody reads there.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from mm_memgpt.explain.svg import LABEL, NAME, Box, cut, drawn, plain, wrapped, written
from mm_memgpt.recollection.linking import spoken
from mm_memgpt.recollection.results import Answer, Source

LINE = 16
"""Pixels from one line of a box to the next."""
INSET = 6
"""Pixels between a box and what is in it."""
LONGEST = 2000
"""Letters of a text that are shown below the graph."""
KINDS = {"image": "photo", "audio": "sound", "text": "note"}
"""What a source is called by its modality."""
WAVE = (5, 11, 18, 8, 14, 20, 9, 5)
"""Pixels, heights of the strokes that stand for a sound."""


class Shown(NamedTuple):
    """How a source is told."""

    kind: str
    """Such as photo, sound, clip, note or fact."""
    time: str
    """When it was."""


class Node(NamedTuple):
    """A source in the graph."""

    place: int
    """Among the answer's sources."""
    source: Source
    how: Shown
    box: Box

    @property
    def name(self) -> str:
        """A few words: what it is and its name, without the folder."""
        return _with_kind(PurePath(self.source.path).name or self.source.path, self.how.kind)


def _with_kind(name: str, kind: str) -> str:
    """What something is and its name, which may say already what it is: "note 1"."""
    return name if re.match(rf"{re.escape(kind)}s?\b", name) else f"{kind} {name}"


def shown_as(source: Source) -> Shown:
    """How a source is told where nobody knows better: by its modality, and its seconds on the memory's clock."""
    time = f"{source.start:.1f} s" if source.end <= source.start else f"{source.start:.1f}\u2013{source.end:.1f} s"
    return Shown(KINDS[source.modality] if source.fact is None else "fact", time)


def answer_node(answer: Answer, box: Box, below: Box) -> str:
    """The box of the answer, and what stands below the graph for it."""
    text = answer.text or "no answer"
    line = LINE + 3
    lines = wrapped(text, NAME, box.width - 2 * INSET, int((box.height - INSET) // line))
    first = box.middle[1] - line * (len(lines) - 1) / 2 + NAME * 0.36
    body = "".join(written(box.middle[0], first + line * place, each) for place, each in enumerate(lines))
    sure = f"confidence {answer.confidence:.2f}, grounded by {answer.grounded:.2f} nats"
    return _node("mm-answer", drawn(box) + body, ["answer", sure], text, below)


def source_node(node: Node, said: Sequence[str], below: Box) -> str:
    """The box of a source, and what stands below the graph for it.

    Args:
        node: the source.
        said: what else is said of it there, such as its evidence.
        below: where there is.
    """
    box = node.box
    name = written(box.middle[0], box.bottom - INSET - 1, cut(node.name, LABEL, box.width - 2 * INSET), "mm-small")
    whole = [_with_kind(node.source.path, node.how.kind), node.how.time, *said]
    return _node(f"mm-source-{node.place}", drawn(box) + _face(node) + name, whole, node.source.text, below)


def paragraph(box: Box, html: str, kind: str) -> str:
    """A text that breaks its lines by itself; a viewer of pictures that knows no HTML leaves it out."""
    return (
        f'<foreignObject class="{kind}" x="{box.left:g}" y="{box.top:g}" width="{box.width:g}" height="{box.height:g}">'
        f'<div xmlns="http://www.w3.org/1999/xhtml" class="mm-below">{html}</div></foreignObject>'
    )


def _node(kind: str, body: str, said: Sequence[str], text: str, below: Box) -> str:
    """What is drawn of a node, and what stands below the graph for it: what is said of it, and its text."""
    text = plain(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
    first, *rest = map(plain, said)
    whole = ", ".join([f"<b>{first}</b>", *rest]) + (f"<br/>{text}" if text else "")
    name = ", ".join([first, *rest]) + (f": {text}" if text else "")
    return (
        f'<g class="mm-node {kind}" tabindex="0" role="img" aria-label="{name}">{body}'
        f"{paragraph(below, whole, 'mm-whole')}</g>"
    )


def _face(node: Node) -> str:
    """What shows a source in its box, above its name."""
    source, box, x, width = node.source, node.box, node.box.middle[0], node.box.width - 2 * INSET
    if source.fact is not None:
        head, relation, tail = spoken(source.fact)
        return (
            written(x, box.top + 21, cut(head, NAME, width))
            + written(x, box.top + 41, cut(f"↓ {relation}", LABEL, width), "mm-small mm-relation")
            + written(x, box.top + 62, cut(tail, NAME, width))
        )
    if source.preview:
        place = f'x="{box.left + INSET:g}" y="{box.top + INSET:g}" width="{width:g}" height="{box.height - 32:g}"'
        return f'<image {place} href="data:image/jpeg;base64,{b64encode(source.preview).decode()}"/>'
    if source.modality == "audio":
        left, middle = x - 5 * (len(WAVE) - 1) / 2, box.top + 21
        strokes = "".join(f"M{left + 5 * place:g} {middle - tall / 2:g}v{tall}" for place, tall in enumerate(WAVE))
        return f'<path class="mm-wave" d="{strokes}"/>{_lines(node, node.how.time, 50, 2)}'
    return _lines(node, source.text, 21, 3)


def _lines(node: Node, text: str, down: float, most: int) -> str:
    """A text in a box, in at most so many lines, the first so far below its top."""
    x, top = node.box.middle[0], node.box.top + down
    lines = wrapped(text, LABEL, node.box.width - 2 * INSET, most)
    return "".join(written(x, top + LINE * place, line, "mm-small") for place, line in enumerate(lines))
