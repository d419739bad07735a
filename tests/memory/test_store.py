"""The fold follows the archive: whoever adds, however often it is opened, killed or damaged, all come to one state.

p tokens per item   s slots   r ring   d width   k key width
"""

import hashlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch

from mm_memgpt.memory import store as module
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.cache import NAME, Cache
from mm_memgpt.memory.folded import Folded, features_of
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.store import Store
from mm_memgpt.types import InputError, MemoryState

S, R, P, D, K = 8, 3, 3, 8, 5
BANK = MemoryBank(slots=S, ring=R, tokens=P, width=D, key_width=K)

WRITER = """
import hashlib, sys
import numpy as np
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.item import Item, new_id
from mm_memgpt.memory.store import Store

address, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(seed)
bank = MemoryBank(slots=8, ring=3, tokens=3, width=8, key_width=5)
with Store.open(address, bank=bank, fingerprint="f") as store:
    for number in range(count):
        key = random.normal(size=5)
        fields = {
            "source": f"/writer {seed}/{number}", "modality": "image", "created": 1.0, "start": number, "end": number,
            "key": (key / np.linalg.norm(key)).astype(np.float16), "mask": np.ones(3, bool),
            "tokens": random.normal(size=(3, 8)).astype(np.float16), "text": f"writer {seed} wrote {number}",
        }
        store.add([Item(id=new_id(), **fields)])
    if sys.stdin.readline():
        print(hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in store.state())).hexdigest(), flush=True)
"""


def opened(folder, **options) -> Store:
    return Store.open(folder, bank=BANK, fingerprint="f", **options)


def digest(state: MemoryState) -> str:
    return hashlib.sha256(b"".join(tensor.contiguous().numpy().tobytes() for tensor in state)).hexdigest()


def written(items: list[Item]) -> MemoryState:
    """What writing them into the bank makes, sources being numbered as they come."""
    names = list(dict.fromkeys(item.source for item in items))
    features = features_of(items, [names.index(item.source) for item in items])
    return BANK.write(BANK.empty(dtype=torch.float64), features)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "trip.memory"


@pytest.fixture
def store(folder):
    with opened(folder, create=True) as store:
        yield store


def test_the_state_is_what_writing_the_items_in_commit_order_makes(store, folder, moments):
    items = moments(40, P, D, K, of=3)
    for start, end in ((0, 1), (1, 2), (2, 30), (30, 40)):
        store.add(items[start:end])
        assert digest(store.state()) == digest(written(items[:end]))
    assert list(store.names) == list(dict.fromkeys(item.source for item in items))
    assert sorted(item for slot in range(S) for item in store.ledger.members(slot)) == sorted(i.id for i in items)
    assert all(check.passed for check in store.verify())
    store.close()
    with opened(folder) as again:
        assert digest(again.state()) == digest(written(items))


def test_opening_again_reads_only_what_came_since(store, folder, moments, monkeypatch):
    items = moments(30, P, D, K)
    store.add(items[:20])
    store.close()
    with opened(folder) as other:
        other.archive.add(items[20:])  # and is gone before it folded anything
    folded = []
    monkeypatch.setattr(Folded, "_fold", lambda self, rows, fold=Folded._fold: (folded.extend(rows), fold(self, rows)))
    with opened(folder) as again:
        assert digest(again.state()) == digest(written(items))
    assert [row.item.id for row in folded] == [item.id for item in items[20:]]


