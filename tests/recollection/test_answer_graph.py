"""The graph around an answer holds each source by its kind, each edge by its weight, and nothing that could act."""

import re
import xml.etree.ElementTree as ElementTree
from base64 import b64encode
from itertools import combinations

import pytest

from mm_memgpt.explain.svg import Box
from mm_memgpt.memory.item import Fact
from mm_memgpt.recollection.answer_graph import LINES, SOURCES, answer_graph
from mm_memgpt.recollection.answer_nodes import Shown
from mm_memgpt.recollection.results import Answer, Link, Source

SVG = "{http://www.w3.org/2000/svg}"
JPEG = b"\xff\xd8small"
PHOTO = {"path": "/home/me/cat.jpg", "modality": "image", "preview": JPEG, "evidence": 1.864}
SOUND = {"path": "bark.wav", "modality": "audio", "start": 12.0, "end": 13.5, "evidence": -0.65}
NOTE = {"path": "note 1", "text": "The key to the shed hangs behind the kitchen door.", "evidence": 0.42}
FACT = {"path": "fact 1", "text": "cat is a kind of feline", "fact": Fact("cat", "is_a", "feline"), "evidence": 2.3}


def source(**given) -> Source:
    return Source(**{"modality": "text", "start": 3.0, "end": 3.0, "text": "", "evidence": 0.1, **given})


def answer(*sources: Source, links: tuple[Link, ...] = (), text: str = "A cat is a feline.") -> Answer:
    return Answer(text=text, confidence=0.8, grounded=2.1, declined=not text, words=(), sources=sources, links=links)


def link(one: int, other: int, weight: float = 0.37, kind: str = "similar", name: str = "") -> Link:
    return Link(one=one, other=other, kind=kind, name=name, weight=weight)


def parsed(given: Answer, **more) -> ElementTree.Element:
    return ElementTree.fromstring(answer_graph(given, **more))


def nodes(picture: ElementTree.Element) -> list[ElementTree.Element]:
    return [group for group in picture.iter(f"{SVG}g") if "mm-node" in (group.get("class") or "")]


def texts(node: ElementTree.Element) -> list[str]:
    return [text.text for text in node.iter(f"{SVG}text")]


def edges(picture: ElementTree.Element) -> dict[str, list[ElementTree.Element]]:
    """The parts of each edge, by its title."""
    found = {}
    for group in picture.iter(f"{SVG}g"):
        if "mm-edge" in (group.get("class") or ""):
            found.setdefault(group.find(f"{SVG}title").text, []).append(group)
    return found


def test_each_kind_of_source_is_shown_as_what_it_is():
    drawn = nodes(parsed(answer(*(source(**each) for each in (PHOTO, SOUND, NOTE, FACT)))))
    said, photo, sound, note, fact = drawn
    assert texts(said) == ["A cat is a", "feline."]
    assert photo.find(f"{SVG}image").get("href") == f"data:image/jpeg;base64,{b64encode(JPEG).decode()}"
    assert texts(photo) == ["photo cat.jpg"]
    assert texts(sound) == ["12.0\u201313.5 s", "sound bark.wav"]
    assert sound.find(f"{SVG}path").get("class") == "mm-wave"
    assert texts(note) == ["The key to the", "shed hangs", "behind the…", "note 1"]
    assert texts(fact) == ["cat", "↓ is a", "feline", "fact 1"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/me/photographer.jpg", "photo photographer.jpg"),
        ("photo.jpg", "photo.jpg"),
        ("photos 3", "photos 3"),
        ("/", "photo /"),
    ],
)
def test_a_source_is_called_what_it_is_where_its_name_does_not_say_it(path, name):
    assert f"; {name}: +1.86 nats" in answer_graph(answer(source(**PHOTO | {"path": path})))


def test_a_fact_is_told_by_its_names_where_it_has_some():
    fact = Fact("Q64", "P1376", "Q183", head_name="Berlin", relation_name="capital of", tail_name="Germany")
    [_, node] = nodes(parsed(answer(source(**FACT | {"fact": fact}))))
    assert texts(node)[:3] == ["Berlin", "↓ is the capit…", "Germany"]


def test_the_wider_the_line_the_more_evidence_and_one_against_the_answer_is_told_without_colour():
    found = edges(parsed(answer(*(source(**each) for each in (FACT, NOTE, SOUND)))))
    wide = {title: float(parts[0].find(f"{SVG}path").get("stroke-width")) for title, parts in found.items()}
    fact, note, sound = wide
    assert wide[fact] > wide[sound] > wide[note]
    assert [texts(parts[1]) for parts in found.values()] == [["+2.30"], ["+0.42"], ["\u22120.65"]]
    assert "mm-against" in found[sound][0].get("class")
    assert "mm-against path{stroke:#b8520f;stroke-dasharray" in answer_graph(answer())


