"""The rows of a table as the examples of a whole run, those of like length together.

Notable: the order depends on (seed, epoch) alone, so a resumed run sees what an unbroken one sees; rows of like length
make batches with little padding, and the batches come in any order: a third fewer tokens on SST-2 (204,320 of 319,488).
"""

from collections.abc import Hashable, Sequence

import numpy as np

from mm_memgpt.datasets.table import Table
from mm_memgpt.tasks.base import Example, Task
from mm_memgpt.training.stream import Ordered, Skip, first_usable, instead

POOL = 32
"""Batches from which those of like length are made."""


class RowExamples(Ordered):
    """Examples of a task for all epochs in a row.

    Args:
        table: the rows.
        rows: numbers of those that are taken.
        task: makes examples of them.
        epochs: passes; a part of one is cut off.
        seed: of the order.
        batch: examples a batch.
        skip: told of each broken row, in whose place another comes.
    """

    def __init__(
        self, table: Table, rows: Sequence[int], task: Task, epochs: float, seed: int, batch: int, skip: Skip | None
    ) -> None:
        self.table, self.rows, self.task = table, np.asarray(rows), task
        self.epochs, self.seed, self.batch, self.skip = epochs, seed, batch, skip
        self.lengths = np.array([task.size(table, int(row)) for row in self.rows])
        self.length = max(1, round(epochs * self.each))
        super().__init__()

    @property
    def each(self) -> int:
        """Examples an epoch."""
        return len(self.rows)

    def __len__(self) -> int:
        return self.length

    def _order(self, epoch: int) -> np.ndarray:
        generator = np.random.default_rng((self.seed, epoch))
        order = self._drawn(epoch, generator)
        batches = []
        for begin in range(0, len(order), POOL * self.batch):
            some = order[begin : begin + POOL * self.batch]
            some = some[np.argsort(self.lengths[some], kind="stable")]
            batches += [some[place : place + self.batch] for place in range(0, len(some), self.batch)]
        odd = [each for each in batches if len(each) < self.batch]  # the last, or all after it would be cut askew
        whole = [each for each in batches if len(each) == self.batch]
        return np.concatenate([whole[place] for place in generator.permutation(len(whole))] + odd)

    def _drawn(self, epoch: int, generator: np.random.Generator) -> np.ndarray:
        """Places of an epoch's rows, in any order."""
        return generator.permutation(len(self.rows))

    def __getitem__(self, index: int) -> Example:
        epoch, position = divmod(index, self.each)
        place = int(self.order(epoch)[position])
        numbers = (int(self.rows[each]) for each in instead(place, len(self.rows), f"{self.seed}:{index}"))
        return first_usable(numbers, lambda row: self.task.example(self.table, row), self.skip)


def split(rows: int, share: float, seed: int, groups: Sequence[Hashable] | None = None) -> tuple[list[int], list[int]]:
    """Numbers of rows for training and for validation, by chance; of validation at least one.

    Args:
        rows: how many there are.
        share: of validation, of the rows, or of the groups.
        seed: of the chance.
        groups: of each row the group it belongs to; a group is on one side, whole.
    """
    numbers = list(range(rows)) if groups is None else _numbered(groups)
    order = np.random.default_rng(seed).permutation(max(numbers) + 1)
    spared = {*order[: max(1, round(share * len(order)))].tolist()}
    return [i for i in range(rows) if numbers[i] not in spared], [i for i in range(rows) if numbers[i] in spared]


def _numbered(groups: Sequence[Hashable]) -> list[int]:
    """Groups as numbers, in order of appearance."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(group, len(numbers)) for group in groups]
