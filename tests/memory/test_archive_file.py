"""A memory goes into one file and comes out the same; of half a file nothing is made."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mm_memgpt.memory import archive as archive_module
from mm_memgpt.memory import archive_table
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import Shape
from mm_memgpt.types import InputError

SHAPE = Shape(tokens=3, width=4, key_width=5)


@pytest.fixture
def archive(tmp_path, item):
    with Archive.open(tmp_path / "trip.memory", shape=SHAPE, fingerprint="nano 1", create=True) as archive:
        archive.add(item(number) for number in range(20))
        archive.delete([archive.find()[6][1]])
        archive.add([item(30, source="it's\n")])
        yield archive


def contents(archive: Archive) -> list[tuple]:
    return [
        tuple(value.tobytes() if hasattr(value, "tobytes") else value for value in vars(stored.item).values())
        for stored in archive.since()
    ]


def refused(path: Path, address: Path) -> str:
    with pytest.raises(InputError) as caught:
        Archive.bring(path, address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_exported_and_imported_is_the_same_to_the_bit_in_the_same_order(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "BATCH", 7)
    archive.export(tmp_path / "trip.export")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trip.export", "trip.memory"]
    with Archive.bring(tmp_path / "trip.export", tmp_path / "there" / "new.memory") as other:
        assert contents(other) == contents(archive)
        assert (other.shape, other.fingerprint) == (archive.shape, archive.fingerprint)
        assert [stored.order for stored in other.since()] == list(range(20))
        assert other.search(text="numbat14")[0].item.text == "the numbat14 sleeps"
        other.export(tmp_path / "again.export")
    assert pq.read_table(tmp_path / "again.export") == pq.read_table(tmp_path / "trip.export")


def test_an_empty_memory_can_be_exported(tmp_path):
    with Archive.open(tmp_path / "a.memory", shape=SHAPE, fingerprint="nano 1", create=True) as archive:
        archive.export(tmp_path / "a.export")
    assert len(Archive.bring(tmp_path / "a.export", tmp_path / "b.memory")) == 0


def test_what_was_deleted_is_not_in_the_file(archive, tmp_path):
    archive.delete(one for _, one in archive.find()[:3])
    archive.export(tmp_path / "trip.export")
    assert pq.read_table(tmp_path / "trip.export").num_rows == len(archive) == 17


def test_a_file_cut_short_or_damaged_is_refused_and_nothing_is_made_of_it(archive, tmp_path):
    path, new = tmp_path / "trip.export", tmp_path / "new.memory"
    archive.export(path)
    whole = path.read_bytes()
    for keep in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:keep])
        assert refused(path, new).startswith(f"{path}: truncated, or no export of a memory")
    for at in (9, len(whole) // 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        assert refused(path, new).startswith(f"{path}: ")
    assert not new.exists()


def test_another_file_is_refused(archive, tmp_path):
    new = tmp_path / "new.memory"
    assert "no such file; give a file that export wrote" in refused(tmp_path / "none", new)
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "other")
    assert "a Parquet file, but no export of a memory; give a file that export wrote" in refused(
        tmp_path / "other", new
    )
    assert not new.exists()


def test_a_memory_that_is_there_is_never_imported_over(archive, tmp_path):
    archive.export(tmp_path / "trip.export")
    assert "a memory already; give a new folder" in refused(tmp_path / "trip.export", Path(archive.address))
    assert "a folder, but no memory" in refused(tmp_path / "trip.export", tmp_path)
    assert len(archive) == 20


def test_a_failed_export_leaves_the_old_file(archive, tmp_path, monkeypatch):
    path = tmp_path / "trip.export"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"trip.export: cannot be written \(No space left on device\)"):
        archive.export(path)
    assert path.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trip.export", "trip.memory"]


def test_an_older_export_is_migrated_on_import(archive, tmp_path, monkeypatch):
    archive.export(tmp_path / "trip.export")
    monkeypatch.setattr(archive_table, "VERSION", 3)
    monkeypatch.setattr(archive_table, "MIGRATIONS", {2: lambda table: table.update(values={"digest": "not known"})})
    with Archive.bring(tmp_path / "trip.export", tmp_path / "new.memory") as other:
        assert {stored.item.digest for stored in other.since()} == {"not known"}
        assert len(other) == 20
