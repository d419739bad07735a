"""What is forgotten is gone everywhere, to the bit and to the byte, and a failure anywhere is an error made good later.

Notable: the search of the files in these tests is a plain one, and not the one under test.

p tokens per item   s slots   r ring   d width   k key width
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.beside import Beside
from mm_memgpt.memory.cache import Cache
from mm_memgpt.memory.folded import Folded
from mm_memgpt.memory.forgetting import Intent
from mm_memgpt.memory.item import Item, Stored
from mm_memgpt.memory.store import Store, differing
from mm_memgpt.types import InputError, MemoryState

S, R, P, D, K = 8, 3, 3, 8, 16
BANK = MemoryBank(slots=S, ring=R, tokens=P, width=D, key_width=K)

STEPS = {
    "nothing is deleted yet": (Archive, "delete"),
    "deleted": (Folded, "take_out"),
    "subtracted": (Cache, "save"),
    "saved": (Archive, "purge"),
    "purged": (Store, "_search"),
    "verified": (Beside, "remove"),
}
"""What has been done when it fails, and what it fails in."""

KILLED = """
import os, signal, sys
from mm_memgpt.memory import archive, beside, cache, folded, store

address, module, owner, step, *ids = sys.argv[1:]
bank = store.MemoryBank(slots=8, ring=3, tokens=3, width=8, key_width=16)
memory = store.Store.open(address, bank=bank, fingerprint="f")
memory.state()
of = getattr(sys.modules[module], owner)
done = getattr(of, step)

