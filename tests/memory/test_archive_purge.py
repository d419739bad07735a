"""Purged means gone: no byte of what was deleted is left in any file of the folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from mm_memgpt.memory import archive_upkeep
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import Shape
from mm_memgpt.types import InputError

SHAPE = Shape(tokens=5, width=6, key_width=7)

WRITER = """
import sys
import numpy as np
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.item import Item, new_id
with Archive.open(sys.argv[1]) as archive:
    for number in range(int(sys.argv[2])):
        one = Item(
            id=new_id(), source="other", modality="text", start=0.0, end=1.0, created=0.0, text=f"other {number}",
            key=np.ones(7, np.float16), tokens=np.ones((5, 6), np.float16), mask=np.ones(5, bool),
        )
        archive.add([one])
        print(one.id, flush=True)
"""


@pytest.fixture
def archive(tmp_path):
    with Archive.open(tmp_path / "trip.memory", shape=SHAPE, fingerprint="nano 1", create=True) as archive:
        yield archive


def holders(archive: Archive, needle: bytes) -> list[str]:
    """The files that hold these bytes."""
    return [str(path) for path in Path(archive.address).rglob("*") if path.is_file() and needle in path.read_bytes()]


def traces(archive: Archive, one) -> dict[str, list[str]]:
    """The files that hold a trace of an item."""
    needles = {
        "tokens": one.tokens.tobytes(),
        "key": one.key.tobytes(),
        "text": one.text.encode(),
        "word": one.text.split()[1].encode(),
        "source": one.source.encode(),
        "preview": one.preview,
        "digest": one.digest.encode(),
    }
    return {name: holders(archive, needle) for name, needle in needles.items()}


@pytest.fixture
def secret(item):
    return item(
        1000, SHAPE, source="/home/zyxwvut.jpg", text="the aardvark907 hides", preview=b"\xff\xd8pqrs", digest="d1g3s7"
    )


@pytest.mark.parametrize("when", ["with indexes", "without indexes", "in an old file"])
def test_a_purge_leaves_no_byte_and_the_rest_as_it_was(archive, item, secret, when, monkeypatch):
    if when == "with indexes":
        monkeypatch.setattr(archive_upkeep, "FROM", 300)
    others = [item(number, SHAPE) for number in range(320)]
    archive.add([*others[:200], secret])
    archive.add(others[200:])
    archive.optimize()
    kinds = {index.index_type for index in archive._view.table.list_indices()}
    assert kinds == ({"FTS", "IvfSq"} if when == "with indexes" else {"FTS"})
    if when == "in an old file":
        archive.purge()
    before = {stored.order: stored.item.id for stored in archive.since()}
    assert all(traces(archive, secret).values())  # the check finds them before
    archive.delete([secret.id])
    assert all(traces(archive, secret).values())  # and a delete alone removes nothing
    archive.purge()
    assert not any(traces(archive, secret).values())
    assert {stored.order: stored.item.id for stored in archive.since()} == {
        order: one for order, one in before.items() if one != secret.id
    }
    assert {index.index_type for index in archive._view.table.list_indices()} == kinds
    assert archive.search(text="aardvark907") == []
    assert archive.search(text="numbat11")[0].item.id == others[11].id


def test_what_a_killed_writer_left_is_purged_too(archive, item, secret):
    archive.add([item(0, SHAPE), secret])
    left = Path(archive.address, "items.lance", "data", "0" * 32 + ".lance")
    left.write_bytes(secret.tokens.tobytes())
    archive.delete([secret.id])
    archive.purge()
    assert not left.exists()
    assert not any(traces(archive, secret).values())


def test_an_index_of_keys_goes_with_the_items_that_it_was_for(archive, item, monkeypatch):
    monkeypatch.setattr(archive_upkeep, "FROM", 300)
    items = [item(number, SHAPE) for number in range(310)]
    archive.add(items)
    archive.optimize()
    archive.delete(one.id for one in items[:20])
    archive.purge()
    assert {index.index_type for index in archive._view.table.list_indices()} == {"FTS"}
    assert archive.search(key=items[30].key, k=1)[0].item.id == items[30].id


def test_a_purge_that_fails_says_so_and_may_be_tried_again(archive, item, secret, monkeypatch):
    archive.add([item(0, SHAPE), secret])
    archive.delete([secret.id])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archive_upkeep, "index_words", full)
        with pytest.raises(InputError, match=r"trip.memory: cannot be written \(.*No space left on device\)"):
            archive.purge()
    assert any(traces(archive, secret).values())
    archive.purge()
    assert not any(traces(archive, secret).values())


@pytest.mark.slow
def test_purges_beside_another_writer_lose_nothing_and_leave_nothing(archive, item):
    count = 60
    command = [sys.executable, "-c", WRITER, archive.address, str(count)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with Archive.open(archive.address, read_only=True) as reader:
        rounds = 0
        while writer.poll() is None or rounds < 3:
            name = f"secret{rounds}secret"
            one = item(rounds, SHAPE, source=f"/{name}.jpg", text=f"the {name} text", preview=name.encode())
            archive.add([one])
            assert reader.search(text=name)[0].item.id == one.id
            assert holders(archive, name.encode())
            archive.delete([one.id])
            archive.purge()
            assert not holders(archive, name.encode())
            assert not holders(archive, one.tokens.tobytes())
            assert reader.search(text=name) == []
            rounds += 1
    output, errors = writer.communicate()
    assert (writer.returncode, errors) == (0, "")
    assert [stored.item.id for stored in archive.since()] == output.split()
    assert len(output.split()) == count
