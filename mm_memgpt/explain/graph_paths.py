"""The walks to the answers of a graph question as a picture: SVG, a column a hop, the best walk on top.

Notable: it needs no style sheet and no font, and reads in light and dark, alone or as part of a page; an edge is as
wide as its weight, which stands beside it, so that no colour has to be told apart.
"""

from collections.abc import Sequence
from html import escape

from mm_memgpt.knowledge.graph_reader import GraphAnswer, Step

COLUMN, ROW = 300, 84
"""Pixels from one hop to the next, and from one walk to the next."""
WIDTH, HEIGHT, EDGE = 170, 36, 16
"""Of an entity's box, and the margin."""
LONGEST = 24
"""Letters of a name that fit into a box, or onto an edge."""

STYLE = (
    ".mm-walk text{font:13px system-ui,sans-serif;text-anchor:middle;fill:#1d1d1f}"
    ".mm-walk rect{fill:#eef1f5;stroke:#5b6573}.mm-walk .mm-answer rect{fill:#d3ecd8;stroke:#1f7a38;stroke-width:2}"
    ".mm-walk path{stroke:#5b6573;fill:none}.mm-walk marker path{fill:#5b6573}.mm-walk .mm-edge{fill:#3a424d}"
    "@media(prefers-color-scheme:dark){.mm-walk .mm-edge{fill:#d8dde4}.mm-walk path{stroke:#9aa5b1}"
    ".mm-walk marker path{fill:#9aa5b1}}"
)


def draw(question: str, answers: Sequence[GraphAnswer]) -> str:
    """The walks of some answers as one SVG.

    Args:
        question: what it is called for those who do not see it.
        answers: the best first.

    Raises:
        ValueError: no answer has a walk.
    """
    walked = [each for each in answers if each.path]
    if not walked:
        raise ValueError("no walk to draw: none of the answers has one")
    places: dict[tuple[int, str], tuple[int, int]] = {}
    rows: dict[int, int] = {}
    edges: dict[tuple[int, Step], None] = {}
    ends = {(len(answer.path), answer.answer) for answer in walked}
    for answer in walked:
        for column, name in enumerate([_start(answer.path[0]), *map(_end, answer.path)]):
            if (column, name) not in places:
                places[column, name] = (column, rows.get(column, 0))
                rows[column] = rows.get(column, 0) + 1
        edges |= dict.fromkeys(enumerate(answer.path))
    width = max(rows) * COLUMN + WIDTH + 2 * EDGE
    height = (max(rows.values()) - 1) * ROW + HEIGHT + 3 * EDGE
    drawn = [_edge(step, places[hop, _start(step)], places[hop + 1, _end(step)]) for hop, step in edges]
    drawn += [_box(name, place, (column, name) in ends) for (column, name), place in places.items()]
    said = escape(f"{question} {walked[0].answer}: " + ", ".join(map(_said, walked[0].path)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mm-walk" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{said}"><style>{STYLE}</style><defs><marker id="mm-tip" '
        'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" '
        f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z"/></marker></defs>{"".join(drawn)}</svg>\n'
    )


def _start(step: Step) -> str:
    """The entity that a step goes from."""
    return step.tail if step.backwards else step.head


def _end(step: Step) -> str:
    return step.head if step.backwards else step.tail


def _said(step: Step) -> str:
    return f"{step.head} {step.relation} {step.tail} ({step.weight:.2f})"


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return EDGE + place[0] * COLUMN, 2 * EDGE + place[1] * ROW


def _edge(step: Step, start: tuple[int, int], end: tuple[int, int]) -> str:
    (left, top), (right, bottom) = _corner(start), _corner(end)
    left, top, bottom = left + WIDTH, top + HEIGHT // 2, bottom + HEIGHT // 2
    tip = "marker-start" if step.backwards else "marker-end"
    return (
        f'<g><title>{escape(_said(step))}</title><path d="M{left + 3} {top}L{right - 3} {bottom}" '
        f'stroke-width="{1 + 3 * step.weight:.1f}" {tip}="url(#mm-tip)"/><text class="mm-edge" '
        f'x="{(left + right) // 2}" y="{(top + bottom) // 2 - 8}">{_short(step.relation, LONGEST - 8)} '
        f"{step.weight:.2f}</text></g>"
    )


def _box(name: str, place: tuple[int, int], is_answer: bool) -> str:
    left, top = _corner(place)
    kind = ' class="mm-answer"' if is_answer else ""
    return (
        f'<g{kind}><title>{escape(name)}</title><rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
        f'<text x="{left + WIDTH // 2}" y="{top + HEIGHT // 2 + 5}">{_short(name, LONGEST)}</text></g>'
    )


def _short(name: str, most: int) -> str:
    return escape(name if len(name) <= most else f"{name[: most - 1]}…")
