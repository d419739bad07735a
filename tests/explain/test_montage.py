"""A montage holds two photos that have no word in common, and knows the half of each word."""

from collections.abc import Iterable

import numpy as np
import pytest
from PIL import Image

from mm_memgpt.explain.montage import SIDE, montages
from mm_memgpt.types import InputError, Sample

RED, BLUE, GREEN = (200, 0, 0), (0, 0, 200), (0, 160, 0)


def samples(*described: tuple[tuple[int, int, int], Iterable[str]]) -> list[Sample]:
    return [
        Sample(source=f"{place}", image=Image.new("RGB", (60, 30), colour), captions=tuple(captions))
        for place, (colour, captions) in enumerate(described)
    ]


def test_each_half_is_its_photo_and_a_word_belongs_where_it_was_written():
    [made] = montages(samples((RED, ["Two dogs run", "A dog"]), (BLUE, ["A man on a bench"])), 1)
    colours = [RED, BLUE] if made.sources == ("0", "1") else [BLUE, RED]
    pixels = np.asarray(made.photo)
    assert pixels.shape == (SIDE, SIDE, 3)
    assert (pixels[:, : SIDE // 2] == colours[0]).all()
    assert (pixels[:, SIDE // 2 :] == colours[1]).all()
    dog = colours.index(RED)
    assert [made.half(word) for word in ("dog", "running", "bench.", "Man")] == [dog, dog, 1 - dog, 1 - dog]
    assert [made.half(word) for word in ("two", "a", "cat")] == [None] * 3


def test_photos_that_share_a_word_are_never_put_together():
    given = samples((RED, ["A dog runs"]), (BLUE, ["dogs sleep"]), (GREEN, ["a man sings"]))
    assert all("2" in made.sources for made in montages(given, 20))


def test_the_draw_is_the_seeds():
    given = samples(*[(RED, [word]) for word in ("dog", "cat", "man", "bus", "tree", "ball")])
    drawn = [[made.sources for made in montages(given, 9, seed)] for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_too_few_unlike_photos_are_refused():
    for given in (samples((RED, ["A dog"]), (BLUE, ["dogs"])), samples((RED, ["A dog"])), []):
        with pytest.raises(InputError, match=r"give 0 unlike pairs, not 2; give more photos"):
            montages(given, 2)