@pytest.mark.parametrize("harm", ["missing", "cut", "flipped", "of another memory"])
def test_a_cache_that_cannot_be_used_is_made_anew_without_a_word(store, folder, moments, tmp_path, harm, capfd):
    items = moments(30, P, D, K)
    store.add(items)
    store.close()
    cache = folder / "bank" / NAME
    content = bytearray(cache.read_bytes())
    if harm == "missing":
        cache.unlink()
    elif harm == "cut":
        cache.write_bytes(content[: len(content) // 2])
    elif harm == "flipped":
        content[len(content) // 2] ^= 1
        cache.write_bytes(content)
    else:
        with opened(tmp_path / "other", create=True) as other:
            other.add(moments(30, P, D, K, seed=1))
        cache.write_bytes((tmp_path / "other" / "bank" / NAME).read_bytes())
    with opened(folder) as again:
        assert digest(again.state()) == digest(written(items))
        assert all(check.passed for check in again.verify())
    with opened(folder) as again:
        assert Cache(again.files, BANK).load() is not None
    assert capfd.readouterr() == ("", "")


def test_rows_that_went_away_behind_its_back_are_noticed_at_the_next_opening(store, folder, moments):
    items = moments(30, P, D, K)
    store.add(items)
    store.close()
    with opened(folder) as other:
        other.archive.delete([items[4].id])
    with opened(folder) as again:
        assert digest(again.state()) == digest(written(items[:4] + items[5:]))


def test_read_only_nothing_is_written_and_what_others_add_is_seen(store, folder, moments):
    items = moments(30, P, D, K)
    store.add(items[:20])
    store.close()
    (folder / "bank" / NAME).unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with opened(folder, read_only=True) as reader:
        assert digest(reader.state()) == digest(written(items[:20]))
        for refused in (lambda: reader.forget([items[0].id], source_name="a"), reader.rebuild):
            with pytest.raises(InputError, match="opened read-only; open it for writing to"):
                refused()
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
        with opened(folder) as writer:
            writer.add(items[20:])
        assert digest(reader.state()) == digest(written(items))


def test_two_that_add_in_turn_are_in_one_state_and_each_sees_what_the_other_forgets(store, folder, moments):
    items = moments(40, P, D, K)
    with opened(folder) as other:
        for number, item in enumerate(items):
            (store, other)[number % 2].add([item])
            if number % 7 == 0:
                assert digest(store.state()) == digest(other.state())
        store.forget([items[3].id, items[39].id], source_name="a")
        assert digest(store.state()) == digest(other.state()) != digest(written(items))
        assert other.ledger.slot_of(items[3].id) is None
        more = moments(9, P, D, K, seed=1)
        other.add(more)
        other.forget([more[1].id], source_name="b")
        assert digest(store.state()) == digest(other.state())
        assert all(check.passed for check in store.verify())


@pytest.mark.slow
def test_two_processes_add_at_once_and_end_in_one_state(store, folder):
    command = [sys.executable, "-c", WRITER, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, str(seed), "25"], **pipes) for seed in (1, 2)]
    for _ in range(50):
        store.state()  # and one reads meanwhile
        if len(store.ledger) == 50:
            break
        threading.Event().wait(0.5)
    ends = [writer.communicate("state\n", timeout=120)[0].strip() for writer in writers]
    assert len(store.ledger) == len(store.archive) == 50
    last = digest(store.state())
    assert last in ends, "the one that ended last saw all"
    with opened(folder) as again:
        assert digest(again.state()) == last
        assert all(check.passed for check in again.verify())


def test_an_item_that_does_not_fit_is_refused_before_it_is_kept(store, moments):
    [item] = moments(1, P, D, K)
    bad = Item(**{**vars(item), "tokens": np.full((P, D), np.inf, np.float16)})
    with pytest.raises(ValueError, match="holds NaN or infinity in its tokens or key"):
        store.add([item, bad])
    assert len(store.archive) == 0
    store.add([])
    assert int(store.state().items.sum()) == 0


def test_saving_grows_rarer_so_that_it_stays_constant_per_item(store, moments, monkeypatch):
    monkeypatch.setattr(module, "FOLD_EVERY", 4)
    monkeypatch.setattr(module, "SAVE_EVERY", 8)
    saved = []
    monkeypatch.setattr(Cache, "save", lambda self, folded, *_: saved.append(len(folded.ledger)))
    for item in moments(160, P, D, K):
        store.add([item])
    assert saved[:4] == [8, 16, 24, 32]
    assert all(later - earlier >= max(8, earlier // 8) for earlier, later in pairwise(saved))
    assert saved[-1] - saved[-2] > 8


def test_with_no_room_for_the_cache_the_memory_goes_on(store, folder, moments, monkeypatch):
    def full(*_: object) -> None:
        raise InputError("no room")

    items = moments(20, P, D, K)
    store.add(items)
    monkeypatch.setattr(Cache, "save", full)
    store.close()
    with opened(folder) as again:
        assert digest(again.state()) == digest(written(items))


def test_threads_read_while_one_adds(store, moments):
    items, wrong, stop = moments(60, P, D, K), [], threading.Event()
    store.add(items[:6])

    def read() -> None:
        while not stop.is_set():
            state = store.state()
            held = int(state.items.sum())
            if digest(state) != digest(written(items[:held])):
                wrong.append(held)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(6, 60, 6):
        store.add(items[start : start + 6])
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert int(store.state().items.sum()) == 60


def test_rebuilding_folds_what_is_there_anew(store, moments):
    items = moments(40, P, D, K)
    store.add(items)
    store.forget([item.id for item in items[:30:2]], source_name="a")
    remaining = [item for number, item in enumerate(items) if number >= 30 or number % 2]
    assert store.state().items.tolist() != written(remaining).items.tolist()
    store.rebuild()
    state = written(remaining)
    assert digest(store.state()) == digest(state)


def test_verify_says_where_a_fold_is_wrong(store, moments):
    items = moments(20, P, D, K)
    store.add(items)
    state = store.state()
    sums = state.sums.clone()
    sums[0, 1, 0, 0] += 2**-24
    store._folded.state = state._replace(sums=sums)
    [ledger, slots, intent] = store.verify()
    assert (ledger.passed, slots.passed, intent.passed) == (True, False, True)
    assert slots.figure == "8 slots; sums differs"


def test_another_process_comes_to_the_same_bits(store, folder, moments):
    store.add(moments(30, P, D, K))
    store.close()
    script = [sys.executable, "-c", WRITER, str(folder), "1", "0"]
    there = subprocess.run(script, input="state\n", capture_output=True, text=True, check=True, env=os.environ)
    with opened(folder) as again:
        assert digest(again.state()) == there.stdout.strip()


@pytest.fixture
def bucket(monkeypatch) -> Iterator[str]:
    """The address of an object store on loopback."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    urlopen(Request(f"{endpoint}/bucket", method="PUT"))
    yield "s3://bucket/trip.memory"
    server.stop()


def test_in_an_object_store_it_is_the_same_memory(bucket, moments):
    items = moments(30, P, D, K)
    with opened(bucket, create=True) as store, opened(bucket) as other:
        store.add(items[:20])
        other.add(items[20:])
        assert digest(store.state()) == digest(other.state()) == digest(written(items))
        receipt = store.forget([items[4].id, items[29].id], source_name="a")
        assert all(check.passed for check in receipt.checks)
        state = store.state()
        assert digest(other.state()) == digest(state)
    with opened(bucket, read_only=True) as again:
        assert digest(again.state()) == digest(state)
        assert all(check.passed for check in again.verify())