def kill(*given, **named):
    if memory.files.read("intent") is None:
        return done(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(of, step, kill)
memory.forget(ids, source_name="")
"""

WRITER = """
import sys, time
import numpy as np
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.item import Item, new_id
from mm_memgpt.memory.store import Store

random, number = np.random.default_rng(9), 0
bank = MemoryBank(slots=8, ring=3, tokens=3, width=8, key_width=16)
with Store.open(sys.argv[1], bank=bank, fingerprint="f") as store:
    while not os.path.exists(sys.argv[2]):
        number += 1
        key = random.normal(size=16)
        fields = {
            "source": f"/the writer/{number}", "modality": "image", "start": number, "end": number, "created": 1.0,
            "key": (key / np.linalg.norm(key)).astype(np.float16), "mask": np.ones(3, bool),
            "tokens": random.normal(size=(3, 8)).astype(np.float16), "text": f"another hand wrote page{number}",
        }
        store.add([Item(id=new_id(), **fields)])
        store.state()
        time.sleep(0.05)
    print(number)
""".replace("import sys,", "import os, sys,")


def opened(folder, **options) -> Store:
    return Store.open(folder, bank=BANK, fingerprint="f", **options)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "trip.memory"


@pytest.fixture
def store(folder, moments):
    """A memory of 40 items, two of each source."""
    with opened(folder, create=True) as store:
        store.add(moments(25, P, D, K, of=2))
        store.add(moments(15, P, D, K, of=2, seed=1))
        yield store


def items_of(store: Store, *sources: int) -> list[Item]:
    return [row.item for row in store.archive.since() if int(row.item.source.split()[1][:-4]) in sources]


def replayed(store: Store, gone: list[Item]) -> MemoryState:
    """What the recorded assignment comes to without some items."""
    rows = list(store.archive.since())
    folded = Folded(BANK, store.state(), store.ledger, store.names, rows[-1].order)
    folded.strike(item.id for item in gone)
    return folded.replay(rows)


def in_files(folder: Path, items: list[Item]) -> set[str]:
    """What of some items is in some file of a folder."""
    content = b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    found = set()
    for item in items:
        real = item.tokens[item.mask][0]
        places = {
            "name": [item.source.encode(), item.source.split("/")[-1].encode()],
            "text": [item.text.encode()],
            "tokens": [real.tobytes(), real.astype(np.float64).tobytes()],
            "key": [item.key.tobytes(), item.key.astype(np.float64).tobytes()],
            "preview": [item.preview],
        }
        found |= {kind for kind, parts in places.items() if any(part and part in content for part in parts)}
    return found


ALL = {"name", "text", "tokens", "key", "preview"}


def test_a_receipt_says_what_was_searched_and_a_plain_search_agrees(store, folder):
    gone = items_of(store, 4, 1007)
    assert in_files(folder, gone) == ALL, "a search that finds nothing proves nothing"
    expected, ledger = replayed(store, gone), store.ledger
    receipt = store.forget([item.id for item in gone], source_name=gone[0].source)
    assert in_files(folder, gone) == set()
    assert differing(store.state(), expected) == []
    assert (receipt.source, receipt.items, receipt.rebuilt) == (gone[0].source, 3, False)
    assert receipt.slots == tuple(sorted({ledger.slot_of(item.id) for item in gone}))
    assert receipt.emptied == tuple(slot for slot in receipt.slots if not expected.items[0, slot])
    assert ledger.slot_of(gone[-1].id) in receipt.emptied, "the newest lies alone in the ring"
    assert {check.name: check.passed for check in receipt.checks} == dict.fromkeys(
        ["table", "vector search", "text search", "ledger", "cache", *(f"bytes of {kind}" for kind in ALL)], True
    )
    figures = {check.name: check.figure for check in receipt.checks}
    assert figures["table"] == "0 of 3 rows are there"
    assert figures["vector search"] == "0 of 3 searches found some of it (3 before)"
    assert figures["bytes of name"] == "0 of 2 stretches (2 before)"
    values = json.loads(receipt.to_json())
    assert values["slots"] == list(receipt.slots)
    assert values["checks"][0] == {"name": "table", "passed": True, "figure": "0 of 3 rows are there"}
    assert receipt.seconds > 0


def test_what_is_forgotten_is_found_no_more_and_the_rest_is(store):
    [gone, kept] = [item for item in items_of(store, 5, 6) if item.text][:2]
    assert store.archive.search(text=gone.text, k=1)[0].item.id == gone.id
    store.forget([gone.id], source_name=gone.source)
    for query in ({"key": gone.key}, {"text": gone.text}):
        assert gone.id not in {hit.item.id for hit in store.archive.search(**query, k=39)}
    assert store.archive.search(text=kept.text, k=1)[0].item.id == kept.id
    assert store.archive.search(key=kept.key, k=1)[0].item.id == kept.id
    assert store.ledger.slot_of(gone.id) is None
    assert all(check.passed for check in store.verify())


def test_the_memory_goes_on_after_forgetting(store, folder, moments):
    gone = items_of(store, 3)
    store.forget([item.id for item in gone], source_name=gone[0].source)
    assert gone[0].source not in list(store.names)
    more = moments(12, P, D, K, seed=2)
    store.add(more)
    state = store.state()
    store.close()
    with opened(folder) as again:
        assert differing(again.state(), state) == []
        assert int(state.items.sum()) == 50
        assert all(check.passed for check in again.verify())


def test_rebuilding_folds_anew_what_remains(store):
    gone = items_of(store, 0, 1, 2, 3, 4)
    receipt = store.forget([item.id for item in gone], source_name="a", rebuild=True)
    anew = Folded(BANK)
    anew.fold(store.archive.since())
    assert receipt.rebuilt
    assert differing(store.state(), anew.state) == []


def test_everything_can_be_forgotten(store, folder):
    items = [row.item for row in store.archive.since()]
    receipt = store.forget([item.id for item in items], source_name="all")
    assert receipt.emptied == tuple(range(S))
    assert differing(store.state(), Folded(BANK).state) == []
    assert in_files(folder, items) == set()


def test_what_is_not_there_cannot_be_forgotten(store, folder):
    with pytest.raises(InputError, match=r"a.jpg: not in .*trip.memory; its timeline says what is"):
        store.forget(["0" * 32], source_name="a.jpg")
    assert not (folder / "bank" / "intent").exists()
    assert all(check.passed for check in store.verify())


def test_what_another_item_holds_too_is_that_items_and_stays(store, folder):
    [one, *_] = [item for item in items_of(store, 7, 8) if item.preview]
    twin = Item(**{**vars(one), "id": "f" * 32, "source": "/elsewhere/a copy of it.jpg"})
    store.add([twin])
    receipt = store.forget([one.id], source_name=one.source)
    assert "tokens" in in_files(folder, [one])
    figures = {check.name: check.figure for check in receipt.checks}
    assert figures["bytes of preview"] == "0 of 3 stretches (3 before), 3 that items which stay hold too"
    store.forget([twin.id], source_name=twin.source)
    assert in_files(folder, [one, twin]) == {"name"}, "the source has another item"


def test_what_remains_is_an_error_and_no_receipt_until_it_is_gone(store, folder):
    gone = items_of(store, 6)
    expected = replayed(store, gone)
    (folder / "forgotten.log").write_bytes(b"decoded " + gone[1].tokens.tobytes())
    with pytest.raises(InputError, match=r"trip.memory: something remains \(bytes of tokens: 3 of 1\d stretches \("):
        store.forget([item.id for item in gone], source_name=gone[0].source)
    store.close()
    with pytest.raises(InputError, match="something remains"):
        opened(folder)
    (folder / "forgotten.log").unlink()
    with opened(folder) as again:
        assert again.resumed.items == 2
        assert differing(again.state(), expected) == []
    with opened(folder) as again:
        assert again.resumed is None


def test_a_search_that_would_not_find_it_is_no_proof(store, folder, monkeypatch):
    monkeypatch.setattr(Beside, "files", lambda self: iter(()))
    gone = items_of(store, 6)
    with pytest.raises(
        InputError, match="its files show nothing of what is in them, so a search of them proves nothing"
    ):
        store.forget([item.id for item in gone], source_name=gone[0].source)
    assert len(store.archive) == 40


def test_what_a_killed_writer_left_behind_goes_too(store, folder):
    gone = items_of(store, 6)
    data = next((folder / "items.lance" / "data").iterdir())
    data.with_name("0" * 24 + "0badf00d" * 3 + ".lance").write_bytes(data.read_bytes())
    (folder / "bank").mkdir(exist_ok=True)
    (folder / "bank" / ".fold.0badf00d").write_bytes(data.read_bytes())
    store.forget([item.id for item in gone], source_name=gone[0].source)
    assert in_files(folder, gone) == set()


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_is_an_error_and_is_made_good_at_the_next_opening(
    store, folder, monkeypatch, step, rebuild
):
    if rebuild and step == "deleted":
        return  # nothing is subtracted
    gone, kept = items_of(store, 2, 1006), items_of(store, 9)
    ids, expected = [item.id for item in gone], replayed(store, gone)
    if rebuild:
        anew = Folded(BANK)
        anew.fold(Stored(*row) for row in store.archive.since() if row.item.id not in ids)
        expected = anew.state
    owner, method = STEPS[step]
    with monkeypatch.context() as broken:
        done = getattr(owner, method)

        def fail(self, *given, **named):
            if (folder / "bank" / "intent").exists():
                raise InputError("forced")
            return done(self, *given, **named)

        broken.setattr(owner, method, fail)
        with pytest.raises(InputError, match="forced"):
            store.forget(ids, source_name=gone[0].source, rebuild=rebuild)
    written = (folder / "bank" / "intent").read_bytes()
    assert not any(part in written for part in (b"holiday", b"photo", b"sand", gone[0].tokens.tobytes()))
    assert differing(store.state(), expected) == [], "the memory that failed reads without it already"
    with opened(folder, read_only=True) as reader:
        assert differing(reader.state(), expected) == []
        assert reader.resumed is None
    store.close()
    with opened(folder) as again:
        assert (again.resumed.items, again.resumed.source, again.resumed.rebuilt) == (4, "", rebuild)
        assert all(check.passed for check in again.resumed.checks)
        assert differing(again.state(), expected) == []
        assert in_files(folder, gone) == set()
        assert in_files(folder, kept) == ALL
        assert all(check.passed for check in again.verify())


def test_the_next_forgetting_completes_an_interrupted_one_first(store, folder, monkeypatch):
    one, other = items_of(store, 2), items_of(store, 5)
    expected = replayed(store, one + other)
    with monkeypatch.context() as broken:
        broken.setattr(Archive, "purge", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.forget([item.id for item in one], source_name="one")
    store.forget([item.id for item in other], source_name="other")
    assert differing(store.state(), expected) == []
    assert in_files(folder, one + other) == set()


def test_whoever_has_it_open_forgets_too_even_when_it_was_interrupted(store, folder, monkeypatch):
    one, other = items_of(store, 2), items_of(store, 5)
    with opened(folder) as beside:
        beside.state()
        store.forget([item.id for item in one], source_name="one")
        assert differing(beside.state(), store.state()) == []
        monkeypatch.setattr(Archive, "delete", lambda self, ids: 1 / 0)
        expected = replayed(store, other)
        with pytest.raises(ZeroDivisionError):
            store.forget([item.id for item in other], source_name="other")
        assert differing(beside.state(), expected) == []


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_it_is_made_good_at_the_next_opening(store, folder, step):
    gone = items_of(store, 2, 1006)
    expected = replayed(store, gone)
    store.close()
    owner, method = STEPS[step]
    command = [sys.executable, "-c", KILLED, str(folder), owner.__module__, owner.__name__, method]
    ended = subprocess.run([*command, *(item.id for item in gone)], timeout=300)
    assert ended.returncode == -signal.SIGKILL
    assert Intent.read(Beside(str(folder))) is not None
    with opened(folder) as again:
        assert again.resumed.items == 4
        assert differing(again.state(), expected) == []
        assert in_files(folder, gone) == set()


@pytest.mark.slow
def test_a_hundred_random_forgets_beside_another_writer(folder, moments, tmp_path):
    """Each time the rest is the replay to the bit, and nothing of the source is found by a plain search."""
    random, stop = np.random.default_rng(3), tmp_path / "stop"
    with opened(folder, create=True) as store:
        for seed in range(4):
            store.add(moments(90, P, D, K, of=3, seed=seed))
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(stop)], stdout=subprocess.PIPE, text=True
        )
        try:
            while "/the writer/1" not in list(store.names):
                time.sleep(0.1)
            mine = [name for name in store.names if "/holiday/" in name]
            for source in random.permutation(mine)[:100]:
                with store.archive.turn():  # so that what is replayed is what is forgotten from
                    gone = [row.item for row in store.archive.since() if row.item.source == source]
                    assert in_files(folder, gone) >= {"name", "tokens", "key"}
                    expected = replayed(store, gone)
                    receipt = store.forget([item.id for item in gone], source_name=str(source))
                    assert differing(store.state(), expected) == []
                    assert all(check.passed for check in receipt.checks)
                    assert in_files(folder, gone) == set()
                for item in gone:
                    assert item.id not in {hit.item.id for hit in store.archive.search(key=item.key, text=item.text)}
        finally:
            stop.touch()
            written = int(writer.communicate(timeout=120)[0])
        assert len(store.archive) == 360 - 3 * 100 + written
        state = store.state()
        assert all(check.passed for check in store.verify())
    with opened(folder) as again:
        assert differing(again.state(), state) == []
    assert os.listdir(folder / "bank") == ["fold"]
