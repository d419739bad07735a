"""JSON lines: one object a line, whose keys are the columns.

Notable: objects may differ, so the columns are those of the first thousand rows, and a row has None in those it lacks.
"""

import json
from itertools import islice
from os import PathLike
from typing import Any

from mm_memgpt.datasets.files import reason
from mm_memgpt.datasets.table_base import Row
from mm_memgpt.datasets.table_text import TextTable
from mm_memgpt.types import InputError

LOOKED_AT = 1000
"""Rows from which the columns are known."""


class JsonLinesTable(TextTable):
    """The objects of a file.

    Raises:
        InputError: missing, empty, no text, or no object among its first lines.
    """

    def __init__(self, path: str | PathLike[str], encoding: str | None = None) -> None:
        super().__init__(path, encoding)
        self.columns, first = (), None
        found: dict[str, None] = {}
        for index in islice(range(len(self)), LOOKED_AT):
            try:
                found.update(dict.fromkeys(self[index]))
            except InputError as error:
                first = first or error
        if not found:
            raise first or InputError(f"{self.name}: its objects are empty; give them columns")
        self.columns = tuple(found)

    def _row(self, text: str, number: int) -> Row:
        place = f"{self.name}:{number}"
        values = parse(text, place)
        if not isinstance(values, dict):
            raise InputError(f"{place}: a {type(values).__name__}, not an object; write one object a line")
        return dict.fromkeys(self.columns) | values


def parse(text: str, place: str) -> Any:
    """What a text in JSON holds. Raises InputError, which names the place, where it is broken."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not JSON ({reason(error)}); write it again with a JSON library") from None
