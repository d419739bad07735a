"""What sentences settle about a photo: who agrees makes it certain, a hint leaves it open, silence rules it out."""

import pytest

from mm_memgpt.datasets.things import MASS, PEOPLE, SCENERY, THINGS, facts, phrase


def test_sixty_to_a_hundred_things_each_in_one_list():
    every = [*PEOPLE, *THINGS, *SCENERY]
    assert 60 <= len(every) == len(set(every)) <= 100
    assert set(every) >= MASS


def test_two_sentences_make_a_thing_certain_and_synonyms_are_one():
    found = facts(["A guy plays .", "Two MEN play .", "A puppy .", "Someone throws a dog's frisbee ."])
    assert found.named == {"man", "dog"}
    assert {"frisbee", "man", "dog", "woman", "ball"} & found.open == {"frisbee", "man", "dog", "woman"}


def test_a_sentence_that_repeats_itself_counts_once():
    assert facts(["A dog , a dog and a dog .", "A cat ."]).named == frozenset()


@pytest.mark.parametrize(
    ("caption", "open_things"),
    [
        ("An animal sleeps .", {"dog", "cat", "horse", "cow", "sheep", "bird"}),
        ("A person sleeps .", set(PEOPLE)),
        ("A surfer .", {*PEOPLE, "surfboard", "ocean", "waves", "water"}),
        ("An ice cream .", set()),
        ("A hot dog .", set()),
        ("A dirt bike .", {"motorcycle", "bike"}),
        ("Children building a sandcastle .", set(PEOPLE)),
        ("A man waves .", {*PEOPLE, "waves"}),
        ("It sticks out its tongue and steps over it .", {"stairs"}),
        ("A beach-ball .", {"ball", "beach", "ocean", "lake", "water", "football", "basketball"}),
    ],
)
def test_a_word_of_the_same_kind_leaves_a_thing_open(caption, open_things):
    assert facts([caption, "It is there ."]).open - SCENERY.keys() == open_things


def test_scenery_is_never_certainly_absent():
    assert facts(["A cat ."]).open >= SCENERY.keys()
    assert facts(["A cat ."]).named == frozenset()


@pytest.mark.parametrize(
    ("captions", "who", "what"),
    [
        (["A man with a guitar ."] * 5, "man", "guitar"),
        (["A man ."] * 2 + ["It sings ."] * 3, None, None),
        (["A man ."] * 4 + ["A boy ."], "man", None),
        (["A man ."] * 3 + ["A boy ."] * 2, None, None),
        (["A man and a woman ."] * 5, None, None),
        (["A dog on a beach ."] * 3 + ["A dog ."] * 2, None, "dog"),
        (["A dog on a beach ."] * 4 + ["A dog ."], None, None),
    ],
)
def test_who_and_what_a_photo_shows_must_be_clear(captions, who, what):
    assert facts(captions)[2:] == (who, what)


def test_things_are_written_with_their_article():
    assert [phrase(thing) for thing in ("dog", "umbrella", "snow", "stairs")] == [
        "a dog",
        "an umbrella",
        "snow",
        "stairs",
    ]
