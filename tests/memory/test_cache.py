"""A saved fold comes back to the bit, and one that is not what was saved is as good as none.

p tokens per item   s slots   r ring   d width   k key width
"""

import os

import numpy as np
import pytest

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.beside import FOLDER, Beside
from mm_memgpt.memory.cache import NAME, Cache
from mm_memgpt.memory.folded import Folded
from mm_memgpt.memory.item import Stored
from mm_memgpt.types import InputError

S, R, P, D, K = 7, 2, 3, 4, 5
BANK = MemoryBank(slots=S, ring=R, tokens=P, width=D, key_width=K)


@pytest.fixture
def folded(moments) -> Folded:
    folded = Folded(BANK)
    folded.fold(Stored(3 * order, item) for order, item in enumerate(moments(20, P, D, K, of=3)))
    return folded


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(Beside(str(tmp_path)), BANK)


@pytest.fixture
def path(tmp_path, cache, folded):
    cache.save(folded, "lineage")
    return tmp_path / FOLDER / NAME


def test_what_was_saved_comes_back_to_the_bit_and_goes_on(cache, folded, path, moments):
    back = cache.load()
    assert (back.lineage, back.folded.reached) == ("lineage", 57)
    more = [Stored(100 + order, item) for order, item in enumerate(moments(9, P, D, K, seed=1))]
    for one in (folded, back.folded):
        one.fold(more)
    for one, other in zip(folded.state, back.folded.state, strict=True):
        assert one.dtype == other.dtype
        assert one.numpy().tobytes() == other.numpy().tobytes()
    assert np.array_equal(folded.ledger.slots(), back.folded.ledger.slots())
    assert folded.ledger.ids() == back.folded.ledger.ids()
    assert list(folded.names) == list(back.folded.names)


def test_an_empty_fold_and_odd_names_are_kept(cache, moments):
    cache.save(Folded(BANK), "")
    assert len(cache.load().folded.ledger) == 0
    folded, [item] = Folded(BANK), moments(1, P, D, K, place='a "ü\n\\')
    folded.fold([Stored(0, item)])
    cache.save(folded, "")
    assert list(cache.load().folded.names) == [item.source]


def test_a_damaged_file_is_no_cache(cache, path):
    whole = path.read_bytes()
    for at in (0, 40, 300, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert cache.load() is None
    for content in (b"", whole[:-1], whole[:31], b"x" * 500):
        path.write_bytes(content)
        assert cache.load() is None
    path.write_bytes(whole)
    assert cache.load() is not None
    path.unlink()
    assert cache.load() is None


def test_another_banks_cache_is_none(tmp_path, path):
    other = MemoryBank(slots=S, ring=R + 1, tokens=P, width=D, key_width=K)
    assert Cache(Beside(str(tmp_path)), other).load() is None


def test_a_stamp_changes_with_every_save(cache, folded, path):
    stamps = [cache.stamp()]
    for _ in range(5):
        cache.save(folded, "lineage")
        stamps.append(cache.stamp())
    assert len({*stamps}) == 6
    path.unlink()
    assert cache.stamp() is None


def test_a_failed_save_leaves_the_old_one_and_the_next_sweeps_up(cache, folded, path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    whole = path.read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(
            InputError, match=r"bank/fold cannot be written \(No space left on device\); free some room"
        ):
            cache.save(folded, "other")
    assert path.read_bytes() == whole
    (path.parent / ".fold.left").write_bytes(b"half, by a process that was killed")
    cache.save(folded, "other")
    assert os.listdir(path.parent) == [NAME]
