"""What cannot be used is refused in one line that names it and the way out, and is left as it was."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mm_memgpt.memory import archive_table
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import FORMAT, Shape
from mm_memgpt.types import InputError

SHAPE = Shape(tokens=3, width=4, key_width=5)
NEW = {"shape": SHAPE, "fingerprint": "nano 1", "create": True}

FULL_DISK = """
import resource, sys
import numpy as np
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.item import Item, new_id
from mm_memgpt.types import InputError
item = lambda size: Item(
    id=new_id(), source="a", modality="text", start=0.0, end=1.0, created=0.0, preview=b"x" * size,
    key=np.ones(5, np.float16), tokens=np.ones((3, 4), np.float16), mask=np.ones(3, bool),
)
with Archive.open(sys.argv[1]) as archive:
    archive.add([item(10)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    large = item(1_000_000)
    try:
        archive.add([item(10), large])
    except InputError as error:
        print(error)
    print(len(archive))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    archive.add([large])
    print(len(archive))
"""


@contextlib.contextmanager
def unprivileged():
    """Root may write everywhere, so tests that run as root step down for a moment."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def folder(tmp_path, item) -> Path:
    """The folder of a memory of three items."""
    with Archive.open(tmp_path / "trip.memory", **NEW) as archive:
        archive.add(item(number) for number in range(3))
    return tmp_path / "trip.memory"


@pytest.fixture
def shown():
    """A folder that others may read, but only its owner may write."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield Path(path)
        for inner, _, _ in os.walk(path):
            os.chmod(inner, 0o755)


def refused(address, **options) -> str:
    """The one line with which an address is refused; it begins with the address."""
    with pytest.raises(InputError) as caught:
        Archive.open(address, **options)
    line = str(caught.value)
    assert line.startswith(f"{address}: ")
    assert "\n" not in line
    return line.removeprefix(f"{address}: ")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_where_there_is_no_memory_none_is_opened_and_nothing_is_made(tmp_path):
    for options in ({}, {"read_only": True}):
        for address in (tmp_path / "none", tmp_path):
            line = refused(address, **options)
            assert line == f"no memory there; mm-memgpt remember INPUT --memory {address} begins one"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_never_written_to(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    for options in ({}, {"read_only": True}, NEW):
        assert refused(tmp_path, **options) == ("a folder, but no memory; give the folder of a memory, or a new one")
        assert refused(tmp_path / "photo.jpg", **options) == (
            "a file, where a memory is a folder; an export is imported first"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_another_table_of_that_name_is_no_memory(tmp_path):
    import lancedb

    lancedb.connect(tmp_path / "other").create_table("items", [{"id": "a"}])
    for options in ({}, NEW):
        assert "a table, but no memory" in refused(tmp_path / "other", **options)


def test_another_encoders_memory_is_refused_with_the_way_to_reencode(folder):
    for options in ({"fingerprint": "nano 2"}, NEW | {"fingerprint": "nano 2"}):
        assert refused(folder, **options) == (
            "written by another encoder (nano 1, where this model has nano 2); "
            f"re-encode with mm-memgpt memory reencode {folder}"
        )
    assert Archive.open(folder).fingerprint == "nano 1"  # who asks for none takes what is there


def test_items_of_other_sizes_are_refused(folder):
    assert refused(folder, **NEW | {"shape": Shape(3, 4, 6)}) == (
        "its items have tokens=3, width=4, key_width=5, where this model's have tokens=3, width=4, key_width=6; "
        "give a memory of its own"
    )


def test_a_newer_memory_is_refused(folder, monkeypatch):
    archive_table.find_table(str(folder)).to_lance().update_schema_metadata({FORMAT: "7"})
    assert refused(folder) == (
        "of version 7, where 2 is read; open it with the mm_memgpt that wrote it, or a newer one"
    )


def test_an_older_memory_is_migrated_once_and_only_for_writing(folder, monkeypatch):
    runs = []

    def to_three(table) -> None:
        runs.append(2)
        table.update(values={"digest": "not known"})

    monkeypatch.setattr(archive_table, "VERSION", 4)
    assert "of version 2, which is no longer read" in refused(folder)
    monkeypatch.setattr(archive_table, "MIGRATIONS", {2: to_three, 3: lambda table: runs.append(3)})
    before = tree(folder)
    assert refused(folder, read_only=True) == (
        "of version 2, where 4 is read; open it once for writing, as mm-memgpt remember does"
    )
    assert tree(folder) == before
    for options in ({}, {"read_only": True}, NEW):
        with Archive.open(folder, **options) as archive:
            assert [stored.order for stored in archive.since()] == [0, 1, 2]
            assert {stored.item.digest for stored in archive.since()} == {"not known"}
            assert (archive.shape, archive.fingerprint) == (SHAPE, "nano 1")
    assert runs == [2, 3]


def test_without_write_permission_a_memory_opens_read_only_and_not_otherwise(shown, item):
    folder = shown / "trip.memory"
    with Archive.open(folder, **NEW) as archive:
        archive.add([item(0)])
    for inner, _, _ in os.walk(shown):
        os.chmod(inner, 0o555)
    way_out = "give a folder you may write to, or open it read-only"
    with unprivileged():
        for options in ({}, NEW):
            assert refused(folder, **options) == f"cannot be written (Permission denied); {way_out}"
        assert refused(shown / "new", **NEW) == f"cannot be written (Permission denied); {way_out}"
        with Archive.open(folder, read_only=True) as archive:
            assert archive.search(text="numbat", key=item(0).key)[0].order == 0


def test_without_read_permission_a_memory_is_refused(shown):
    Archive.open(shown / "trip.memory", **NEW).close()
    os.chmod(shown / "trip.memory", 0)
    with unprivileged():
        assert refused(shown / "trip.memory") == "cannot be read (Permission denied); give a folder you may read"


def test_a_full_disk_costs_only_the_add_that_met_it(folder):
    run = subprocess.run([sys.executable, "-c", FULL_DISK, folder], capture_output=True, text=True, check=True)
    line, after, later = run.stdout.splitlines()
    assert line.startswith(f"{folder}: cannot be written (")
    assert line.endswith("see that there is room and that you may write there, then try again")
    assert (after, later) == ("4", "5")


def test_a_damaged_memory_is_refused_in_one_line(folder):
    shutil.rmtree(folder / "items.lance" / "data")
    with Archive.open(folder) as archive, pytest.raises(InputError) as caught:
        archive.search(key=np.ones(5, np.float16))
    assert str(caught.value).startswith(f"{folder}: cannot be read (")
    assert "\n" not in str(caught.value)


def test_what_a_killed_creation_left_is_no_obstacle(tmp_path, item):
    left = tmp_path / "trip.memory" / "items.lance" / "data"
    left.mkdir(parents=True)
    (left / "half.lance").write_bytes(b"half")
    assert "no memory there" in refused(tmp_path / "trip.memory")
    with Archive.open(tmp_path / "trip.memory", **NEW) as archive:
        archive.add([item(0)])
    with Archive.open(tmp_path / "trip.memory", **NEW) as archive:
        assert len(archive) == 1


def test_an_empty_memory_that_is_there_is_opened_and_not_made_anew(tmp_path, monkeypatch):
    Archive.open(tmp_path / "trip.memory", **NEW).close()
    find, late = archive_table.find_table, iter([True, False, False])
    monkeypatch.setattr(archive_table, "find_table", lambda address: None if next(late) else find(address))
    before = tree(tmp_path)
    with Archive.open(tmp_path / "trip.memory", **NEW) as archive:  # made by another after the first look
        assert len(archive) == 0
    assert tree(tmp_path) == before


def test_to_create_takes_all_that_a_new_one_needs(tmp_path):
    for options in ({"create": True}, {"create": True, "shape": SHAPE}, NEW | {"read_only": True}):
        with pytest.raises(ValueError, match="to create an archive, give shape and fingerprint"):
            Archive.open(tmp_path / "new", **options)


def test_without_lancedb_what_to_install_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(InputError, match=r"^a memory on disk needs lancedb: pip install lancedb pylance$"):
        Archive.open(folder)
