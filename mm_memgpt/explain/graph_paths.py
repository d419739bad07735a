"""The walks to the answers of a graph question as a picture: SVG, a column a hop, the best walk on top.

Notable: it needs no style sheet and no font, and reads in light and dark, alone or as part of a page; an edge is as
wide as its weight, which stands on it, so that no colour has to be told apart.
"""

from collections.abc import Sequence

from mm_memgpt.explain.svg import LABEL, NAME, Box, breadth, cut, drawn, label, label_box, picture, plain, written
from mm_memgpt.knowledge.graph_reader import GraphAnswer, Step

COLUMN, ROW = 400, 72
"""Pixels from one hop to the next, and from one entity of a hop to the next."""
WIDTH, HEIGHT, EDGE = 200, 36, 16
"""Of an entity's box, and the margin."""
TIP = (
    '<defs><marker id="mm-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" '
    'markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)
"""The head of an arrow."""


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
    edges = [(step, _corner(places[hop, _start(step)]), _corner(places[hop + 1, _end(step)])) for hop, step in edges]
    body = [_arrow(*edge) for edge in edges]
    body += [_box(name, _corner(place), (column, name) in ends) for (column, name), place in places.items()]
    labels: list[Box] = []
    body += [_weight(*edge, labels) for edge in edges]
    size = Box(0, 0, max(rows) * COLUMN + WIDTH + 2 * EDGE, (max(rows.values()) - 1) * ROW + HEIGHT + 2 * EDGE)
    said = f"{question} {walked[0].answer}: " + ", ".join(map(_said, walked[0].path))
    return picture(size, question, said, TIP + "".join(body))


def _start(step: Step) -> str:
    """The entity that a step goes from."""
    return step.tail if step.backwards else step.head


def _end(step: Step) -> str:
    return step.head if step.backwards else step.tail


def _said(step: Step) -> str:
    return f"{step.head} {step.relation} {step.tail} ({step.weight:.2f})"


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    """Left and top of an entity's box."""
    return EDGE + place[0] * COLUMN, EDGE + place[1] * ROW


Corner = tuple[int, int]


def _arrow(step: Step, start: Corner, end: Corner) -> str:
    left, right = start[0] + WIDTH + 3, end[0] - 3
    tip = "marker-start" if step.backwards else "marker-end"
    return (
        f'<path d="M{left} {start[1] + HEIGHT // 2}L{right} {end[1] + HEIGHT // 2}" '
        f'stroke-width="{1 + 3 * step.weight:.1f}" {tip}="url(#mm-tip)"/>'
    )


def _weight(step: Step, start: Corner, end: Corner, taken: list[Box]) -> str:
    """What an edge is called and weighs, on its middle where that is free, else nearer to one end."""
    number = f" {step.weight:.2f}"
    name = cut(step.relation, LABEL, COLUMN - WIDTH - 40 - breadth(number, LABEL)) + number
    x, top, fall = start[0] + WIDTH + (COLUMN - WIDTH) / 2, start[1] + HEIGHT / 2, end[1] - start[1]
    places = [label_box(x, top + share * fall, name) for share in (1 / 2, 1 / 4, 3 / 4)]
    place = next((each for each in places if not any(map(each.meets, taken))), places[0])
    taken.append(place)
    return f"<g><title>{plain(_said(step))}</title>{label(*place.middle, name)}</g>"


def _box(name: str, corner: Corner, is_answer: bool) -> str:
    kind = ' class="mm-answer"' if is_answer else ""
    box = Box(*corner, WIDTH, HEIGHT)
    text = written(box.middle[0], box.middle[1] + 5, cut(name, NAME, WIDTH - 12))
    return f"<g{kind}><title>{plain(name)}</title>{drawn(box)}{text}</g>"
