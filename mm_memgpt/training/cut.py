"""Says before a run how many of its rows are longer than what is read of them."""

import sys
from collections.abc import Sequence

from mm_memgpt.backbones.base import Processor
from mm_memgpt.backbones.tokens import left_out
from mm_memgpt.datasets.table import Table
from mm_memgpt.tasks.base import Task
from mm_memgpt.types import InputError

LOOKED_AT = 300
"""Rows at most from which the share is told."""


def say_cut(table: Table, rows: Sequence[int], task: Task, processor: Processor) -> None:
    """A line on standard error where texts among evenly spaced rows are cut, with how to read all of them."""
    if not {"text", "text_pair"} & {*task.columns} & {*task.inputs}:
        return
    looked, cut = rows[:: max(1, len(rows) // LOOKED_AT)], 0
    for row in looked:
        try:
            read = task.apart(task.example(table, row).inputs)
            cut += any(left_out(processor, inputs) for inputs in read)
        except InputError:  # it is said when the row is learned from
            continue
    if cut:
        print(
            f"{table.name}: of {len(looked)} rows looked at, {cut} are longer than the {processor.fit.longest} tokens "
            "that are read, and cut; to read all, set over: windows, or a larger longest",
            file=sys.stderr,
        )
