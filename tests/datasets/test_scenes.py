"""Scenes are in order of time, of every size, share moments, repeat themselves, and are the same everywhere."""

from collections import Counter
from hashlib import blake2b
from itertools import pairwise
from random import Random

import pytest

from mm_memgpt.datasets.notes import Note
from mm_memgpt.datasets.scenes import GAP, SIZES, Item, Scene, make_scene, stretched, without

MANY = 300


def scenes(pools) -> list[Scene]:
    return [make_scene(Random(f"scene {number}"), pools) for number in range(MANY)]


def test_scenes_have_two_to_ten_items_each_of_one_kind(pools):
    made = scenes(pools)
    assert {len(scene.items) for scene in made} == set(SIZES) == set(range(2, 11))
    for scene in made:
        places = [*scene.photos, *scene.sounds, *scene.digits, *scene.notes]
        assert sorted(places) == list(range(len(scene.items)))


def test_items_come_in_order_and_share_a_moment_only_as_photo_and_sound(pools):
    shared = 0
    for scene in scenes(pools):
        for place, (item, then) in enumerate(zip(scene.items, scene.items[1:], strict=False)):
            assert 0 < item.start < item.end
            if scene.beside(place) == place + 1:
                assert (item.photo is not None, then.sound is not None) == (True, True)
                assert (item.start, item.end) == (then.start, then.end) == (item.start, item.start + then.sound.seconds)
                assert scene.beside(place + 1) == place
                shared += 1
            else:
                assert GAP[0] - 0.01 <= then.start - item.end <= GAP[1] + 0.01
    assert shared > MANY / 2


def test_no_photo_comes_twice_and_no_question_has_two_notes(pools):
    for scene in scenes(pools):
        rows = [scene.items[place].photo.row for place in scene.photos]
        asked = [scene.items[place].note.question for place in scene.notes if scene.items[place].note.value]
        assert len(set(rows)) == len(rows)
        assert len(set(asked)) == len(asked)


def test_things_and_sounds_come_again(pools):
    made = scenes(pools)
    labels = [Counter(scene.items[place].sound.label for place in scene.sounds) for scene in made]
    assert sum(max(found.values(), default=0) > 1 for found in labels) > MANY / 6
    assert sum(len(scene.shown("dog") or ()) > 1 for scene in made) > MANY / 20


def test_what_is_shown_is_unknown_where_a_photo_leaves_it_open(pools):
    man, somebody, dog = (
        next(photo for photo in pools.photos if match(photo.facts))
        for match in (
            lambda facts: facts.named == {"man"},
            lambda facts: facts.named == {"umbrella"} and "man" in facts.open,
            lambda facts: facts.named == {"dog"},
        )
    )
    rooster = next(sound for sound in pools.sounds if sound.label == "rooster")
    items = [Item(1.0, 2.0, photo=man), Item(5.0, 9.0, photo=dog), Item(5.0, 9.0, sound=rooster)]
    scene = Scene((*items, Item(11.0, 12.0, note=Note("a man"))), pools)
    assert (scene.shown("man"), scene.shown("dog"), scene.shown("cat")) == ([0], [1], [])
    assert (scene.heard("rooster"), scene.heard("rain"), scene.beside(1), scene.beside(0)) == ([2], [], 2, None)
    open_scene = Scene((*items, Item(11.0, 12.0, photo=somebody)), pools)
    assert (open_scene.shown("man"), open_scene.shown("dog")) == (None, [1])


def test_a_scene_is_the_same_in_every_process(pools):
    told = "\n".join(
        f"{item.start!r} {item.end!r} {[each.row for each in item[2:5] if each]} {item.note and item.note.text}"
        for scene in scenes(pools)[:50]
        for item in scene.items
    )
    assert blake2b(told.encode(), digest_size=8).hexdigest() == "4f11a881c118cebc"


def test_without_an_item_the_others_stay_as_they_were(pools):
    scene = make_scene(Random("one"), pools)
    kept = without(scene, [0])
    assert kept.items == scene.items[1:]
    with pytest.raises(ValueError, match=rf"nothing is left of {len(scene.items)} items; leave one"):
        without(scene, range(len(scene.items)))


def test_a_stretched_scene_has_longer_gaps_the_same_moments_and_the_same_lengths(pools):
    for number in range(40):
        scene = make_scene(Random(f"scene {number}"), pools)
        longer = stretched(scene, 3.0)
        for before, after in zip(scene.items, longer.items, strict=True):
            assert after.end - after.start == pytest.approx(before.end - before.start)
            assert after._replace(start=0, end=0) == before._replace(start=0, end=0)
        for one, other in pairwise(range(len(scene.items))):
            assert longer.beside(one) == scene.beside(one)
            gaps = [each.items[other].start - each.items[one].end for each in (scene, longer)]
            if scene.items[one].start != scene.items[other].start:
                assert gaps[1] == pytest.approx(3 * gaps[0])
