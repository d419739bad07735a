"""Tagging: a tag for each word, B-kind and I-kind of an entity and O outside, and the entities that they make.

Notable: a word is predicted from its first token (arXiv:1810.04805 §5.3); what is predicted is always a valid sequence,
the likeliest one; an I- that continues nothing begins an entity, in training rows, too.

b rows   n windows   t tokens   o tags   m words of a row
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.fields import as_text, as_words, check_tags
from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.evaluation.tagging import entities, per_type, tagging_scores
from mm_memgpt.objectives.imitation import aligned, soft_loss
from mm_memgpt.objectives.labels import IGNORED, cross_entropy
from mm_memgpt.tasks.base import Batch, Example, Prediction, Scores, Task, without_target
from mm_memgpt.tasks.words import Spans, first_tokens, joined, located, split_words
from mm_memgpt.types import InputError

DECODINGS = ("viterbi", "greedy")
"""The likeliest valid sequence of tags, or the likeliest tag of each word, made valid."""


class Tagging(Task):
    """Entities. Options: decoding (viterbi or greedy), smoothing.

    A prediction's value is a tuple of entities {kind, start, end, characters, text, confidence}: words[start:end] and
    text[characters[0]:characters[1]]; its details have the tags, the characters of each word, and how many words were
    not read (their tag is O).
    """

    name = "tagging"
    roles: ClassVar = {"tags": "the tag of each word"}
    inputs = ("text",)
    needs = ("text", "tags")
    best = "f1"
    OPTIONS: ClassVar = {"decoding": "viterbi", "smoothing": 0.0}
    DEFAULTS: ClassVar = {"over": "windows", "stride": 24}
    of_tokens = True

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        decoding = self.options["decoding"]
        if decoding not in DECODINGS:
            raise ValueError(f"decoding {decoding!r} is unknown; known: {', '.join(DECODINGS)}")

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> Task:
        task = super().learn(columns, table, options)
        kinds = set()
        for index in range(len(table)):
            try:
                kinds.update(entity.kind for entity in entities(task.example(table, index).target))
            except InputError:
                continue
        if not kinds:
            raise InputError(
                f"{table.name}: no entity in column {columns['tags']!r}; give rows with tags B-... and I-..."
            )
        labels = ["O", *(f"{prefix}-{kind}" for kind in sorted(kinds) for prefix in "BI")]
        return cls(columns, labels, task.options)

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def example(self, table: Table, index: int) -> Example:
        row, place = table[index], table.place(index)
        text, words = self._words(row, place)
        return Example(Inputs(text=text), self._tags(row, place, len(words)), place, words)

    def read(self, row: Row, place: str, table: Table) -> Inputs:
        return Inputs(text=self._words(row, place)[0])

    def _words(self, row: Row, place: str) -> tuple[str, Spans]:
        """The text of a row, and where its words are: as given, and of a text without tags as `split_words` says."""
        name = self.columns["text"]
        given = row[name]
        if not isinstance(given, str):
            text, spans = joined(as_words(given, place, name))
            return as_text(text, place, name), spans
        text = as_text(given, place, name)
        tagged = row.get(self.columns["tags"]) is not None
        return text, located(text, text.split()) if tagged else split_words(text)

    def _tags(self, row: Row, place: str, words: int) -> tuple[str, ...] | None:
        name = self.columns["tags"]
        if row.get(name) is None:
            return None
        tags = as_words(row[name], place, name)
        check_tags(range(words), tags, place)
        try:
            return repaired(tags)
        except ValueError as error:
            raise InputError(f"{place}: {error}; write them so in {name}") from None

    def targets(self, examples: Sequence[Example], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        without_target(examples, "tags")
        labels = torch.full_like(batch["part"], IGNORED).flatten(1)
        numbers = {label: number for number, label in enumerate(self.labels)}
        for row, example in enumerate(examples):
            for token, tag in zip(first_tokens(batch, row, example.further), example.target, strict=True):
                if tag not in numbers:
                    known = ", ".join(label[2:] for label in self.labels if label.startswith("B-"))
                    raise InputError(
                        f"{example.place}: kind {tag[2:]!r} was not in the training rows; they had {known}"
                    )
                if token >= 0:
                    labels[row, token] = numbers[tag]
        return {"labels": labels}

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        if (batch["labels"] == IGNORED).all():
            return 0 * outputs.float().sum()
        return cross_entropy(outputs, batch["labels"], None, self.options["smoothing"])

    def imitation(self, answers: Tensor, taught: Tensor, batch: Batch, read: Batch, temperature: float) -> Tensor:
        """Of the first token of each word."""
        places = aligned(batch, read)
        learned = (batch["labels"] != IGNORED) & (places >= 0)
        theirs = taught.gather(1, places.clamp_min(0).unsqueeze(-1).expand_as(answers))
        return soft_loss(answers[learned], theirs[learned], temperature)

    def decode(self, outputs: Tensor, batch: Mapping[str, Tensor], examples: Sequence[Example]) -> list[Prediction]:
        log_probabilities = outputs.double().log_softmax(-1)
        predictions = []
        for row, example in enumerate(examples):
            words = split_words(example.inputs.text) if example.further is None else example.further
            tokens = first_tokens(batch, row, words)
            read = torch.tensor([token >= 0 for token in tokens], dtype=torch.bool)
            each = log_probabilities[row, torch.tensor(tokens, dtype=torch.long).clamp_min(0)]  # (m, o)
            each = torch.where(read.unsqueeze(1), each, _outside(self.labels))
            predictions.append(self._said(example.inputs.text, words, each, int((~read).sum())))
        return predictions

    def _said(self, text: str, words: Spans, log_probabilities: Tensor, unread: int) -> Prediction:
        if self.options["decoding"] == "viterbi":
            tags = likeliest(log_probabilities, self.labels)
        else:
            tags = repaired([self.labels[place] for place in log_probabilities.argmax(-1).tolist()])
        numbers = {label: number for number, label in enumerate(self.labels)}
        sure = [row[numbers[tag]] for row, tag in zip(log_probabilities.tolist(), tags, strict=True)]
        found = []
        for kind, start, end in entities(tags):
            begin, stop = words[start][0], words[end - 1][1]
            found.append(
                {
                    "kind": kind,
                    "start": start,
                    "end": end,
                    "characters": [begin, stop],
                    "text": text[begin:stop],
                    "confidence": math.exp(sum(sure[start:end])),
                }
            )
        details = {"tags": list(tags), "words": [list(span) for span in words], "unread": unread}
        return Prediction(value=tuple(found), confidence=math.exp(sum(sure) / max(1, len(sure))), details=details)

    def confidence(self, outputs: Tensor, batch: Mapping[str, Tensor], predictions: Sequence[Prediction]) -> Tensor:
        """Log-probability of the tags of a row's entities; the mean one of all its tags where it has none."""
        log_probabilities = outputs.float().log_softmax(-1)
        each = []
        for row, prediction in enumerate(predictions):
            tokens = first_tokens(batch, row, tuple(map(tuple, prediction.details["words"])))
            said = [
                log_probabilities[row, token, self.labels.index(tag)]
                for token, tag in zip(tokens, prediction.details["tags"], strict=True)
                if token >= 0 and (tag != "O" or not prediction.value)
            ]
            total = torch.stack(said).sum() if said else 0 * log_probabilities[row].sum()
            each.append(total if prediction.value else total / max(1, len(said)))
        return torch.stack(each)

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        truth = [example.target for example in examples]
        predicted = [each.details["tags"] for each in predictions]
        return Scores(tagging_scores(truth, predicted), None, per_type(truth, predicted))


