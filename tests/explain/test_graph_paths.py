"""The walks of answers are drawn as an SVG that holds every entity and edge once, and nothing that could act."""

import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest

from mm_memgpt.explain.graph_paths import draw
from mm_memgpt.explain.svg import Box
from mm_memgpt.knowledge.graph_reader import GraphAnswer, Step

SIDES = ("x", "y", "width", "height")
NAMES = "{http://www.w3.org/2000/svg}"
CHILD = Step("ada", "child", "ben", 0.9)
ANSWERS = [
    GraphAnswer("rome", 0.8, (CHILD, Step("ben", "city", "rome", 0.95))),
    GraphAnswer("<oslo> & more", 0.1, (CHILD, Step("<oslo> & more", "home of", "ben", 0.2, backwards=True))),
]


def drawn():
    return ElementTree.fromstring(draw("the city of ada 's child ?", ANSWERS))


def test_every_entity_and_edge_is_drawn_once():
    titles = sorted(title.text for title in drawn().iter(f"{NAMES}title"))
    edges = ["<oslo> & more home of ben (0.20)", "ada child ben (0.90)", "ben city rome (0.95)"]
    assert titles == sorted(["the city of ada 's child ?", "ada", "ben", "rome", "<oslo> & more", *edges])


def test_a_heavier_edge_is_wider_and_one_walked_backwards_points_back():
    paths = [path for path in drawn().iter(f"{NAMES}path") if path.get("stroke-width")]
    widths = {path.get("stroke-width"): path.get("marker-start") is not None for path in paths}
    assert widths == {"3.7": False, "3.8": False, "1.6": True}


def test_all_lies_within_the_picture():
    picture = drawn()
    for box in picture.iter(f"{NAMES}rect"):
        assert float(box.get("x")) + float(box.get("width")) <= float(picture.get("width"))
        assert float(box.get("y")) + float(box.get("height")) <= float(picture.get("height"))


def test_no_label_lies_on_another_or_on_a_box_though_edges_cross_and_names_are_long():
    names = [f"{letter}_{'long_' * 9}" for letter in "abcd"]
    crossing = [(0, 2), (1, 3), (0, 3), (1, 2)]
    first = [Step("start", "to", name, 0.5) for name in names[:2]]
    walks = [(first[one], Step(names[one], "relation_" * 9, names[other], 0.5)) for one, other in crossing]
    picture = ElementTree.fromstring(draw("?", [GraphAnswer(walk[1].tail, 0.5, walk) for walk in walks]))
    boxes = [Box(*(float(box.get(side)) for side in SIDES)) for box in picture.iter(f"{NAMES}rect")]
    assert len(boxes) == 5 + 6
    assert [(one, other) for one, other in combinations(boxes, 2) if one.meets(other)] == []


def test_without_a_walk_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="no walk to draw"):
        draw("what ?", [GraphAnswer("ada", 0.0, ())])
