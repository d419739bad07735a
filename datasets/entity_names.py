"""Names of entities and relations, which triples call by identifiers: a second file of id and text.

Notable: a name may be shared, and an entity may have several; what stands behind the first mark of `split_at` describes
it: "land reform, a redistribution of land" is a name with its description.
"""

from collections.abc import Iterator
from os import PathLike, fspath
from typing import NamedTuple
from urllib.parse import unquote

from mm_memgpt.datasets.parquet import open_parquet
from mm_memgpt.datasets.triples import text_lines
from mm_memgpt.types import InputError

COLUMNS = ("id", "text")


class Name(NamedTuple):
    """What something is called."""

    id: str
    text: str
    description: str = ""


def read_names(path: str | PathLike[str], *, split_at: str | None = None) -> Iterator[Name | InputError]:
    """The names of a file in their order, and what is wrong with each broken row.

    Args:
        path: a Parquet file with columns id and text, or a text file with a tab between the two; a first line that says
            id and text is a header.
        split_at: what parts a name from its description.

    Raises:
        InputError: missing, empty, or without the columns.
    """
    rows = _parquet(path) if fspath(path).lower().endswith(".parquet") else _text(path)
    for place, row in rows:
        if isinstance(row, InputError):
            yield row
            continue
        id, text = (("" if cell is None else str(cell).strip()) for cell in row)
        name, description = text, ""
        if split_at is not None:
            name, _, description = (part.strip() for part in text.partition(split_at))
        if not id or not name:
            yield InputError(f"{place}: no {'text' if id else 'id'}; write an id and a name, or leave the row out")
        else:
            yield Name(id, name, description)


def name_of(id: str) -> str:
    """What an identifier itself says: "ludwig_ii" is "ludwig ii", and an address what stands at its end."""
    text = id.rstrip("/#")
    if "://" in text:
        text = unquote(text.replace("#", "/").rpartition("/")[2])
    return " ".join(text.replace("_", " ").split()) or id


def _parquet(path: str | PathLike[str]) -> Iterator[tuple[str, tuple]]:
    with open_parquet(path) as opened:
        names = opened.schema_arrow.names
        if missing := [each for each in COLUMNS if each not in names]:
            raise InputError(f"{path}: no column {missing[0]!r}; it has {', '.join(names)}: rename one")
        number = 0
        for batch in opened.iter_batches(batch_size=10_000, columns=list(COLUMNS)):
            for row in batch.to_pylist():
                yield f"{path}:{number}", (row["id"], row["text"])
                number += 1


def _text(path: str | PathLike[str]) -> Iterator[tuple[str, tuple | InputError]]:
    first = True
    for place, line in text_lines(path):
        if isinstance(line, InputError):
            yield place, line
            continue
        cells = tuple(cell.strip() for cell in line.split("\t"))
        is_header, first = first and tuple(cell.casefold() for cell in cells) == COLUMNS, False
        if len(cells) != 2:
            yield place, InputError(f"{place}: has {len(cells)} cells; write id and text, with a tab between them")
        elif not is_header:
            yield place, cells
