"""Says before a run how many of its rows are longer than what is read of them, or learned to be written."""

import sys
from collections.abc import Callable, Sequence

from mm_memgpt.backbones.base import Processor
from mm_memgpt.backbones.tokens import left_out
from mm_memgpt.datasets.table import Table
from mm_memgpt.tasks.base import Example, Task
from mm_memgpt.tasks.writing import WritingTask
from mm_memgpt.tasks.writing_tokens import WritingProcessor
from mm_memgpt.types import InputError

LOOKED_AT = 300
"""Rows at most from which the share is told."""


def say_cut(table: Table, rows: Sequence[int], task: Task, processor: Processor) -> None:
    """A line on standard error where texts among evenly spaced rows are cut, with how to read all of them."""

    def is_cut(example: Example) -> bool:
        return any(left_out(processor, inputs) for inputs in task.apart(example.inputs))

    if {"text", "text_pair"} & {*task.columns} & {*task.inputs}:
        longest = f"longer than the {processor.fit.longest} tokens that are read"
        _say(table, rows, task, is_cut, f"{longest}, and cut; to read all, set over: windows, or a larger longest")


def say_cut_written(table: Table, rows: Sequence[int], task: WritingTask, processor: WritingProcessor) -> None:
    """The same of a task that writes: of the texts that are read, and of those that are learned."""

    def is_cut(example: Example) -> bool:
        learned = task.as_learned(example)
        return learned.target is not None and processor.cuts(learned.further, task.learned(learned.target))

    longest, full = processor.longest, processor.longest == processor.room
    way_out = "take a backbone that holds more" if full else "set a larger longest"
    longer = f"longer than the {longest} tokens that are read, or the {longest} that are learned to be written"
    _say(table, rows, task, is_cut, f"{longer}, and cut; to learn from all, {way_out}")


def _say(table: Table, rows: Sequence[int], task: Task, is_cut: Callable[[Example], bool], what: str) -> None:
    looked, cut = rows[:: max(1, len(rows) // LOOKED_AT)], 0
    for row in looked:
        try:
            cut += is_cut(task.example(table, row))
        except InputError:  # it is said when the row is learned from
            continue
    if cut:
        print(f"{table.name}: of {len(looked)} rows looked at, {cut} are {what}", file=sys.stderr)
