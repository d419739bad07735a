"""The rows that retrieval learns from: one a right answer, each with what else is right and what is known to be wrong.

Notable: rows with the same question are one question: its wrong rows are not learned from by themselves, they are the
hard negatives of its right ones; a broken row stays, so that it is named when it is asked for.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.tasks.lexical import BM25


class Known(NamedTuple):
    """What the cells of a row say, as far as retrieval needs them to tell rows apart."""

    asked: str
    found: str
    right: bool
    negatives: tuple[str, ...] = ()
    """Texts that the row names as wrong."""


class Gathered(Table):
    """Rows of a table that are right.

    Args:
        table: all rows.
        rows: those that are right, or broken.
        rights: question to all that is right for it.
        wrongs: of each of `rows`, numbers of rows, or texts, that are wrong for its question.
    """

    def __init__(
        self, table: Table, rows: Sequence[int], rights: dict[str, set[str]], wrongs: Sequence[Sequence[int | str]]
    ) -> None:
        self.table, self.rows, self.rights, self.wrongs = table, list(rows), rights, list(wrongs)
        self.name, self.columns, self.folder = table.name, table.columns, table.folder

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.table[self.rows[index]]

    def place(self, index: int) -> str:
        return self.table.place(self.rows[index])


PassedOver = Callable[[str], Set[str]]
"""Of a question, what is not to be found for it, though it is not wrong."""


def gather(
    table: Table, known: dict[int, Known | None], hard: int, texts: bool, mine: PassedOver | None = None
) -> Gathered:
    """The right rows with their wrong ones.

    Args:
        table: all rows.
        known: what those that are taken say; None where one is broken.
        hard: wrong ones a row at most: those that share most words with the question.
        texts: whether what is asked and found are texts, which can be compared so.
        mine: where no row is named as wrong, those of other questions are searched, but for what this passes over.
    """
    rights, wrong = defaultdict(set), defaultdict(list)
    for number, says in known.items():
        if says is not None and says.right:
            rights[says.asked].add(says.found)
        elif says is not None:
            wrong[says.asked].append(number)
    rows = [number for number, says in known.items() if says is None or says.right]
    pool = sorted({says.found for says in known.values() if says is not None}) if mine and texts and hard else []
    search = BM25(pool) if pool else None
    wrongs: list[Sequence[int | str]] = []
    for number in rows:
        says = known[number]
        if says is None or not hard:
            wrongs.append(())
            continue
        named = [*wrong[says.asked], *says.negatives]
        if named and texts and len(named) > hard:
            said = [known[each].found if isinstance(each, int) else each for each in named]
            named = [named[place] for place in (-BM25(said)(says.asked)).argsort(kind="stable")]
        elif not named and search is not None:
            over = rights[says.asked] | mine(says.asked)
            near = (-search(says.asked)).argsort(kind="stable")[: hard + len(over)]
            named = [pool[place] for place in near if pool[place] not in over]
        wrongs.append(tuple(named[:hard]))
    return Gathered(table, rows, dict(rights), wrongs)


def digest(cell: Any) -> str:
    """What tells a photo or sound from others: its path, or a digest of its bytes."""
    if isinstance(cell, Mapping):
        cell = cell["path"] if cell.get("bytes") is None else cell["bytes"]
    if isinstance(cell, str):
        return cell
    content = cell if isinstance(cell, bytes) else getattr(cell, "tobytes", lambda: repr(cell).encode())()
    return hashlib.sha256(content).hexdigest()
