"""What is searched by key, by words, or by both is found, within the filter that is given and only there."""

import numpy as np
import pytest

from mm_memgpt.memory import archive_upkeep
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import Shape
from mm_memgpt.memory.archive_search import fuse
from mm_memgpt.memory.where import Where

SHAPE = Shape(tokens=3, width=4, key_width=5)
ODD = ("it's", 'a "b"\n; --', "\\'", "100%_é", "' OR 1=1 --", "`end`")
"""Names that are trouble where a filter is put together carelessly."""


@pytest.fixture
def archive(tmp_path):
    with Archive.open(tmp_path / "trip.memory", shape=SHAPE, fingerprint="nano 1", create=True) as archive:
        yield archive


def starts(found) -> list[float]:
    return [one.item.start - 1.79e9 for one in found]


def test_by_key_the_nearest_come_first_with_their_cosines(archive, item):
    items = [item(number) for number in range(40)]
    archive.add(items)
    query = item(77).key
    cosines = np.array([np.float64(one.key) @ np.float64(query) for one in items])
    cosines /= [np.linalg.norm(np.float64(one.key)) * np.linalg.norm(np.float64(query)) for one in items]
    found = archive.search(key=query, k=7)
    assert [one.item.id for one in found] == [items[at].id for at in np.argsort(-cosines)[:7]]
    assert [one.cosine for one in found] == pytest.approx(sorted(cosines, reverse=True)[:7], abs=1e-6)
    assert not any(one.by_text for one in found)
    assert [one.score for one in found] == [1 / (60 + rank) for rank in range(1, 8)]


@pytest.mark.parametrize("indexed", [False, True])
def test_by_words_those_that_say_them_come_first_new_ones_too(archive, item, indexed):
    archive.add([item(0, text="A brown dog runs."), item(1, text="Two dogs, and a bell"), item(2), item(3, text="")])
    if indexed:
        archive.optimize()
    archive.add([item(4, text="a bell\nrings")])
    found = archive.search(text="bells?")
    assert sorted(starts(found)) == [1, 4]
    assert all(one.by_text and one.cosine is None for one in found)
    assert starts(archive.search(text="DOG's (bell) AND \"two", k=1)) == [1]  # words, never a language of queries
    assert archive.search(text="the of and") == archive.search(text="") == archive.search(text="?!'\"") == []


def test_what_is_well_placed_in_both_lists_comes_first(archive, item):
    archive.add(item(number, text="a numbat" if number == 5 else "") for number in range(9))
    near = archive.search(key=item(77).key, k=9)
    both = archive.search(key=item(77).key, text="numbat", k=9)
    place = starts(near).index(5)
    assert place > 0
    assert starts(both) == [5, *(start for start in starts(near) if start != 5)]
    assert both[0].score == pytest.approx(1 / 61 + 1 / (61 + place))
    assert [one.by_text for one in both] == [True] + [False] * 8
    assert all(one.cosine is not None for one in both)


def test_ranks_are_fused_and_of_two_alike_the_newer_comes_first():
    assert list(fuse([3, 1, 2], [2, 7])) == [2, 3, 7, 1]
    assert fuse([3, 1], [1, 3]) == {3: 1 / 61 + 1 / 62, 1: 1 / 61 + 1 / 62}
    assert list(fuse([3, 1], [1, 3])) == [3, 1]
    assert fuse([], []) == {}


def test_fewer_items_than_asked_for_are_all_that_come(archive, item):
    archive.add(item(number) for number in range(3))
    assert len(archive.search(key=item(0).key, text="numbat2", k=100)) == 3
    assert archive.search(key=item(0).key, where=Where(source="nobody")) == []


def test_a_filter_lets_through_only_what_it_says_in_search_and_find(archive, item):
    items = [item(number) for number in range(12)]
    archive.add(items)
    start = 1.79e9
    for where, due in (
        (Where(), range(12)),
        (Where(source="note"), (2, 5, 8, 11)),
        (Where(source=("note", "/photos/dog.jpg"), modality="image"), (0, 3, 6, 9)),
        (Where(modality=("image", "audio")), (0, 1, 3, 4, 6, 7, 9, 10)),
        (Where(start=start + 9.25), (9, 10, 11)),
        (Where(start=start + 9.26), (10, 11)),
        (Where(end=start + 2), (0, 1, 2)),
        (Where(start=start + 3, end=start + 5, modality="text"), (5,)),
        (Where(ids=(items[7].id, items[3].id)), (3, 7)),
        (Where(ids=(items[7].id,), source="note"), ()),
        (Where(ids=()), ()),
        (Where(source=()), ()),
    ):
        assert [one for _, one in archive.find(where)] == [items[number].id for number in due]
        assert sorted(starts(archive.search(key=item(77).key, k=12, where=where))) == list(due)
        text = [number for number in due if number % 3 == 2]
        assert sorted(starts(archive.search(text="sleeps", k=12, where=where))) == text


def test_a_source_may_have_any_name(archive, item):
    archive.add(item(number, source=name) for number, name in enumerate(ODD))
    for number, name in enumerate(ODD):
        assert starts(archive.search(key=item(9).key, where=Where(source=name))) == [number]
        assert len(archive.find(Where(source=(name, "no one")))) == 1
    assert list(archive.sources()) == list(ODD)


def test_an_unknown_modality_is_refused():
    with pytest.raises(ValueError, match="unknown modality smell; known are image, audio, text"):
        Where(modality=("image", "smell"))


def test_a_search_for_nothing_is_refused(archive):
    with pytest.raises(ValueError, match="give a key, a text, or both"):
        archive.search()
    with pytest.raises(ValueError, match=r"key has shape \(4,\), where this memory has \(5,\)"):
        archive.search(key=np.ones(4, np.float16))
    with pytest.raises(ValueError, match="k is 0; ask for 1 or more"):
        archive.search(text="dog", k=0)


def test_with_an_index_of_keys_new_items_are_found_and_deleted_ones_are_not(archive, item, monkeypatch):
    monkeypatch.setattr(archive_upkeep, "FROM", 300)
    items = [item(number) for number in range(320)]
    archive.add(items)
    archive.optimize()
    assert {index.index_type for index in archive._view.table.list_indices()} == {"FTS", "IvfSq"}
    archive.add([item(400)])
    archive.delete([items[7].id])
    assert starts(archive.search(key=item(400).key, k=1)) == [400]
    assert 7 not in starts(archive.search(key=items[7].key, k=320))
    hits = sum(starts(archive.search(key=items[number].key, k=1)) == [number] for number in range(100, 150))
    assert hits >= 48
