"""What is said beside a sentence helps to find it, in its own source and nowhere else."""

import pytest

from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_around import REACH, SHARE, spread
from mm_memgpt.memory.archive_rows import Shape
from mm_memgpt.memory.where import Where

TALK = ("Where did you buy the numbat?", "In a shop at the harbour.", "I see.", "The weather is fine.")


@pytest.fixture
def archive(tmp_path, item):
    with Archive.open(
        tmp_path / "trip.memory", shape=Shape(tokens=3, width=4, key_width=5), fingerprint="nano 1", create=True
    ) as archive:
        said = [item(number, text=text, source="monday", modality="text") for number, text in enumerate(TALK)]
        archive.add([*said, item(4, text="We had tea.", source="tuesday", modality="text")])
        yield archive


def texts(found) -> list[str]:
    return [one.item.text for one in found]


def test_the_answer_is_found_by_the_question_before_it(archive):
    assert texts(archive.search(text="numbat")) == [TALK[0]]
    assert texts(archive.search(text="numbat", around=True)) == list(TALK)
    assert texts(archive.search(text="numbat harbour", k=2, around=True)) == [TALK[1], TALK[0]]


def test_another_source_lends_nothing_though_it_lies_beside(archive):
    assert "We had tea." not in texts(archive.search(text="numbat", k=9, around=True))
    assert texts(archive.search(text="tea", k=9, around=True)) == ["We had tea."]


def test_only_what_the_filter_allows_is_found_and_heard(archive):
    late = Where(start=1.79e9 + 1)
    assert archive.search(text="numbat", around=True, where=late) == []
    assert texts(archive.search(text="harbour", around=True, where=Where(end=1.79e9 + 1))) == [TALK[1], TALK[0]]


def test_without_the_words_nothing_is_found(archive):
    assert archive.search(text="the of and", around=True) == archive.search(text="giraffe", around=True) == []


def test_a_neighbour_lends_half_as_much_with_each_step_as_the_definition_says():
    rows = {place: {"source": "a" if place < 9 else "b"} for place in range(12) if place != 5}
    scores = {2: 1.5, 7: 4.0, 9: 1.0}
    expected = {
        place: sum(
            score * SHARE ** abs(place - other)
            for other, score in scores.items()
            if abs(place - other) <= REACH and rows[place] == rows[other]
        )
        for place in rows
    }
    assert spread(scores, rows) == pytest.approx({place: value for place, value in expected.items() if value})


@pytest.mark.parametrize(
    ("where", "met"),
    [
        (Where(), True),
        (Where(source="a", modality=("text", "image")), True),
        (Where(source=("b", "c")), False),
        (Where(modality="audio"), False),
        (Where(start=4.0), False),
        (Where(start=3.0, end=2.0), True),
        (Where(end=1.0), False),
        (Where(ids=("y",)), False),
    ],
)
def test_a_filter_says_of_a_row_what_it_says_of_the_table(where, met):
    assert where.meets({"source": "a", "modality": "text", "start": 2.0, "end": 3.0, "id": "x"}) is met
