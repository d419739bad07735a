"""Kinds come as often as their shares say, each item by itself; what is broken is passed over and told of."""

from collections import Counter

import pytest

from mm_memgpt.training.mixture import Examples, Mixture
from mm_memgpt.types import InputError


def maker(kind):
    return lambda generator: {"kind": kind, "number": generator.random()}


MAKERS = {kind: maker(kind) for kind in ("captions", "questions")}


def test_an_item_depends_on_seed_and_place_alone():
    one, two = (Examples(MAKERS, {"captions": 1.0, "questions": 3.0}, 400, "7") for _ in range(2))
    assert [one[i] for i in (5, 0, 399)] == [two[i] for i in (5, 0, 399)]
    assert one[0] != Examples(MAKERS, {"captions": 1.0, "questions": 3.0}, 400, "8")[0]
    assert 60 < Counter(one[i]["kind"] for i in range(len(one)))["captions"] < 140


def test_nothing_made_is_tried_again_and_what_is_broken_is_told():
    tries, told = iter(range(99)), []

    def sometimes(generator):
        number = next(tries)
        if number == 1:
            raise InputError("row 1: broken")
        return {"number": number} if number == 3 else None

    assert Examples({"sounds": sometimes}, {"sounds": 1.0}, 1, "0", told.append)[0] == {"number": 3}
    assert [str(error) for error in told] == ["row 1: broken"]
    with pytest.raises(InputError, match="no example of sounds in 100 attempts; the last: nothing could be made"):
        Examples({"sounds": lambda generator: None}, {"sounds": 1.0}, 1, "0")[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dropout": 1.0}, "dropout 1.0 must be at least 0 and below 1"),
        ({"stretch": 0.5}, "stretch 0.5 must be at least 1"),
        ({"asked": 0}, "asked 0: both at least 1"),
        ({"clip_photos": 0}, "clip_photos 0 must be at least 1"),
        ({"keys": -0.1}, "keys -0.1 must be at least 0"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Mixture(**values)


def test_a_kind_without_a_share_does_not_come():
    assert Mixture(captions=0, sounds=0, summaries=0).shares == {"questions": 0.5}
