"""Where the boxes of a graph go: one in the middle, the others around it in two columns, as on a phone held upright.

Notable: nothing is drawn by chance; the corridor between the columns is free, so every line from the middle reaches its
box past no other; boxes that are linked change places until they lie near each other.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import dist

from mm_memgpt.explain.svg import Box

WIDTH = 400
"""Of it all, in pixels: on a phone of 360 a name of 15 pixels still has 11."""
BOX = (126, 94)
"""Width and height of a box around the middle one."""
CORRIDOR = WIDTH - 2 * BOX[0]
"""Between the columns."""
GAP = 36
"""Between two rows: room for a label."""
MIDDLE = (120, 86)
"""Width and height of the box in the middle, which lies between two rows and reaches beside them."""
ROUNDS = 50
"""Of changing places, at most; a dozen boxes need a few."""
LEAST = 1e-6
"""Pixels that a change must gain, so that rounding moves nothing."""


def places(count: int) -> list[Box]:
    """Boxes around one in the middle of the plane, in reading order: rows of two, an odd one above or below them."""
    width, height = BOX
    pairs, odd = divmod(count, 2)
    above = (pairs + 1) // 2
    rows = [-(GAP / 2 + height) - row * (height + GAP) for row in range(above)]
    rows += [GAP / 2 + row * (height + GAP) for row in range(pairs - above)]
    around = [Box(left, top, width, height) for top in rows for left in (-WIDTH / 2, WIDTH / 2 - width)]
    if odd:
        upwards = above == pairs - above
        near = max(((pairs - above) * (height + GAP) + GAP / 2), MIDDLE[1] / 2 + GAP)
        around.append(Box(-width / 2, -near - height if upwards else near, width, height))
    return sorted(around, key=lambda box: (box.top, box.left))


def middle() -> Box:
    """The box in the middle of the plane."""
    return Box(-MIDDLE[0] / 2, -MIDDLE[1] / 2, *MIDDLE)


def around(pulls: Sequence[float], links: Mapping[tuple[int, int], float]) -> list[Box]:
    """The box of each thing, where those that are linked lie as near each other as changing places makes it.

    Args:
        pulls: of each thing, how much it is drawn to the middle.
        links: how much two are drawn to each other, by their places among the things.
    """
    free = places(len(pulls))
    order = list(range(len(pulls)))
    best = _length(pulls, links, free, order)
    for _ in range(ROUNDS):
        before = best
        for one, other in combinations(range(len(pulls)), 2):
            changed = order.copy()
            changed[one], changed[other] = order[other], order[one]
            length = _length(pulls, links, free, changed)
            if length < best - LEAST:
                best, order = length, changed
        if best == before:
            break
    return [free[place] for place in order]


def _length(
    pulls: Sequence[float], links: Mapping[tuple[int, int], float], free: Sequence[Box], order: Sequence[int]
) -> float:
    """Pixels of all links and pulls; `order` has the place of each thing."""
    spokes = sum(pull * dist(free[place].middle, (0, 0)) for pull, place in zip(pulls, order, strict=True))
    return spokes + sum(
        strength * dist(free[order[one]].middle, free[order[other]].middle) for (one, other), strength in links.items()
    )
