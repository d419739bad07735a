"""Texts that go on: what follows a text, or what a prompt asks for.

Notable: a long text is learned in pieces, cut where a word ends; a text that is at hand is judged by how well it is
foreseen, each piece behind the one before it, which says more of a model that writes on than any likeness.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from torch import nn

from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.evaluation.perplexity import Foreseen, foreseen, perplexity_scores
from mm_memgpt.tasks.base import Example, Prediction, Scores, without_target
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing import WritingTask
from mm_memgpt.types import InputError

ENDS = "the text ends here"
"""Column of a table of pieces: whether a piece is the last of its text."""

PIECE = 600
"""Characters of a piece, unless a recipe says: about 150 tokens of English."""


class Generation(WritingTask):
    """A text that goes on, or that a prompt asks for. Without a column of labels the text itself is what is learned.
    Options as `WritingTask`, and piece: characters of the pieces that a text without a label is learned in."""

    name = "generation"
    roles: ClassVar = {**WritingTask.roles, "label": "what is to be written; the text itself where there is none"}
    needs = ()
    OPTIONS: ClassVar = {**WritingTask.OPTIONS, "smoothing": 0.0, "piece": PIECE}
    best = "loss"
    foresees = True

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        piece = self.options["piece"]
        if not isinstance(piece, int) or piece < 1:
            raise ValueError(f"piece {piece!r} must be a whole number of at least 1; try piece={PIECE}")
        if self.options["remember"] and not self.has_labels:
            raise ValueError("a text that is remembered is no text to learn; name the column of the labels: label")

    @property
    def has_labels(self) -> bool:
        """Whether what is written is another column than what is read."""
        return "label" in self.columns

    def view(self, table: Table) -> Table:
        return table if self.has_labels else Pieces(table, self.columns["text"], self.options["piece"])

    def target(self, row: Row, place: str) -> str | None:
        return super().target(row, place) if self.has_labels else row[self.columns["text"]]

    def example(self, table: Table, index: int) -> Example:
        example = super().example(table, index)
        return example._replace(further=example.further._replace(ends=table[index].get(ENDS, True)))

    def as_learned(self, example: Example) -> Example:
        """An example as it is learned: one without a label is written from nothing, and ends where the whole does."""
        if self.has_labels:
            return example
        return example._replace(further=Prompt("", self.options["begin"], ends=example.further.ends))

    def predict(self, model: nn.Module, examples: Sequence[Example]) -> list[Prediction]:
        """What is written on from each, and, where it is known what should be, how well that was foreseen."""
        return self.foreseeing(model, super().predict(model, examples), examples)

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """Perplexity and bits a byte of what should be written."""
        without_target(examples, "label")
        return Scores(perplexity_scores([each.details["foreseen"] for each in predictions]))


class Pieces(Table):
    """A table whose texts are cut into pieces, each a row."""

    def __init__(self, table: Table, column: str, longest: int) -> None:
        self.table, self.column, self.name, self.columns = table, column, table.name, table.columns
        self.folder = table.folder
        self.rows: list[tuple[int, int, int]] = []
        for row in range(len(table)):
            self.rows += [(row, *ends) for ends in _ends_of(table, row, column, longest)]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        row, begin, end = self.rows[index]
        cells = self.table[row]
        if end == 0:
            return cells
        text = cells[self.column]
        return {**cells, self.column: text[begin:end].rstrip(" "), ENDS: end == len(text)}

    def place(self, index: int) -> str:
        row, begin, _ = self.rows[index]
        return self.table.place(row) + (f", character {begin}" if begin else "")


def _ends_of(table: Table, row: int, column: str, longest: int) -> list[tuple[int, int]]:
    """Where each piece of a text begins and ends; (0, 0) is a row that is none."""
    try:
        text = table[row].get(column)
    except InputError:
        return [(0, 0)]
    return list(cut_text(text, longest)) if isinstance(text, str) and text.strip() else [(0, 0)]


def cut_text(text: str, longest: int) -> Iterator[tuple[int, int]]:
    """Where pieces of at most `longest` characters begin and end: behind a space where there is one, and all that
    follow it; together they are the text."""
    begin = 0
    while begin < len(text):
        end = min(len(text), begin + longest)
        if end < len(text):
            space = max(text.rfind(" ", begin, end), text.rfind("\n", begin, end))
            end = space + 1 if space > begin else end
        while end < len(text) and text[end].isspace():
            end += 1
        yield begin, end
        begin = end


def likelihood(model: nn.Module, text: str, batch: int = 8) -> Iterator[Foreseen]:
    """How well a `WritingModel` foresees each piece of a text, behind the piece before it.

    Args:
        model: what writes.
        text: of any length.
        batch: pieces at a time.
    """
    room = model.processor.longest if model.room is None else min(model.processor.longest, model.room // 2)
    whole = [text[begin:end] for begin, end in _fitting(model, text, 0, len(text), room - 2)]
    pieces = [piece.removesuffix(" ") for piece in whole]  # a space is the next word's
    prompts = [Prompt(begin=before, ends=False) for before in ["", *pieces[:-1]]]
    for start in range(0, len(pieces), batch):
        some = slice(start, start + batch)
        for piece, logprobs in zip(whole[some], model.score(prompts[some], pieces[some]), strict=True):
            yield foreseen(piece, logprobs.tolist())


def _fitting(model: nn.Module, text: str, begin: int, end: int, room: int) -> Iterator[tuple[int, int]]:
    """Pieces of at most `room` tokens, halved until they are."""
    for first, last in cut_text(text[begin:end], 4 * room):
        piece = text[begin + first : begin + last]
        if last - first > 1 and len(model.tokenizer(piece, add_special_tokens=False)["input_ids"]) > room:
            middle = next(cut_text(piece, (len(piece) + 1) // 2))[1]
            yield from _fitting(model, text, begin + first, begin + first + middle, room)
            yield from _fitting(model, text, begin + first + middle, begin + last, room)
        else:
            yield begin + first, begin + last
