"""Tables of named columns from any kind of file: what the tasks are fine-tuned on and evaluated with.

    table = read_table("reviews.csv", where={"language": "en"})
    text = column(table, "review", "text")
    table[0][text], table.place(0)

Notable: the kind is told by the file's ending; whatever is wrong with a file or a row is one line that names it.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from mm_memgpt.datasets.hub import SCHEME, is_saved
from mm_memgpt.datasets.paths import Source, find_paths
from mm_memgpt.datasets.table_base import Row, Table, check_ids, column
from mm_memgpt.datasets.table_conll import ConllTable
from mm_memgpt.datasets.table_csv import CsvTable, TsvTable
from mm_memgpt.datasets.table_hub import HubTable
from mm_memgpt.datasets.table_json import JsonLinesTable
from mm_memgpt.datasets.table_parquet import ParquetTable
from mm_memgpt.datasets.table_parts import ChosenTable, JoinedTable
from mm_memgpt.datasets.table_squad import JsonTable
from mm_memgpt.types import InputError

__all__ = ["KNOWN", "Row", "Table", "check_ids", "column", "read_table"]

TEXT_TABLES: dict[str, Callable[[Path, str | None], Table]] = {
    ".csv": CsvTable,
    ".tsv": TsvTable,
    ".jsonl": JsonLinesTable,
    ".ndjson": JsonLinesTable,
    ".json": JsonTable,
    ".conll": ConllTable,
    ".bio": ConllTable,
    ".iob": ConllTable,
}
"""Tables of text files by their ending."""

KNOWN = (
    ".csv, .tsv, .jsonl or .ndjson, .json (SQuAD, or a list of objects), .conll, .bio or .iob (CoNLL columns), "
    ".parquet, a folder that datasets saved, or hub:owner/name"
)


def read_table(
    source: Source | Sequence[Source],
    *,
    split: str | None = None,
    where: Mapping[str, Any] | None = None,
    encoding: str | None = None,
) -> Table:
    """The table of a source; see KNOWN for the kinds.

    Args:
        source: a file, a pattern, a list of these, all of one kind, or a dataset as "hub:owner/name".
        split: the part to take, of a dataset that has several.
        where: column to the value, or list of values, that a row must hold in it; the others are left out.
        encoding: of a text file that is neither UTF-8 nor marked as UTF-16.

    Raises:
        InputError: nothing there, several kinds, an unknown kind, or what the table finds wrong.
        ImportError: an optional package that the kind needs is not installed; the message names the extra.
    """
    if isinstance(source, str) and source.startswith(SCHEME):
        table = _open(source, "", split, encoding)
    else:
        paths = find_paths(source)
        kinds = {path.suffix.lower(): path for path in paths}
        if len(kinds) > 1:
            raise InputError(f"{source}: both {' and '.join(map(str, kinds.values()))}; read one kind at a time")
        tables = [_open(path, path.suffix.lower(), split, encoding) for path in paths]
        table = tables[0] if len(tables) == 1 else JoinedTable(tables)
    return ChosenTable(table, where) if where else table


def _open(source: str | PathLike[str], kind: str, split: str | None, encoding: str | None) -> Table:
    is_hub = isinstance(source, str) or is_saved(Path(source))
    if split is not None and not is_hub:
        raise InputError(f"{source}: a {kind or 'folder'} takes no split; leave it out, or choose rows by where")
    if encoding is not None and kind not in TEXT_TABLES:
        raise InputError(f"{source}: takes no encoding, as it is no text file; leave it out")
    if is_hub:
        return HubTable(fspath(source), split)
    path = Path(source)
    if kind in TEXT_TABLES and not path.is_dir():
        return TEXT_TABLES[kind](path, encoding)
    if kind == ".parquet" and not path.is_dir():
        return ParquetTable(path)
    what = "a folder" if path.is_dir() else kind or "a name without ending"
    raise InputError(f"{path}: no table is read from {what}; give {KNOWN}")
