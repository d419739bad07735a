"""A split of any dataset that Hugging Face `datasets` can load, as a table.

Notable: labels stay the numbers they are, photos and sounds stay encoded; rows count from 0.
"""

from mm_memgpt.datasets.hub import load_rows
from mm_memgpt.datasets.table_base import Row, Table
from mm_memgpt.types import InputError


class HubTable(Table):
    """The rows of "hub:owner/name", or of a folder that `save_to_disk` wrote.

    Raises:
        InputError: no such dataset or split, several splits and none chosen, or no row.
        ImportError: Hugging Face datasets is not installed.
    """

    def __init__(self, name: str, split: str | None = None) -> None:
        self.name = name
        self.rows = load_rows(name, split)
        self.columns = tuple(self.rows.column_names)
        if len(self.rows) == 0:
            raise InputError(f"{name}: holds no row; choose another split")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[range(len(self))[index]]

    def place(self, index: int) -> str:
        return f"{self.name}:{range(len(self))[index]}"
