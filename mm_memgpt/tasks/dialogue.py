"""Dialogue: the next turn of a conversation, whose earlier turns are remembered and whose last ones are read.

Notable: a whole conversation is a row, and every turn of it but the first is learned from those before it; all of them
stay on one side when validation rows are spared. A turn can be answered in so many ways that the loss chooses the
checkpoint, and no likeness.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import nn

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.fields import as_text, as_texts
from mm_memgpt.datasets.table import Row, Table, column
from mm_memgpt.evaluation.perplexity import perplexity_scores
from mm_memgpt.tasks.base import Example, Prediction, Scores
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing import WritingTask
from mm_memgpt.types import InputError

LABEL, CONVERSATION = "next turn", "conversation of the turn"
"""Columns of a table that is spread: what is to be written, and which conversation it is of."""

_MARK = re.compile(r"\s+(?=[,.;:?!%)])")
_APOSTROPHE = re.compile(r"\s+([\u2019'])\s*(?=(?:s|m|t|d|re|ve|ll)\b)")


class Dialogue(WritingTask):
    """The next turn. Options as `WritingTask`, and recent: how many turns are read as they stand, the ones before being
    remembered, where the model has a memory; forgetful: whether those are left out, for a model that has none.

    Rows are whole conversations (`text`: a list of turns, or a turn a line), or the turns so far and the next one
    (`label`).
    """

    name = "dialogue"
    needs = ()
    roles: ClassVar = {**WritingTask.roles, "conversation": "what tells conversations apart"}
    together = "conversation"
    best = "loss"
    foresees = True
    OPTIONS: ClassVar = {**WritingTask.OPTIONS, "recent": 2, "forgetful": False, "decoding": {"longest": 40}}

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        self.spread = columns.get("label") in (None, LABEL)
        spread = {"label": LABEL, "conversation": CONVERSATION} if self.spread else {}
        super().__init__({**columns, **spread}, labels, options)
        if not isinstance(self.options["recent"], int) or self.options["recent"] < 1:
            raise ValueError(f"recent {self.options['recent']!r} must be at least 1 turn; try recent=2")
        if self.options["remember"]:
            raise ValueError("a dialogue remembers by itself; leave out remember, and see recent and forgetful")

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> "Dialogue":
        for role, name in columns.items():
            if name not in (LABEL, CONVERSATION):
                column(table, name, role)
        return cls(columns, (), options)

    def view(self, table: Table) -> Table:
        return Turns(table, self.columns["text"]) if self.spread and LABEL not in table.columns else table

    def read(self, row: Row, place: str, table: Table) -> Inputs:
        name = self.columns["text"]
        return Inputs(text="\n".join(turns_of(row[name], place, name)))

    def prompt(self, inputs: Inputs, memory: Sequence[str] = ()) -> Prompt:
        """The last turns to be read, a line each, and the line that is to be written begun."""
        turns = (inputs.text or "").split("\n")
        earlier, recent = turns[: -self.options["recent"]], turns[-self.options["recent"] :]
        kept = () if self.options["forgetful"] else (*memory, *earlier)
        return Prompt("".join(f"{turn}\n" for turn in recent), self.options["begin"], tuple(kept))

    def predict(self, model: nn.Module, examples: Sequence[Example]) -> list[Prediction]:
        """The next turn of each, and, where it is known what was said, how well that was foreseen."""
        return self.foreseeing(model, super().predict(model, examples), examples)

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """As `WritingTask`, and the perplexity of the turns that were said."""
        likeness = super().score(predictions, examples).values
        return Scores(likeness | perplexity_scores([each.details["foreseen"] for each in predictions]))


class Turns(Table):
    """A table of conversations as one row for each turn that answers others: what was said so far, and the turn."""

    def __init__(self, table: Table, name: str) -> None:
        self.table, self.text = table, name
        self.name, self.folder, self.columns = table.name, table.folder, (name, LABEL, CONVERSATION)
        self.rows: list[tuple[int, int]] = []
        for index in range(len(table)):
            try:
                turns = turns_of(table[index][name], table.place(index), name)
            except InputError:
                self.rows.append((index, 0))  # it is refused when it is read, with its place
                continue
            self.rows += [(index, number) for number in range(1, len(turns))]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        row, number = self.rows[index]
        turns = turns_of(self.table[row][self.text], self.table.place(row), self.text)
        return {self.text: list(turns[:number]), LABEL: turns[number], CONVERSATION: self.table.place(row)}

    def place(self, index: int) -> str:
        row, number = self.rows[index]
        return f"{self.table.place(row)} turn {number + 1}"


def turns_of(value: Any, place: str, name: str) -> tuple[str, ...]:
    """The turns of a conversation, a list or a turn a line, each on one line and spaced as people write.

    Raises:
        InputError: no turn.
    """
    given = as_text(value, place, name).split("\n") if isinstance(value, str) else as_texts(value, place, name)
    turns = tuple(tidy for turn in given if (tidy := tidied(turn)))
    if not turns:
        raise InputError(f"{place}: no turn in {name}; write one, or leave the row out")
    return turns


def tidied(turn: str) -> str:
    """A turn as people write it: no space ahead of a mark, which corpora that are cut into tokens have."""
    return _APOSTROPHE.sub(r"\1", _MARK.sub("", " ".join(turn.split())))
