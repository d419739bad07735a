"""Facts are items with columns of their own, which memories from before there were facts are given when opened."""

import io
from dataclasses import replace
from math import inf
from pathlib import Path

import pyarrow as pa
import pytest

from mm_memgpt.memory import archive_table
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_file import write_file
from mm_memgpt.memory.archive_rows import FACT_FIELDS, Shape, columns, to_rows
from mm_memgpt.memory.traces import Traces
from mm_memgpt.memory.where import Where
from mm_memgpt.types import Fact, InputError

SHAPE = Shape(tokens=3, width=4, key_width=5)
NEW = {"shape": SHAPE, "fingerprint": "nano 1", "create": True}
BONN = Fact("q586", "capital_of", "q183", -600.5, 6.5e8, head_name="Bonn", tail_name="Germany, as it was")


@pytest.fixture
def told(item):
    """Four items, of which the second and the last are facts."""
    facts = {1: BONN, 3: Fact("ada", "knows", "ben")}
    return [replace(item(number, text=f"numbat{number}"), fact=facts.get(number)) for number in range(4)]


@pytest.fixture
def archive(tmp_path, told):
    with Archive.open(tmp_path / "trip.memory", **NEW) as archive:
        archive.add(told)
        yield archive


def facts_of(archive: Archive) -> list[Fact | None]:
    return [stored.item.fact for stored in archive.since()]


def rows_of_version_1(items) -> pa.Table:
    schema = columns(SHAPE, "nano 1", 1)
    old = pa.schema([field for field in schema if field not in FACT_FIELDS], metadata=schema.metadata)
    return to_rows(items, SHAPE, schema).select(old.names).cast(old)


@pytest.fixture
def old_memory(tmp_path, item) -> Path:
    """A memory of three items, as they were kept before there were facts."""
    folder, rows = tmp_path / "old.memory", rows_of_version_1([item(number) for number in range(3)])
    archive_table.make_table(str(folder), rows.schema, rows.to_reader())
    return folder


def test_a_fact_comes_back_to_the_bit_with_times_and_names(archive):
    assert facts_of(archive) == [None, BONN, None, Fact("ada", "knows", "ben", -inf, inf)]
    assert archive.search(text="numbat1")[0].item.fact == BONN
    assert [(row["head"], row["start"]) for row in archive.facts().to_pylist()] == [
        ("q586", 1.79e9 + 1),
        ("ada", 1.79e9 + 3),
    ]


@pytest.mark.parametrize(("facts", "places"), [(True, [1, 3]), (False, [0, 2]), (None, [0, 1, 2, 3])])
def test_facts_can_be_asked_for_alone_or_left_out(archive, told, facts, places):
    assert [place for place, _ in archive.find(Where(facts=facts))] == places
    found = archive.search(key=told[0].key, k=4, where=Where(facts=facts))
    assert sorted(each.order for each in found) == places
    rows = [{"source": "a", "modality": "text", "start": 0, "end": 0, "id": "i", "head": head} for head in (None, "x")]
    assert [Where(facts=facts).meets(row) for row in rows] == [facts is not True, facts is not False]


def test_facts_are_exported_and_imported(archive, tmp_path):
    archive.export(tmp_path / "trip.export")
    with Archive.bring(tmp_path / "trip.export", tmp_path / "other.memory") as other:
        assert facts_of(other) == facts_of(archive)


def test_what_stands_beside_a_fact_says_nothing_of_it(tmp_path, item):
    texts = ["the numbat sleeps", "under a log", "the wombat sleeps", "under a stone"]
    said = [item(2, text=text, source="notes") for text in texts]
    told = [replace(each, fact=Fact("a", "b", "c")) for each in said[2:]]
    with Archive.open(tmp_path / "trip.memory", **NEW) as archive:
        archive.add([*said[:2], *told])
        assert [found.order for found in archive.search(text="numbat", around=True)] == [0, 1]
        assert [found.order for found in archive.search(text="wombat", around=True)] == [2]


def test_a_memory_from_before_there_were_facts_takes_them(old_memory, told):
    with Archive.open(old_memory, **NEW) as archive:
        before = list(archive.since())
        assert [stored.order for stored in before] == [0, 1, 2]
        assert facts_of(archive) == [None] * 3
        archive.add(told[1:2])
        assert facts_of(archive) == [None, None, None, BONN]
        assert archive.search(text="numbat2")[0].order == 2
        archive.delete([told[1].id])
        archive.purge()
        assert [stored.item.id for stored in archive.since()] == [stored.item.id for stored in before]
    Archive.open(old_memory, read_only=True).close()


def test_only_to_read_it_an_older_memory_is_refused_in_a_line_and_left_alone(old_memory):
    before = {path: path.read_bytes() for path in old_memory.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"old.memory: of version 1, where 2 is read; open it once for writing, as "):
        Archive.open(old_memory, read_only=True)
    assert {path: path.read_bytes() for path in old_memory.rglob("*") if path.is_file()} == before


def test_a_migration_that_was_killed_between_its_two_commits_is_run_again(old_memory, monkeypatch, told):
    def killed(table) -> None:
        archive_table.add_facts(table)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setitem(archive_table.MIGRATIONS, 1, killed)
        with pytest.raises(KeyboardInterrupt):
            Archive.open(old_memory)
    with Archive.open(old_memory) as archive:
        archive.add(told)
        assert facts_of(archive)[3:] == [None, BONN, None, told[3].fact]


def test_an_export_from_before_there_were_facts_is_imported(tmp_path, item, told):
    rows = rows_of_version_1([item(number) for number in range(3)])
    write_file(tmp_path / "old.export", rows.schema, [rows])
    with Archive.bring(tmp_path / "old.export", tmp_path / "new.memory") as archive:
        archive.add(told[:2])
        assert facts_of(archive) == [None] * 4 + [BONN]


def test_the_parts_of_a_fact_are_looked_for_in_the_files(told):
    traces = Traces.of([told[1]])
    assert len(traces.prints["fact"]) == 3  # both ends and the middle of what is long enough
    assert traces.search([io.BytesIO(b"..." + BONN.tail_name.encode())])["fact"] == traces.prints["fact"]
    assert not traces.search([io.BytesIO(told[1].text.encode())])["fact"]
