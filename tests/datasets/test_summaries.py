"""A whole scene in one sentence: in order, what shares a moment together."""

from random import Random

import pytest

from mm_memgpt.datasets.notes import Note
from mm_memgpt.datasets.scenes import Item, Scene, make_scene
from mm_memgpt.datasets.summaries import LONGEST, summarise
from mm_memgpt.datasets.templates import SOUNDS


def test_each_item_is_told_once_in_order(pools):
    rooster = next(sound for sound in pools.sounds if sound.label == "rooster")
    seven = next(digit for digit in pools.digits if digit.label == "7")
    scene = Scene(
        (
            Item(1.0, 6.0, photo=pools.photos[0]),
            Item(1.0, 6.0, sound=rooster),
            Item(9.0, 9.5, digit=seven),
            Item(12.0, 13.0, note=Note("the code of the red box is two")),
        ),
        pools,
    )
    told = {summarise(scene, lambda photo: "A dog runs .", Random(number)) for number in range(40)}
    ways = SOUNDS["rooster"].sentences
    tail = ", then someone says seven, then a note says that the code of the red box is two."
    assert told == {f"A dog runs and {way}{tail}" for way in ways}


def test_a_scene_of_many_items_is_refused(pools):
    scene = next(each for number in range(99) if len((each := make_scene(Random(f"{number}"), pools)).items) > LONGEST)
    with pytest.raises(ValueError, match=f"too many for a sentence; take at most {LONGEST}"):
        summarise(scene, str, Random(0))
