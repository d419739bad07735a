"""The labels of a table's column: which there are, and how often.

Notable: they are texts, in numeric order where all are whole numbers, so that the order of the rows decides nothing.
"""

from collections import Counter
from contextlib import suppress

from mm_memgpt.datasets.fields import as_label
from mm_memgpt.datasets.table import Table
from mm_memgpt.types import InputError

MOST = 10_000
"""Labels at most; a column of more is rather a text or a number."""


def learn_labels(table: Table, name: str) -> Counter:
    """Label to how many rows have it, sorted. A row that cannot be read is passed over.

    Raises:
        InputError: fewer than two labels, or more than MOST, or no row can be read.
    """
    counts: Counter = Counter()
    broken = None
    for index in range(len(table)):
        try:
            row = table[index]
        except InputError as error:
            broken = broken or error
            continue
        with suppress(InputError):
            counts[as_label(row[name], table.place(index), name)] += 1
    if not counts and broken is not None:
        raise broken
    if not counts:
        raise InputError(f"{table.name}: no row has a label in column {name!r}; fill it in")
    if len(counts) == 1:
        only = next(iter(counts))
        raise InputError(f"{table.name}: one class only, {only!r} in column {name!r}; give rows of at least two")
    if len(counts) > MOST:
        raise InputError(
            f"{table.name}: {len(counts)} different labels in column {name!r}, at most {MOST} can be told apart; "
            "is it a text or a number (task: regression)?"
        )
    whole = all(label.lstrip("-").isdigit() for label in counts)
    return Counter({label: counts[label] for label in sorted(counts, key=int if whole else str)})
