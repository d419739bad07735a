"""Text with a score a word as colours: for a terminal, and as HTML.

Notable: what comes from outside cannot act: control characters are spelled out for a terminal, everything is escaped
for HTML; a colour is never alone, figures or lines under the words say the same.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

FAINT = 0.1
"""Share of the greatest score below which a word stays plain."""
FOR, AGAINST = (194, 120, 40), (224, 217, 203)
"""Backgrounds of a terminal's 256 colours, from weak to strong, all light enough for black text."""
RESET, BOLD = "\x1b[0m", "\x1b[1m"
STRONGEST = 0.55
"""How much of the colour covers the page: dark text on white, or white on dark, keeps a contrast above 4.5 to 1."""


class Mark(NamedTuple):
    """A word, or what stands between two, with neither share nor score."""

    text: str
    share: float | None = None
    """-1 to 1: of the greatest score."""
    score: float | None = None


class Line(NamedTuple):
    """Marks under a name."""

    name: str
    marks: Sequence[Mark]


def ansi(lines: Sequence[Line], width: int, colour: bool) -> str:
    """Lines for a terminal of `width` columns; without colour, the figures stand behind the words."""
    return "\n".join(row for line in lines for row in _rows(line, width, colour))


def html(lines: Sequence[Line]) -> str:
    """Lines as paragraphs that need no style sheet; a word's figure shows under the mouse."""
    return "".join(f"<p><strong>{escape(line.name)}</strong> {''.join(map(_span, line.marks))}</p>" for line in lines)


def harmless(text: str) -> str:
    """Text that cannot drive a terminal: what has no shape, but joiners within words, is spelled out."""
    return "".join(
        character
        if unicodedata.category(character)[0] not in "CZ" or character in " \u200c\u200d"
        else f"\\x{ord(character):02x}"
        if ord(character) < 256
        else f"\\u{ord(character):04x}"
        for character in text
    )


def columns(text: str) -> int:
    """Columns of a terminal that text takes."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _rows(line: Line, width: int, colour: bool) -> Iterator[str]:
    name = harmless(line.name)
    row, used = (f"{BOLD}{name}{RESET}" if colour else name) + " ", columns(name) + 1
    for mark in line.marks:
        if mark.share is None and not mark.text.strip():
            if "\n" in mark.text:
                yield row.rstrip(" ")
                row, used = "", 0
            elif used and not row.endswith(" "):
                row, used = row + " ", used + 1
            continue
        for piece in _cut(_said(mark, colour), width):
            if used and used + columns(piece) > width:
                yield row.rstrip(" ")
                row, used = "", 0
            row, used = row + (_painted(piece, mark.share) if colour else piece), used + columns(piece)
    yield row.rstrip(" ")


def _said(mark: Mark, colour: bool) -> str:
    text = harmless(mark.text)
    loud = mark.share is not None and abs(mark.share) >= FAINT
    return text if colour or not loud else f"{text}[{mark.score:+.2g}]"


def _cut(text: str, width: int) -> Iterator[str]:
    """Pieces that fit into a row."""
    piece, used = "", 0
    for character in text:
        wide = columns(character)
        if piece and used + wide > width:
            yield piece
            piece, used = "", 0
        piece, used = piece + character, used + wide
    yield piece


def _painted(text: str, share: float | None) -> str:
    if share is None or abs(share) < FAINT:
        return text
    shades = FOR if share > 0 else AGAINST
    shade = shades[min(int(abs(share) * len(shades)), len(shades) - 1)]
    return f"\x1b[30;48;5;{shade}m{text}{RESET}"


def _span(mark: Mark) -> str:
    text = escape(mark.text)
    if mark.share is None or mark.score is None:
        return text.replace("\n", "<br>")
    if abs(mark.share) < FAINT:
        return f'<span title="{mark.score:+.3g}">{text}</span>'
    colour, line = ("34, 160, 70", "solid") if mark.share > 0 else ("220, 50, 47", "dotted")
    return (
        f'<span class="mm-{"for" if mark.share > 0 else "against"}" title="{mark.score:+.3g}" '
        f'style="background: rgba({colour}, {STRONGEST * abs(mark.share):.2f}); border-radius: .2em; '
        f'padding: .05em .1em; border-bottom: 2px {line} rgb({colour})">{text}</span>'
    )