def test_what_is_linked_has_a_line_with_what_links_it_and_its_weight():
    links = (
        link(0, 1, 0.414, "relation", "cat"),
        link(1, 2, 0.25),
        link(1, 2, 0.25, "same source"),
        link(1, 2, 0.0, "previous"),
    )
    links += (link(0, 2, 0.0),)
    found = edges(parsed(answer(*(source(**each) for each in (PHOTO, FACT, NOTE)), links=links)))
    ties = {title: parts for title, parts in found.items() if "nats" not in title}
    assert list(ties) == [
        "photo cat.jpg, fact 1: cat 0.41",
        "fact 1, note 1: similar, same source 0.25; next 0.00",
        "photo cat.jpg, note 1: similar 0.00",
    ]
    widths = [float(parts[0].find(f"{SVG}path").get("stroke-width")) for parts in ties.values()]
    assert widths == sorted(widths, reverse=True)
    assert "mm-none" in list(ties.values())[-1][0].get("class")
    assert texts(ties["photo cat.jpg, fact 1: cat 0.41"][1]) == ["cat 0.41"]


@pytest.mark.parametrize("count", range(1, SOURCES + 1))
def test_no_two_boxes_lie_on_each_other_nor_does_a_label_on_anything(count):
    links = tuple(link(one, other, 1 / (1 + one + other)) for one, other in combinations(range(count), 2))
    many = [source(**NOTE | {"path": f"{place} {'long ' * 9}"}) for place in range(count)]
    picture = parsed(answer(*many, links=links))
    sides = ("x", "y", "width", "height")
    boxes = [Box(*(float(box.get(side)) for side in sides)) for box in picture.iter(f"{SVG}rect")]
    assert len(boxes) >= 1 + 2 * count
    assert [(one, other) for one, other in combinations(boxes, 2) if one.meets(other)] == []
    left, top, width, height = map(float, picture.get("viewBox").split())
    assert all(left <= box.left and box.right <= left + width for box in boxes)
    assert all(top <= box.top and box.bottom <= top + height for box in boxes)


def test_who_points_at_a_box_or_tabs_to_it_reads_all_of_it():
    text = "word " * 100
    [_, node, _] = nodes(parsed(answer(source(**NOTE | {"text": text}), source(**PHOTO), links=(link(0, 1),))))
    whole = "".join(node.find(f"{SVG}foreignObject").itertext())
    assert text in whole
    assert "+0.42 nats, connected with photo cat.jpg (similar 0.37)" in whole
    assert node.get("tabindex") == "0"
    assert text in node.get("aria-label")
    assert ".mm-node:is(:hover,:focus)>.mm-whole{visibility:visible}" in answer_graph(answer())


def test_who_does_not_see_it_is_told_what_it_shows():
    picture = parsed(answer(source(**PHOTO), source(**FACT), links=(link(0, 1),)))
    named = {part.get("id"): part.text for part in picture}
    assert named[picture.get("aria-labelledby")] == "What the answer rests on"
    assert named[picture.get("aria-describedby")] == (
        "A cat is a feline.; photo cat.jpg: +1.86 nats, connected with fact 1 (similar 0.37); "
        "fact 1: +2.30 nats, connected with photo cat.jpg (similar 0.37)"
    )


def test_it_is_bounded_and_what_is_left_out_is_told():
    many = [source(path=f"note {place}", text="x" * 50_000) for place in range(20)]
    links = tuple(link(one, other) for one, other in combinations(range(20), 2))
    drawn = answer_graph(answer(*many, links=links))
    picture = ElementTree.fromstring(drawn)
    assert len(nodes(picture)) == 1 + SOURCES
    assert len(edges(picture)) == SOURCES + LINES
    assert f"Not drawn: 8 of the sources and {190 - LINES} of the lines between sources." in texts(picture)
    assert len(drawn) < 150_000


def test_nothing_that_was_given_can_run():
    evil = "</text><script>fail()</script>\x00"
    fact = Fact(evil, evil, evil)
    given = answer(
        source(path=evil, text=evil), source(path=evil, fact=fact), text=evil, links=(link(0, 1, name=evil),)
    )
    drawn = answer_graph(given, how=[Shown(evil, evil)] * 2)
    assert not any(part.tag.endswith("script") for part in ElementTree.fromstring(drawn).iter())
    assert "<script" not in drawn
    assert re.search(r'(href|src|xlink:href)="(?!data:image/jpeg)', drawn) is None


def test_an_answer_that_declined_stands_alone():
    [node] = nodes(parsed(answer(text="")))
    assert texts(node) == ["no answer"]


def test_whoever_knows_better_says_how_a_source_is_told():
    [_, node] = nodes(parsed(answer(source(**PHOTO)), how=[Shown("clip", "0:07.5")]))
    assert texts(node) == ["clip cat.jpg"]
    assert "clip /home/me/cat.jpg, 0:07.5" in node.get("aria-label")
