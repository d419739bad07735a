"""Pairs among filler: what a text states once, where it stands, and what is kept for the test."""

from random import Random

import pytest

from mm_memgpt.datasets.pairs_among_filler import DIGITS, QUALITIES, THINGS, keys, make_text


def test_a_text_states_each_pair_once_where_it_says():
    made = make_text(Random(0), length=30, pairs=5, filler=("Nothing happened.", "It rained."))
    assert len(made.sentences) == 30
    assert [pair.place for pair in made.pairs] == sorted(pair.place for pair in made.pairs)
    for pair in made.pairs:
        assert made.sentences[pair.place] == pair.sentence == f"The {pair.key} is {pair.value}."
        assert pair.question == f"What is the {pair.key}?"
        assert len(pair.value.split()) == DIGITS
    stated = {pair.place for pair in made.pairs}
    assert {made.sentences[place] for place in range(30) if place not in stated} <= {"Nothing happened.", "It rained."}


def test_no_name_of_the_test_occurs_in_training():
    training, test = ({name for _, name in keys(test)} for test in (False, True))
    assert not training & test
    assert len(training) + len(test) == len(QUALITIES) * len(THINGS)
    made = make_text(Random(1), length=60, pairs=40, test=True)
    assert all(pair.key.partition(" of the ")[2] in test for pair in made.pairs)


def test_the_same_generator_makes_the_same_text_and_made_filler_states_nothing():
    one, other = (make_text(Random(7), length=25, pairs=2) for _ in range(2))
    assert one == other
    assert not any(
        " is " in each for place, each in enumerate(one.sentences) if place not in (p.place for p in one.pairs)
    )


def test_pairs_stand_where_they_are_put():
    made = make_text(Random(2), length=9, pairs=3, places=(8, 0, 4))
    assert [pair.place for pair in made.pairs] == [0, 4, 8]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"length": 3, "pairs": 4}, "4 pairs do not fit 3 sentences"),
        ({"length": 6, "pairs": 2, "places": (1, 1)}, r"places \[1, 1\] must be 2 different ones in 0..5"),
        ({"length": 6, "pairs": 2, "places": (1, 6)}, r"places \[1, 6\] must be 2 different ones in 0..5"),
    ],
)
def test_what_cannot_be_made_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        make_text(Random(0), **given)
