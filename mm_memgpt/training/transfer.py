"""Transfer sets: texts without labels that a teacher labels, from which its student learns beside the labelled rows.

Notable: what is taken is a sample of fixed size whatever the source's length, the texts of the smallest digests by the
run's seed, so a text that comes twice counts once; a text of the labelled rows, training or validation, is left out,
however it is spaced, cased and punctuated.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from hashlib import blake2b
from heapq import heappush, heapreplace
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from mm_memgpt.datasets.document import split
from mm_memgpt.datasets.fields import as_text
from mm_memgpt.datasets.table import Row, Table, column, read_table
from mm_memgpt.datasets.table_parts import JoinedTable
from mm_memgpt.objectives.imitation import TransferConfig
from mm_memgpt.tasks.base import Task
from mm_memgpt.training.rows import RowExamples
from mm_memgpt.training.stream import Skip
from mm_memgpt.training.teacher import Teaching
from mm_memgpt.types import InputError

ROLES = ("text", "text_pair")
"""What a row of a transfer set may have."""

_WORD = re.compile(r"\w+")


class Text(NamedTuple):
    """What a row of the set reads, and where it stands."""

    cells: tuple[str, ...]
    """The text, or both of a pair."""
    place: str


class TransferTable(Table):
    """Texts as rows of another table: its columns, empty but for the texts and what is said of them.

    Args:
        name: of their source.
        columns: of the other table.
        texts: in their order.
        names: columns of the texts.
    """

    def __init__(self, name: str, columns: Sequence[str], texts: Sequence[Text], names: Sequence[str]) -> None:
        self.name, self.columns, self.texts, self.names = name, tuple(columns), texts, names
        self.said: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Row:
        said = {name: values[index] for name, values in self.said.items()}
        return dict.fromkeys(self.columns) | dict(zip(self.names, self.texts[index].cells, strict=True)) | said

    def place(self, index: int) -> str:
        return self.texts[index].place


class TransferExamples(RowExamples):
    """The labelled rows of a run, and beside them in each epoch a share of a transfer set, the next in turn.

    Args:
        rows: the labelled ones.
        transfer: what the teacher has labelled.
        share: of them, how many an epoch has.
    """

    def __init__(self, rows: RowExamples, transfer: TransferTable, share: float) -> None:
        self.own, self.further = len(rows.rows), len(transfer)
        self.drawn = max(1, round(share * self.further))
        numbers = np.concatenate([rows.rows, len(rows.table) + np.arange(self.further)])
        joined = JoinedTable([rows.table, transfer])
        super().__init__(joined, numbers, rows.task, rows.epochs, rows.seed, rows.batch, rows.skip)

    @property
    def each(self) -> int:
        return self.own + self.drawn

    def _drawn(self, epoch: int, generator: np.random.Generator) -> np.ndarray:
        further = self.own + (epoch * self.drawn + np.arange(self.drawn)) % self.further
        return generator.permutation(np.concatenate([np.arange(self.own), further]))


def with_transfer(
    how: TransferConfig, teaching: Teaching, rows: RowExamples, held: Table, precision: str = "fp32"
) -> TransferExamples:
    """The labelled rows with a transfer set, whose labels are what the teacher says.

    Args:
        how: where the texts are, and how many are taken.
        teaching: the teacher, who keeps what it says of them.
        rows: the labelled ones.
        held: rows that validate.
        precision: fp32, or bf16 for mixed precision.

    Raises:
        InputError: a task of which a teacher can label nothing, or texts that cannot be read.
    """
    task = teaching.task
    if task.labelled is None:
        raise InputError(f"{how.path}: what a model of {task.name} says is no label of a row; leave out 'transfer'")
    if odd := sorted({*task.columns} & {*task.inputs} - {*ROLES}):
        raise InputError(f"{how.path}: a transfer set has texts, no {odd[0]}; leave out 'transfer'")
    names = [task.columns[role] for role in ROLES if role in task.columns]
    known = {digest(cells, rows.seed) for table in (rows.table, held) for cells, _ in _rows(table, names, None)}
    found = sample(_texts(how, task, rows.skip), how.most, rows.seed, known)
    if not found:
        raise InputError(f"{how.path}: no text in it that the labelled rows have not; give others to teacher.transfer")
    transfer = TransferTable(how.path, rows.table.columns, found, names)
    transfer.said[task.columns[task.labelled]] = _labels(teaching, transfer, rows.batch, precision)
    return TransferExamples(rows, transfer, how.share)


def sample(texts: Iterable[Text], most: int, seed: int, known: Iterable[int] = ()) -> list[Text]:
    """At most so many of the texts, each once and in an order by chance, but for those whose numbers are known."""
    held, kept, heap = {*known}, set(), []
    for text in texts:
        number = digest(text.cells, seed)
        if number in held or number in kept:
            continue
        if len(heap) < most:
            heappush(heap, (-number, text))
        elif number < -heap[0][0]:
            kept.remove(-heapreplace(heap, (-number, text))[0])
        else:
            continue
        kept.add(number)
    return [text for _, text in sorted(heap, reverse=True)]


def digest(cells: Sequence[str], seed: int) -> int:
    """A number by chance for the words of a text, or of both of a pair."""
    told = json.dumps([seed, *(_WORD.findall(cell.casefold()) for cell in cells)]).encode()
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "big")


def _texts(how: TransferConfig, task: Task, skip: Skip | None) -> Iterator[Text]:
    """The texts of the source, or their sentences."""
    table = read_table(how.path)
    roles = {role: task.columns[role] for role in ROLES if role in task.columns}
    if how.text is not None:
        roles["text"] = how.text
    if how.sentences and len(roles) > 1:
        raise InputError(f"{how.path}: sentences of one text are no pairs; leave out teacher.transfer.sentences")
    for role, name in roles.items():
        column(table, name, f"teacher.transfer.{role}")
    for text in _rows(table, list(roles.values()), skip):
        if not how.sentences:
            yield text
            continue
        for sentence in split(text.cells[0]):
            if how.words[0] <= len(sentence.split()) <= how.words[1]:
                yield Text((sentence,), text.place)


def _rows(table: Table, names: Sequence[str], skip: Skip | None) -> Iterator[Text]:
    """The texts of rows; broken ones are passed over, and told of."""
    for index in range(len(table)):
        place = table.place(index)
        try:
            row: Mapping[str, Any] = table[index]
            yield Text(tuple(as_text(row[name], place, name) for name in names), place)
        except InputError as error:
            if skip is not None:
                skip(error)


def _labels(teaching: Teaching, transfer: TransferTable, batch: int, precision: str) -> list[Any]:
    """What the teacher says of each row, those of like length read together."""
    task = teaching.task
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    lower = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
    order = sorted(range(len(transfer)), key=lambda index: task.size(transfer, index))
    said: dict[int, Any] = {}
    with lower, tqdm(total=len(order), unit="text", desc="labelled by the teacher", file=sys.stderr) as bar:
        for begin in range(0, len(order), batch):
            places = order[begin : begin + batch]
            inputs = [task.read(transfer[place], transfer.place(place), transfer) for place in places]
            predictions = teaching.label(inputs, device)
            said |= {place: each.value for place, each in zip(places, predictions, strict=True)}
            bar.update(len(places))
    return [said[place] for place in range(len(order))]
