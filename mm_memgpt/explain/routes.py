"""The ways of edges between boxes: past other boxes where there is such a way, each with a free place for its label.

Notable: a way is a curve with one control point, chosen from a fixed few by what it would run over; a label that finds
no free place on its curve is left out, which is told.

c candidates   p points of a curve
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mm_memgpt.explain.svg import Box, label_box

POINTS = 25
"""Of a curve, at which it is looked whether it runs over something."""
BENDS = (0.0, 24.0, -24.0, 60.0, -60.0)
"""Pixels that a curve's control point lies beside the straight line."""
PLACES = (12, 10, 14, 8, 16, 6, 18, 4, 20)
"""Of a label, among the points of its curve, the best first."""
OVER = 1000.0
"""What a point over a box costs, in pixels of a curve's length."""
NEAR = 4.0
"""Pixels from another box at which a point counts as over it."""


class Curve(NamedTuple):
    """A quadratic curve (Bézier): where it begins, its control point and where it ends."""

    start: tuple[float, float]
    control: tuple[float, float]
    end: tuple[float, float]

    @property
    def path(self) -> str:
        """As SVG writes it."""
        return "M{:g} {:g}Q{:g} {:g} {:g} {:g}".format(*(round(x, 1) for point in self for x in point))


def route(one: Box, other: Box, boxes: Sequence[Box], within: Box) -> Curve:
    """The way between two boxes that runs over the fewest others, and of these the shortest.

    Args:
        one: where it begins.
        other: where it ends.
        boxes: all that it should not run over, these two too.
        within: where it should stay.
    """
    found = np.array(
        [
            (start, control, end)
            for start in _doors(one)
            for end in _doors(other)
            for control in _controls(np.array(start), np.array(end))
        ]
    )  # (c, 3, 2)
    points = _points(found)  # (c, p, 2)
    length = np.linalg.norm(np.diff(points, axis=1), axis=-1).sum(axis=1)
    over = sum(_inside(points, box, 0.0 if box in (one, other) else NEAR) for box in boxes)
    cost = length + OVER * (over + POINTS - _inside(points, within, 0.0))  # (c,)
    return Curve(*(tuple(point) for point in found[int(np.argmin(cost))].tolist()))


def label_place(curve: Curve, text: str, taken: Sequence[Box], within: Box) -> Box | None:
    """Where a label fits onto a curve, the nearer to its middle the better; None where it fits nowhere."""
    for x, y in _points(np.array([curve]))[0, PLACES, :].tolist():
        box = label_box(x, y, text)
        across = min(max(box.left, within.left), within.right - box.width) - box.left
        box = box.moved(across, 0)
        if not any(map(box.meets, taken)):
            return box
    return None


def _doors(box: Box) -> list[tuple[float, float]]:
    """Where a way may begin or end: above and below the middles of the sides, for other lines end there, and
    the middles of top and bottom."""
    heights = [box.top + share * box.height for share in (0.15, 0.85)]
    sides = [(x, y) for x in (box.left, box.right) for y in heights]
    return [*sides, (box.middle[0], box.top), (box.middle[0], box.bottom)]


def _controls(start: np.ndarray, end: np.ndarray) -> list[tuple[float, float]]:
    along = end - start
    beside = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1.0)
    return [tuple((start + end) / 2 + bend * beside) for bend in BENDS]


def _points(curves: np.ndarray) -> np.ndarray:
    """Points of curves (c, 3, 2), evenly apart in the curve's own time: (c, p, 2)."""
    time = np.linspace(0, 1, POINTS)
    weights = np.stack([(1 - time) ** 2, 2 * time * (1 - time), time**2])  # (3, p)
    return np.einsum("cix,ip->cpx", curves, weights)


def _inside(points: np.ndarray, box: Box, margin: float) -> np.ndarray:
    """How many points of each curve (c, p, 2) lie in a box with a margin around it: (c,)."""
    low, high = np.array([box.left, box.top]) - margin, np.array([box.right, box.bottom]) + margin
    return ((points > low) & (points < high)).all(axis=-1).sum(axis=-1)
