"""Translation between several languages by one model: a tag ahead of the text says into which.

Notable: the tag is the way of arXiv:1611.04558 §3; rows that hold a sentence in several languages are spread into one
row a pair, and all pairs of a row stay on one side when validation rows are spared.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.fields import as_text
from mm_memgpt.datasets.table import Row, Table, column
from mm_memgpt.evaluation.written import written_scores
from mm_memgpt.tasks.base import Example, Prediction, Scores, without_target
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing import WritingTask
from mm_memgpt.types import InputError

LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
"""A language's tag (RFC 5646): de, pt-BR."""


class Translation(WritingTask):
    """A text into another language. Options as `WritingTask`, and pairs: of rows that hold a text in several languages,
    in columns that are called by them, which is learned into which: [en-de, en-fr]; into: the language of all rows, of
    a table of texts and labels without a column of languages."""

    name = "translation"
    inputs = ("text", "language")
    needs = ()
    OPTIONS: ClassVar = {**WritingTask.OPTIONS, "pairs": [], "into": None}
    together = "text"

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        options = dict(options or {})
        pairs = [_pair(each) for each in options.get("pairs", [])]
        if pairs:
            clash = {"text", "label", "language"} & {*columns}
            if clash and not labels:
                raise ValueError(f"pairs name the columns; leave out {min(clash)!r}")
            columns = {**columns, "text": "text", "label": "label", "language": "language"}
        super().__init__(columns, labels, options)
        self.pairs = pairs
        if not pairs and not labels and "language" not in columns:
            if self.options["into"] is None:
                raise ValueError("translation needs options.into, or pairs, or a column of languages: language")
            labels = [self.options["into"]]
        self.labels = tuple(labels) or tuple(dict.fromkeys(target for _, target in pairs))
        for language in self.labels:
            if not LANGUAGE.fullmatch(language):
                raise ValueError(f"language {language!r} is no tag of a language; try de")

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> "Translation":
        task = cls(columns, (), options)
        if task.pairs:
            for name in dict.fromkeys(name for pair in task.pairs for name in pair):
                column(table, name, "pairs")
            return task
        for role, name in columns.items():
            column(table, name, role)
        if not task.labels:
            found = {str(row[columns["language"]]) for row in _whole(table)}
            return cls(columns, sorted(found), options)
        return task

    @property
    def tags(self) -> tuple[str, ...]:
        """What stands ahead of a text, one a language."""
        return tuple(map(tag, self.labels))

    def view(self, table: Table) -> Table:
        return Spread(table, self.pairs) if self.pairs and "text" not in table.columns else table

    def read(self, row: Row, place: str, table: Table) -> Inputs:
        name = self.columns["text"]
        text, language = as_text(row[name], place, name), self._language(row, place)
        return Inputs(text=f"{tag(language)} {text}")

    def prompt(self, inputs: Inputs, memory: Sequence[str] = ()) -> Prompt:
        return Prompt(inputs.text, self.options["begin"], tuple(memory))

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """BLEU and chrF over all rows, and those of each language by itself."""
        without_target(examples, "label")
        scores = super().score(predictions, examples).values
        written: dict[str, list[tuple[str, str]]] = {}
        for prediction, example in zip(predictions, examples, strict=True):
            into = example.inputs.text.split(" ", 1)[0].strip("<>")[1:]
            written.setdefault(into, []).append((prediction.value, example.target))
        for language in [each for each in self.labels if each in written] if len(written) > 1 else []:
            own = written_scores(*map(list, zip(*written[language], strict=True)))
            scores |= {f"{name}_{language}": own[name] for name in ("bleu", "chrf")}
        return Scores(scores)

    def _language(self, row: Row, place: str) -> str:
        name = self.columns.get("language")
        language = self.labels[0] if name is None else as_text(row[name], place, name)
        if language not in self.labels:
            raise InputError(f"{place}: language {language!r} is unknown; this model writes {', '.join(self.labels)}")
        return language


class Spread(Table):
    """A table whose rows hold a text in several languages, as one row a pair of them."""

    columns = ("text", "label", "language")

    def __init__(self, table: Table, pairs: Sequence[tuple[str, str]]) -> None:
        self.table, self.name, self.folder = table, table.name, table.folder
        self.pairs = [pair for pair in pairs if {*pair} <= {*table.columns}]
        if not self.pairs:
            wanted = ", ".join(f"{source} and {target}" for source, target in pairs)
            raise InputError(f"{table.name}: no columns of a pair of languages ({wanted}); it has {table.columns}")

    def __len__(self) -> int:
        return len(self.table) * len(self.pairs)

    def __getitem__(self, index: int) -> Row:
        place, pair = divmod(index, len(self.pairs))
        row, (source, target) = self.table[place], self.pairs[pair]
        return {"text": row[source], "label": row[target], "language": target}

    def place(self, index: int) -> str:
        place, pair = divmod(index, len(self.pairs))
        return f"{self.table.place(place)} into {self.pairs[pair][1]}"


def tag(language: str) -> str:
    """What stands ahead of a text that is to be translated into a language."""
    return f"<2{language}>"


def _pair(written: str) -> tuple[str, str]:
    source, _, target = str(written).partition("-")
    if not source or not target:
        raise ValueError(f"pair {written!r} is no pair of columns; try en-de")
    return source, target


def _whole(table: Table) -> list[Row]:
    rows = []
    for index in range(len(table)):
        try:
            rows.append(table[index])
        except InputError:
            continue
    return rows
