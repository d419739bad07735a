"""The edges of the graph around an answer: from it to each source by its evidence, and between those that are linked.

Notable: the wider a line, the more nats the answer loses without that source, dashed where it speaks against the
answer; two that are linked in several ways have one line, which names them all.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mm_memgpt.explain.routes import label_place, route
from mm_memgpt.explain.svg import LABEL, PILL, Box, breadth, cut, label, label_box, plain
from mm_memgpt.recollection.answer_nodes import Node
from mm_memgpt.recollection.results import Link

GREATEST = 4.0
"""Nats of evidence above which no line gets wider."""
LABELLED = 210
"""Pixels of a link's label at most; instead of a longer one it has the first way alone."""
UNDIRECTED = {"previous": "next"}
"""What a line that has no direction says of a link that has one."""
BESIDE = 4
"""Pixels between a source's box and its evidence."""


class Tie(NamedTuple):
    """What connects two sources."""

    ways: tuple[tuple[str, float], ...]
    """The entity that both name, then what one is to the other, each with its weight; ways of one weight together."""
    weight: float
    """Of the heaviest."""
    shared: bool
    """Whether an entity is among them."""

    @property
    def pull(self) -> float:
        """How much the two are drawn to each other in the picture."""
        return self.weight + self.shared

    @property
    def said(self) -> str:
        return "; ".join(f"{way} {weight:.2f}" for way, weight in self.ways)


Ties = Mapping[tuple[int, int], Tie]
"""By the places of both."""


def ties(links: Sequence[Link]) -> dict[tuple[int, int], Tie]:
    """The links of each two sources as one: those by an entity first, then the heaviest."""
    found: dict[tuple[int, int], list[Link]] = {}
    for link in links:
        found.setdefault((min(link.one, link.other), max(link.one, link.other)), []).append(link)
    merged = {both: _merged(each) for both, each in found.items()}
    return dict(sorted(merged.items(), key=lambda pair: (not pair[1].shared, -pair[1].weight, pair[0])))


def _merged(links: Sequence[Link]) -> Tie:
    ways: dict[float, list[str]] = {}
    for link in sorted(links, key=lambda link: (link.name == "", -link.weight)):
        ways.setdefault(round(link.weight, 2), []).append(link.name or UNDIRECTED.get(link.kind, link.kind))
    said = tuple((", ".join(dict.fromkeys(names)), weight) for weight, names in ways.items())
    return Tie(said, max(link.weight for link in links), any(link.name for link in links))


def signed(evidence: float) -> str:
    """Nats with their sign, as people write it."""
    return f"{evidence:+.2f}".replace("-", "\u2212")


def said_of(node: Node, shown: Ties, nodes: Sequence[Node]) -> list[str]:
    """What the edges of a source say."""
    others = [f"{nodes[sum(both) - node.place].name} ({tie.said})" for both, tie in shown.items() if node.place in both]
    return [f"{signed(node.source.evidence)} nats", *([f"connected with {', '.join(others)}"] if others else [])]


def spoke(node: Node, heart: Box) -> str:
    """The line from the answer to a source."""
    evidence, (x, y) = node.source.evidence, _door(node.box)
    wide = 1.5 + 1.5 * min(abs(evidence), GREATEST)
    path = f'<path d="M{heart.middle[0]:g} {heart.middle[1]:g}L{x:g} {y:g}" stroke-width="{wide:.1f}"/>'
    return _edge([node.place], _side(evidence), _evidence(node), path)


def evidence_box(node: Node) -> Box:
    """What the label of a source's evidence takes, beside its box on the side of the answer."""
    text, (x, y) = signed(node.source.evidence), _door(node.box)
    aside = label_box(0, 0, text).width / 2 + BESIDE
    if x == 0:
        return label_box(0, y - (PILL / 2 + BESIDE) * (1 if y > 0 else -1), text)
    return label_box(x - aside if x > 0 else x + aside, y, text)


def evidence_label(node: Node) -> str:
    """How much the answer rests on a source."""
    pill = label(*evidence_box(node).middle, signed(node.source.evidence))
    return _edge([node.place], _side(node.source.evidence), _evidence(node), pill)


def tied(shown: Ties, nodes: Sequence[Node], boxes: Sequence[Box], within: Box) -> list[str]:
    """The lines between sources, then their labels; a label that finds no free place is read at its line.

    Args:
        shown: what is drawn.
        nodes: all sources.
        boxes: what neither a line nor a label should lie on.
        within: where both stay.
    """
    lines, labels, taken = [], [], list(boxes)
    for both, tie in shown.items():
        one, other = (nodes[place] for place in both)
        curve = route(one.box, other.box, boxes, within)
        title = f"{one.name}, {other.name}: {tie.said}"
        path = f'<path d="{curve.path}" stroke-width="{1 + 3 * tie.weight:.1f}"/>'
        kind = f"mm-tie{'' if tie.shared else ' mm-faint'}{'' if tie.weight > 0 else ' mm-none'}"
        lines.append(_edge(both, kind, title, path))
        for text in _labels(tie):
            place = label_place(curve, text, taken, within)
            if place is not None:
                taken.append(place)
                labels.append(_edge(both, "mm-tie", title, label(*place.middle, text)))
                break
    return [*lines, *labels]


def _labels(tie: Tie) -> list[str]:
    """What a label may say, the fullest first."""
    ways, weight = tie.ways[0]
    number = f"{weight:.2f}"
    first = f"{cut(ways.split(', ')[0], LABEL, LABELLED / 2)} {number}"
    return [tie.said, first, number] if breadth(tie.said, LABEL) <= LABELLED else [first, number]


def _door(box: Box) -> tuple[float, float]:
    """Where the line from the answer ends: the middle of the side that faces it."""
    x, y = box.middle
    if x == 0:
        return 0.0, box.bottom if y < 0 else box.top
    return (box.right if x < 0 else box.left), y


def _side(evidence: float) -> str:
    return "mm-for" if evidence >= 0 else "mm-against"


def _evidence(node: Node) -> str:
    return f"{node.name}: {signed(node.source.evidence)} nats of evidence"


def _edge(places: Sequence[int], kind: str, title: str, body: str) -> str:
    """A part of an edge, which is told by the sources that it ends at."""
    ends = " ".join(f"mm-of-{place}" for place in places)
    return f'<g class="mm-edge {kind} {ends}"><title>{plain(title)}</title>{body}</g>'