def repaired(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags of the same entities in which every entity begins with B-.

    Raises:
        ValueError: a tag that is none of O, B-kind and I-kind.
    """
    valid = ["O"] * len(tags)
    for kind, start, end in entities(tags):
        valid[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tuple(valid)


def likeliest(log_probabilities: Tensor, labels: Sequence[str]) -> tuple[str, ...]:
    """The valid sequence of labels whose log-probabilities (m, o) have the highest sum (Viterbi 1967)."""
    if len(log_probabilities) == 0:
        return ()
    follows = [[_may_follow(before, after) for after in labels] for before in labels]
    barred = torch.zeros(len(labels), len(labels), dtype=log_probabilities.dtype)
    barred = barred.masked_fill(~torch.tensor(follows), -math.inf)
    best = log_probabilities[0] + barred[labels.index("O")]
    came: list[Tensor] = []
    for each in log_probabilities[1:]:
        reached, before = (best.unsqueeze(1) + barred).max(0)
        best = reached + each
        came.append(before)
    places = [int(best.argmax())]
    for before in reversed(came):
        places.append(int(before[places[-1]]))
    return tuple(labels[place] for place in reversed(places))


def _may_follow(before: str, after: str) -> bool:
    """An I- continues an entity of its kind; all else may begin anywhere."""
    return not after.startswith("I-") or before[2:] == after[2:]


def _outside(labels: Sequence[str]) -> Tensor:
    """Log-probabilities (o) of a word that was not read: it is O."""
    return torch.tensor([0.0 if label == "O" else -math.inf for label in labels], dtype=torch.double)
