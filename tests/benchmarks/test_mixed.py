"""A memory of mixed items: what is put into it, what is asked of it, and how that is counted."""

from random import Random

import pytest


@pytest.fixture
def inside(data_folder):
    from benchmarks.mixed import house
    from mm_memgpt.datasets.pools import read_pools

    return house(read_pools(data_folder, "val"), Random("a house"))


@pytest.mark.data
def test_three_classes_of_sound_are_left_out_to_be_asked_for(inside):
    from benchmarks.mixed import questions

    labels = {sound.label for sound in inside.sounds}
    assert (len(inside.photos), len(inside.sounds), len(inside.notes), len(labels)) == (100, 40, 60, 7)
    asked = list(questions(inside, Random(1)))
    absent = [each for each in asked if each.kind == "seen" and each.answer is None]
    assert len(absent) == 3
    stated = {note.question: note.value for note in inside.notes}
    notes = [each for each in asked if each.kind == "note"]
    assert {each.text: each.answer for each in notes if each.answer} == stated
    assert not {each.text for each in notes if each.answer is None} & stated.keys()


@pytest.mark.data
def test_a_thing_that_is_asked_for_in_vain_is_in_no_photo(inside):
    from benchmarks.mixed import questions
    from mm_memgpt.datasets.things import phrase

    possible = {phrase(thing) for photo in inside.photos for thing in photo.facts.open}
    heard = [each for each in questions(inside, Random(1)) if each.kind == "heard"]
    for each in heard:
        thing = each.text.removeprefix("What was heard when ").removesuffix(" was seen?")
        assert (thing in possible) == (each.answer is not None)
    assert {each.answer is None for each in heard} == {True, False}


def test_declined_and_quoted_are_counted_by_what_was_asked():
    from benchmarks.mixed import Asked, asking
    from mm_memgpt.recollection.results import Answer

    class Memory:
        def ask(self, question: str) -> Answer:
            there = "lamp" in question
            text = "The lamp is red." if there else ""
            return Answer(text=text, confidence=0.5, grounded=1.0, declined=not there, words=(), sources=())

    asked = [
        Asked("note", "Which lamp?", "red", "the lamp is red"),
        Asked("note", "Which cup?", "red", "the cup is red"),
    ]
    found = asking(Memory(), [*asked, Asked("note", "Which key?", None)])
    assert found["note quoted"] == found["absent declined"] + [False] == [True, False]
    assert found["answerable declined"] == found["answerable declined: note"] == [False, True]


def test_the_table_has_a_share_a_line():
    from benchmarks.mixed import table

    assert table({"declined": [True, True, False, True]}).splitlines()[2].startswith("| declined | 4 | 0.750 (")
