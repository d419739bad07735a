"""Boxes around one in the middle lie apart, near what they are linked with, and lines between them find their way."""

from itertools import combinations

import pytest

from mm_memgpt.explain.around import CORRIDOR, WIDTH, around, middle, places
from mm_memgpt.explain.routes import label_place, route
from mm_memgpt.explain.svg import Box


@pytest.mark.parametrize("count", range(13))
def test_no_two_boxes_meet_nor_does_one_meet_the_middle(count):
    boxes = [middle(), *places(count)]
    assert len(boxes) == count + 1
    assert [(one, other) for one, other in combinations(boxes, 2) if one.meets(other)] == []
    assert all(box.left >= -WIDTH / 2 and box.right <= WIDTH / 2 for box in boxes)


@pytest.mark.parametrize("count", range(13))
def test_the_straight_line_from_the_middle_to_a_box_meets_no_other(count):
    boxes = places(count)
    for box in boxes:
        x, y = box.middle
        end = min(max(x, -CORRIDOR / 2), CORRIDOR / 2)
        line = [(end * step / 50, y * step / 50) for step in range(50)]
        others = [other for other in boxes if other != box]
        assert not any(o.left < x < o.right and o.top < y < o.bottom for x, y in line for o in others)


def test_what_is_linked_lies_side_by_side_and_what_pulls_more_nearer_to_the_middle():
    linked = around([0] * 8, {(0, 7): 1.0, (1, 6): 0.5})
    for one, other in ((0, 7), (1, 6)):
        (x, y), (right, low) = linked[one].middle, linked[other].middle
        assert abs(y - low) in (0, 130)
        assert x == right
    tops = [abs(box.middle[1]) for box in around([0.0, 0.1, 0.2, 0.3, 0.4, 2.0, 1.0, 1.5, 1.2], {})]
    assert max(tops[5:]) < min(tops[:5])


def test_the_same_things_lie_in_the_same_places_every_time():
    pulls, links = [0.1, 1.0, 0.3, 0.3, 0.2], {(0, 3): 0.5, (2, 4): 1.0, (1, 2): 0.1}
    assert around(pulls, links) == around(pulls, links)
    assert around([], {}) == []


def test_a_way_goes_past_the_box_between_two_others_and_stays_within():
    one, between, other = (Box(0, top, 50, 30) for top in (0, 60, 120))
    within = Box(-10, -10, 200, 200)
    curve = route(one, other, [one, between, other], within)
    points = [
        [(1 - t) ** 2 * a + 2 * t * (1 - t) * b + t * t * c for a, b, c in zip(*curve, strict=True)]
        for t in (step / 40 for step in range(41))
    ]
    assert not any(between.left < x < between.right and between.top < y < between.bottom for x, y in points)
    assert all(within.left < x < within.right for x, _ in points)
    straight = route(one, between, [one, between, other], within)
    assert straight.path == "M25 30Q25 45 25 60"


def test_a_label_takes_the_first_free_place_on_its_line_or_none():
    within = Box(0, 0, 300, 40)
    curve = route(Box(0, 10, 20, 20), Box(280, 10, 20, 20), [], within)
    first = label_place(curve, "dog 0.41", [], within)
    second = label_place(curve, "dog 0.41", [first], within)
    assert second is not None
    assert not first.meets(second)
    assert label_place(curve, "dog 0.41", [within], within) is None
