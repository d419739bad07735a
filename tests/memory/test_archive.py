"""The archive gives back what was added, to the bit and in commit order, whatever happens between."""

import os
import subprocess
import sys

import numpy as np
import pytest

from mm_memgpt.memory import archive as archive_module
from mm_memgpt.memory.archive import Archive, Origin
from mm_memgpt.memory.archive_rows import Shape
from mm_memgpt.memory.where import Where

SHAPE = Shape(tokens=3, width=4, key_width=5)

DIGEST = """
import hashlib, sys
from mm_memgpt.memory.archive import Archive
digest = hashlib.sha256()
for order, item in Archive.open(sys.argv[1], read_only=True).since():
    digest.update(b"%d" % order + item.id.encode() + item.key.tobytes() + item.tokens.tobytes() + item.mask.tobytes())
print(digest.hexdigest())
"""


@pytest.fixture
def archive(tmp_path):
    with Archive.open(tmp_path / "trip.memory", shape=SHAPE, fingerprint="nano 1", create=True) as archive:
        yield archive


def same(one, other) -> bool:
    """Whether two items are the same to the bit."""
    return all(
        value.tobytes() == there.tobytes() and value.dtype == there.dtype and value.shape == there.shape
        if isinstance(value := getattr(one, name), np.ndarray)
        else value == there
        for name in one.__dataclass_fields__
        for there in [getattr(other, name)]
    )


def ids(archive: Archive) -> list[str]:
    return [stored.item.id for stored in archive.since()]


def test_what_is_added_comes_back_to_the_bit(archive, item):
    items = [item(number) for number in range(7)]
    items[4] = item(4, key=np.zeros(5, np.float16), text='Zoë\'s "dog"\n\0 sat', source="it's\n;--", preview=b"\0\xff")
    archive.add(items)
    for stored, due in zip(archive.since(), items, strict=True):
        assert same(stored.item, due)
    assert all(stored.item.tokens.flags.writeable for stored in archive.since())


def test_another_process_reads_the_same_bits(archive, item):
    archive.add(item(number) for number in range(5))
    command = [sys.executable, "-c", DIGEST, archive.address]
    one, other = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert one == other
    assert len(one) == 65


def test_an_empty_archive_has_nothing_and_finds_nothing(archive):
    assert len(archive) == 0
    assert list(archive.since()) == archive.find() == archive.get(["none"]) == []
    assert archive.sources() == {}
    assert archive.search(key=np.ones(5, np.float16), text="numbat") == []
    archive.add([])
    archive.delete([])
    archive.delete(["none"])
    archive.purge()
    archive.optimize()
    assert len(archive) == 0


def test_an_add_is_one_commit(archive, item):
    before = archive.version
    archive.add(item(number) for number in range(9))
    assert archive.version == before + 1


def test_a_place_is_for_ever(archive, item):
    items = [item(number) for number in range(11)]
    for begin in (0, 4, 5):
        archive.add(items[begin : begin + {0: 4, 4: 1, 5: 6}[begin]])
    places = dict(zip(ids(archive), (stored.order for stored in archive.since()), strict=True))
    assert list(places) == [one.id for one in items]
    for change in (
        lambda: archive.delete([items[2].id, items[10].id]),
        archive.optimize,
        lambda: archive.delete([items[5].id]),
        archive.purge,
        lambda: archive.add([item(11)]),
        archive.optimize,
    ):
        change()
        now = {stored.item.id: stored.order for stored in archive.since()}
        assert [*now.values()] == sorted(now.values())
        assert all(places.get(one, order) == order for one, order in now.items())
    assert len(archive) == 9
    [newest] = archive.since(max(places.values()))
    assert newest.item.start == item(11).start  # its place is a new one, though the last item before it is gone


def test_since_goes_on_after_a_place_over_many_batches(archive, item, monkeypatch):
    monkeypatch.setattr(archive_module, "BATCH", 3)
    items = [item(number) for number in range(10)]
    archive.add(items)
    orders = [stored.order for stored in archive.since()]
    assert [stored.item.id for stored in archive.since(orders[3])] == [one.id for one in items[4:]]
    assert list(archive.since(orders[-1])) == []


