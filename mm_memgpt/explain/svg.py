"""Parts of pictures of graphs, as SVG: boxes, texts that fit into them, labels on edges, the frame around it all.

Notable: no font is at hand, so the width of a text is guessed from its letters, wide ones of East Asia twice; a label
stands on ground of its own, so that no edge strikes it through; it reads in light and dark, alone or within a page.
"""

import unicodedata
from html import escape
from textwrap import wrap
from typing import NamedTuple

LETTER, WIDE = 0.58, 1.05
"""Widths of a letter as shares of the size of the font: what most are below, and those of East Asia."""
NAME, LABEL = 15, 13
"""Pixels, size of the letters of a name and of a label."""
PILL = 18
"""Pixels, height of a label."""
UNWRITTEN = ("Cc", "Cs", "Cn")
"""Unicode categories of what no XML may hold: control characters, halves of pairs, and what is no letter."""

STYLE = (
    f".mm-graph text{{font:{NAME}px system-ui,sans-serif;text-anchor:middle;fill:#1d1d1f}}"
    ".mm-graph rect{fill:#eef1f5;stroke:#5b6573}.mm-graph .mm-answer rect{fill:#d3ecd8;stroke:#1f7a38;stroke-width:2}"
    ".mm-graph path{stroke:#6b7684;fill:none}.mm-graph marker path{fill:#6b7684;stroke:none}"
    f".mm-graph .mm-label text{{font-size:{LABEL}px}}.mm-graph .mm-label rect{{fill:#fff;stroke:#c3cad3}}"
    "@media(prefers-color-scheme:dark){.mm-graph text{fill:#f2f4f7}.mm-graph rect{fill:#262d37;stroke:#8d99a8}"
    ".mm-graph .mm-answer rect{fill:#16432a;stroke:#5fbf80}.mm-graph path{stroke:#97a3b1}"
    ".mm-graph marker path{fill:#97a3b1}.mm-graph .mm-label rect{fill:#14181f;stroke:#4a5461}}"
)


class Box(NamedTuple):
    """A rectangle, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> tuple[float, float]:
        return self.left + self.width / 2, self.top + self.height / 2

    def meets(self, other: "Box") -> bool:
        """Whether the two have more than an edge in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def moved(self, across: float, down: float) -> "Box":
        """The same one elsewhere."""
        return self._replace(left=self.left + across, top=self.top + down)


def breadth(text: str, size: float) -> float:
    """Pixels that a text takes at most, on a guess.

    Args:
        text: on one line.
        size: of its letters, in pixels.
    """
    return size * sum(WIDE if unicodedata.east_asian_width(letter) in "FW" else LETTER for letter in text)


def cut(text: str, size: float, width: float) -> str:
    """As much of a text as fits, with "…" behind it where that is not all; not escaped."""
    if breadth(text, size) <= width:
        return text
    while text and breadth(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def wrapped(text: str, size: float, width: float, most: int) -> list[str]:
    """A text in at most so many lines that fit, the last with "…" where that is not all; not escaped."""
    letters = max(int(width * len(text) / max(breadth(text, size), 1)), 1)
    return [cut(line, size, width) for line in wrap(text, letters, max_lines=most, placeholder="…")]


def plain(text: str) -> str:
    """A text that may stand in XML: escaped, with a space for what may not, such as control characters."""
    return escape("".join(" " if unicodedata.category(letter) in UNWRITTEN else letter for letter in text))


def written(x: float, y: float, text: str, kind: str = "") -> str:
    """A line of text around a point, its letters standing on y."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{named}>{plain(text)}</text>'


def drawn(box: Box, radius: float = 8) -> str:
    """A box."""
    return f'<rect x="{box.left:g}" y="{box.top:g}" width="{box.width:g}" height="{box.height:g}" rx="{radius:g}"/>'


def label_box(x: float, y: float, text: str) -> Box:
    """What a label around a point takes."""
    width = round(breadth(text, LABEL)) + 8
    return Box(round(x - width / 2, 1), round(y - PILL / 2, 1), width, PILL)


def label(x: float, y: float, text: str) -> str:
    """A label around a point, on ground of its own."""
    pill = drawn(label_box(x, y, text), PILL / 2)
    return f'<g class="mm-label">{pill}{written(round(x, 1), round(y + LABEL * 0.36, 1), text)}</g>'


def picture(box: Box, title: str, description: str, body: str, style: str = "", scale: float = 1.0) -> str:
    """The frame around it all.

    Args:
        box: what of the plane it shows.
        title: what it is called for those who do not see it.
        description: what it shows, for them.
        body: all that is drawn.
        style: what is styled beside STYLE.
        scale: its size, of a pixel of the plane.
    """
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="mm-graph" role="group" aria-labelledby="mm-graph-title" '
        f'aria-describedby="mm-graph-about" viewBox="{box.left:g} {box.top:g} {box.width:g} {box.height:g}" '
        f'width="{box.width * scale:g}" height="{box.height * scale:g}"><title id="mm-graph-title">{plain(title)}'
        f'</title><desc id="mm-graph-about">{plain(description)}</desc><style>{STYLE}{style}</style>{body}</svg>\n'
    )
