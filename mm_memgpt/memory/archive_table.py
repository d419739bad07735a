"""Where a memory's table lies: found, made or refused, and brought to the version of today.

Notable: a folder that holds anything else is never written to; what a memory is, its table's metadata say.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mm_memgpt.memory.archive_rows import FACT_FIELDS, FORMAT, Shape
from mm_memgpt.memory.archive_turns import Turns
from mm_memgpt.memory.archive_upkeep import index_words
from mm_memgpt.types import InputError

if TYPE_CHECKING:
    from lancedb.table import LanceTable

NAME = "items"
"""The table's name; in a folder it lies in items.lance."""

VERSION = 2
"""Version of the columns, as their metadata keep it. It rises when they change: 2 brought those of facts."""

STABLE = {"new_table_enable_stable_row_ids": "true", "new_table_data_storage_version": "stable"}
"""A row keeps its number for ever, through deletes and compaction: it is the item's place in commit order."""


def add_facts(table: "LanceTable") -> None:
    """Version 1 to 2: the columns of facts, null in all rows; the rows stay as they lie."""
    new = [field for field in FACT_FIELDS if field.name not in table.schema.names]
    if new:
        table.to_lance().add_columns(pa.schema(new))


MIGRATIONS: dict[int, Callable[["LanceTable"], None]] = {1: add_facts}
"""By version, what brings a table from it to the next; a killed one is run again, on a table that is part done."""


class OlderMemory(InputError):
    """A memory that must be opened for writing once before it can be read: that gives it today's columns."""


def folder_of(address: str) -> Path | None:
    """The folder an address names; None where it names an object store."""
    return None if "://" in address else Path(address)


def turns_at(address: str) -> Turns:
    """The turns of the writers at an address, whose folder is made where there is none.

    Raises:
        InputError: the folder may not be written to, or cannot be made.
    """
    folder = folder_of(address)
    if folder is None:
        return Turns(None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        turns = Turns(folder)
        with turns.turn():
            return turns
    except OSError as error:
        raise InputError(
            f"{address}: cannot be written ({error.strerror}); give a folder you may write to, or open it read-only"
        ) from error


def find_table(address: str) -> "LanceTable | None":
    """The table at an address; None where there is none.

    Raises:
        InputError: the address cannot be read, or holds something else.
    """
    folder = folder_of(address)
    try:
        if folder is not None and not (folder / f"{NAME}.lance").is_dir():
            if folder.is_dir() and any(not name.startswith(".") for name in os.listdir(folder)):
                raise InputError(f"{address}: a folder, but no memory; give the folder of a memory, or a new one")
            if folder.exists() and not folder.is_dir():
                raise InputError(f"{address}: a file, where a memory is a folder; an export is imported first")
            return None
    except OSError as error:
        raise InputError(f"{address}: cannot be read ({error.strerror}); give a folder you may read") from error
    table = open_at(address)
    if table is not None and FORMAT not in _metadata(table):
        raise InputError(f"{address}: a table, but no memory; give the address of a memory, or a new one")
    return table


def open_at(address: str) -> "LanceTable | None":
    """The table at an address as it is; None where there is none."""
    try:
        return connect(address).open_table(NAME)
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # as lancedb puts it
        if f"'{NAME}' was not found" in str(error):
            return None
        raise InputError(f"{address}: cannot be opened ({first_line(error)}); is it a memory you may read?") from error


def make_table(address: str, schema: pa.Schema, rows: pa.RecordBatchReader | None = None) -> "LanceTable":
    """A new table, with an index of its words; rows are what it begins with.

    In an object store, where none takes turns, one without rows may be another's of the same moment.

    Raises:
        InputError: there is one, or it cannot be written; then nothing of it stays in a folder.
    """
    if find_table(address) is not None:
        raise InputError(f"{address}: a memory already; give a new folder")
    folder = folder_of(address)
    try:
        table = connect(address, STABLE).create_table(NAME, rows, schema=schema, exist_ok=rows is None)
        index_words(table)
    except (OSError, RuntimeError, ValueError) as error:  # as lancedb puts it
        if folder is not None:
            shutil.rmtree(folder / f"{NAME}.lance", ignore_errors=True)
        raise unwritable(address, error) from error
    return table


def unwritable(address: str, error: Exception) -> InputError:
    """What is said of a commit that failed."""
    if isinstance(error, InputError):
        return error
    return InputError(
        f"{address}: cannot be written ({first_line(error)}); "
        "see that there is room and that you may write there, then try again"
    )


def connect(address: str, options: dict[str, str] | None = None) -> Any:
    """A connection to an address; an object store's options come from the environment.

    Raises:
        InputError: lancedb or pylance is not installed.
    """
    return import_lancedb().connect(address, storage_options=options)


def import_lancedb() -> ModuleType:
    """lancedb, which takes a second to import.

    Raises:
        InputError: lancedb or pylance is not installed.
    """
    os.environ.setdefault("LANCE_LOG", "error")  # its warnings are of options that lancedb itself sets
    try:
        import lance  # noqa: F401
        import lancedb
    except ImportError as error:
        raise InputError(f"a memory on disk needs {error.name}: pip install lancedb pylance") from error
    return lancedb


def described(table: "LanceTable") -> tuple[Shape, str]:
    """Sizes of a table's items, and the fingerprint of what encoded them."""
    metadata = _metadata(table)
    return Shape(*(int(metadata[name]) for name in Shape._fields)), metadata["fingerprint"]


def check_table(address: str, table: "LanceTable", shape: Shape | None, fingerprint: str | None) -> None:
    """Checks that a table is what the caller relies on; None relies on nothing.

    Raises:
        InputError: it is of a newer version, or has another fingerprint or other sizes.
    """
    (has, encoder), version = described(table), int(_metadata(table)[FORMAT])
    if version > VERSION:
        raise InputError(
            f"{address}: of version {version}, where {VERSION} is read; "
            "open it with the mm_memgpt that wrote it, or a newer one"
        )
    if fingerprint is not None and encoder != fingerprint:
        raise InputError(
            f"{address}: written by another encoder ({encoder}, where this model has {fingerprint}); "
            f"re-encode with mm-memgpt memory reencode {address}"
        )
    if shape is not None and has != shape:
        raise InputError(f"{address}: its items have {has}, where this model's have {shape}; give a memory of its own")


def migrate(address: str, table: "LanceTable", turns: Turns | None) -> None:
    """Brings a table of an older version to today's.

    Raises:
        OlderMemory: it is of an older version and opened read-only.
        InputError: it may not be written, or no migration leads on from its version.
    """
    if (version := int(_metadata(table)[FORMAT])) >= VERSION:
        return
    if turns is None:
        raise OlderMemory(
            f"{address}: of version {version}, where {VERSION} is read; "
            "open it once for writing, as mm-memgpt remember does"
        )
    with turns.turn():
        table.checkout_latest()  # another may have done it meanwhile
        _bring_up(address, table)


def _bring_up(address: str, table: "LanceTable") -> None:
    while (version := int(_metadata(table)[FORMAT])) < VERSION:
        if version not in MIGRATIONS:
            raise InputError(
                f"{address}: of version {version}, which is no longer read; export it with the mm_memgpt that wrote it"
            )
        MIGRATIONS[version](table)
        table.checkout_latest()
        table.to_lance().update_schema_metadata({FORMAT: str(version + 1)})
        table.checkout_latest()


def first_line(error: Exception) -> str:
    """What went wrong, in one line and without where in the library."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].split(", /")[0].strip()[:300]


def _metadata(table: "LanceTable") -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in (table.schema.metadata or {}).items()}