def test_get_and_find_are_in_commit_order_and_leave_out_what_is_not_there(archive, item):
    items = [item(number) for number in range(6)]
    archive.add(items)
    there = archive.get([items[5].id, "none", items[1].id])
    assert [stored.item.id for stored in there] == [items[1].id, items[5].id]
    assert archive.find(Where(ids=(items[5].id, "none", items[1].id))) == [(s.order, s.item.id) for s in there]


def test_the_same_items_added_again_are_there_once(archive, item):
    items = [item(number) for number in range(7)]
    archive.add(items[:5])
    with Archive.open(archive.address) as other:
        other.add(items[3:])  # a retry by a process that knows nothing of the first
        archive.add(items)
    assert ids(archive) == [one.id for one in items]
    archive.delete([items[0].id])
    archive.add(items)
    assert ids(archive) == [one.id for one in [*items[1:], items[0]]]  # what was deleted may come again


def test_an_add_that_failed_half_way_may_be_tried_again(archive, item, monkeypatch):
    table = type(archive._view.table)
    add, fails = table.add, iter([True, False])

    def lost(self, rows):  # the commit is made, but its answer is lost
        add(self, rows)
        if next(fails):
            raise RuntimeError("Retryable commit conflict for version 7")

    monkeypatch.setattr(table, "add", lost)
    items = [item(number) for number in range(4)]
    archive.add(items)
    assert ids(archive) == [one.id for one in items]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"key": np.zeros(5, np.float32)}, r"key is float32 \(5,\), where this memory has float16 \(5,\)"),
        (
            {"tokens": np.zeros((4, 3), np.float16)},
            r"tokens is float16 \(4, 3\), where this memory has float16 \(3, 4\)",
        ),
        ({"mask": np.zeros(3, np.uint8)}, r"mask is uint8 \(3,\), where this memory has bool \(3,\)"),
        ({"modality": "smell"}, "unknown modality 'smell'; known are image, audio, text"),
    ],
)
def test_an_item_that_does_not_fit_is_refused_and_nothing_is_added(archive, item, wrong, said):
    with pytest.raises(ValueError, match=said):
        archive.add([item(0), item(1, **wrong)])
    one = item(2)
    with pytest.raises(ValueError, match="an id comes twice"):
        archive.add([one, one])
    assert len(archive) == 0


def test_what_is_there_of_each_source(archive, item):
    archive.add(item(number) for number in range(3))
    archive.add([item(4, modality="image"), item(3, source="it's")])
    start = 1.79e9
    assert list(archive.sources().items()) == [
        ("/photos/dog.jpg", Origin(1, ("image",), start, start + 0.25, 1.8e9, "digest0")),
        ("/sounds/bell.wav", Origin(2, ("audio", "image"), start + 1, start + 4.25, 1.8e9 + 1, "digest1")),
        ("note", Origin(1, ("text",), start + 2, start + 2.25, 1.8e9 + 2, "digest2")),
        ("it's", Origin(1, ("image",), start + 3, start + 3.25, 1.8e9 + 3, "digest0")),
    ]


def test_many_adds_leave_few_files(archive, item, monkeypatch):
    monkeypatch.setattr(archive_module, "EVERY", 8)
    items = [item(number) for number in range(40)]
    for one in items:
        archive.add([one])
    assert len(os.listdir(f"{archive.address}/items.lance/data")) > 8  # older versions are kept for their readers
    assert len(archive._view.table.to_lance().get_fragments()) <= 8
    assert ids(archive) == [one.id for one in items]


def test_a_reader_beside_a_writer_sees_what_is_acknowledged_and_writes_nothing(archive, item):
    with Archive.open(archive.address, read_only=True) as reader:
        for number in range(3):
            archive.add([item(number)])
            assert len(reader) == len(list(reader.since())) == number + 1
        archive.delete(ids(archive)[:1])
        archive.purge()
        assert ids(reader) == ids(archive)
        for change in (lambda: reader.add([item(9)]), reader.purge, reader.optimize, lambda: reader.delete(["x"])):
            with pytest.raises(ValueError, match=r"trip.memory: opened read-only; open it for writing"):
                change()


def test_a_closed_archive_says_so(archive):
    archive.close()
    with pytest.raises(ValueError, match="closed; open it again"):
        len(archive)
