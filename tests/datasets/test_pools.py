"""Pools draw rare things more often than they are, know how often, and keep the parts' rows apart."""

import pickle
from collections import Counter
from dataclasses import replace
from math import sqrt
from random import Random

import pytest

from mm_memgpt.datasets.pools import PARTS, PLAIN, Photo, Pools, Row, read_pools
from mm_memgpt.datasets.things import PEOPLE, SCENERY, THINGS, facts
from mm_memgpt.types import InputError


def with_photos(pools: Pools, **counts: int) -> Pools:
    written = [[f"A {thing} ."] * 5 for thing, count in counts.items() for _ in range(count)]
    return replace(pools, photos=tuple(Photo(Row("p", n), facts(each)) for n, each in enumerate(written)))


def test_rare_things_are_drawn_by_the_root_of_their_number(pools):
    pools, generator = with_photos(pools, dog=64, guitar=16, umbrella=4), Random("rare")
    drawn = Counter(pools.draw_photo(generator).facts.what for _ in range(8000))
    for thing, count in (("dog", 64), ("guitar", 16), ("umbrella", 4)):
        chance = PLAIN * count / 84 + (1 - PLAIN) * sqrt(count) / 14
        assert abs(drawn[thing] / 8000 - chance) < 0.02
        assert pools.rates[thing] == pytest.approx((chance, chance))
    assert {pools.draw_photo(generator, "umbrella").facts.what for _ in range(9)} == {"umbrella"}


def test_rates_tell_certain_from_possible(pools):
    generator = Random("rates")
    photos = [pools.draw_photo(generator) for _ in range(6000)]
    for thing in ("man", "woman", "dog", "umbrella", "horse"):
        for rate, fact in zip(pools.rates[thing], ("named", "open"), strict=True):
            assert abs(sum(thing in getattr(photo.facts, fact) for photo in photos) / 6000 - rate) < 0.02
    assert pools.rates["woman"][0] < pools.rates["woman"][1] - 0.1  # a man, or somebody, leaves her open
    assert pools.rates["tree"][1] == pytest.approx(1)


def test_pools_travel_as_a_few_places(pools):
    copy = pickle.loads(pickle.dumps(pools))
    assert copy == pools
    assert copy.draw_photo(Random(3)) == pools.draw_photo(Random(3))


@pytest.mark.parametrize(
    ("lack", "what"),
    [
        ({"photos": 9}, "10 photos"),
        ({"sounds": 9}, "a sound of fire_crackling"),
        ({"digits": 0}, "a spoken digit"),
        ({"sentences": 0}, "a sentence"),
    ],
)
def test_too_little_for_a_scene_says_of_what(pools, lack, what):
    with pytest.raises(InputError, match=f"pools for scenes need {what}; add more rows"):
        replace(pools, **{name: getattr(pools, name)[:count] for name, count in lack.items()})


def test_an_unknown_part_is_refused(tmp_path):
    with pytest.raises(InputError, match="'dev' is no part; known: train, val, test"):
        read_pools(tmp_path, "dev")
    with pytest.raises(InputError, match="no such file"):
        read_pools(tmp_path, "val")


@pytest.mark.data
def test_the_parts_of_the_projects_data_share_no_item(data_folder):
    every = {part: read_pools(data_folder, part) for part in PARTS}
    for name in ("photos", "sounds", "digits"):
        rows = [{each.row for each in getattr(pools, name)} for pools in every.values()]
        assert min(map(len, rows)) >= 80
        assert len(set().union(*rows)) == sum(map(len, rows))
    notes = [set(pools.sentences) for pools in every.values()]
    assert max(Counter(text for part in notes for text in part).values()) == 1
    known = {*PEOPLE, *THINGS, *SCENERY}
    assert all(known >= set(pools.shown) for pools in every.values())
    assert len(every["train"].shown) > 80
    assert [len(pools.sounds) for pools in every.values()] == [160, 80, 80]
    with pytest.raises(InputError, match="a sound of dog_bark"):
        read_pools(data_folder, "val", folds=[7])
