"""Summarization: the sentences of a document that its summary is made of, each of which is its own source.

Notable: what is learned is the salience of sentences, from summaries in any words: a sentence is right as far as its
pairs of words stand in the summary. How long a summary is to be is learned too, as a share of the words.

b rows   n sentences of all rows   p tokens per item   d width   w width of the adapter   k key width
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from statistics import median
from typing import Any, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from mm_memgpt.backbones.base import Inputs, Processor
from mm_memgpt.datasets.document import placed, split
from mm_memgpt.datasets.fields import as_text
from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.evaluation.rouge import rouge_scores
from mm_memgpt.objectives.imitation import soft_loss
from mm_memgpt.tasks.base import Batch, Collate, Example, Prediction, Scores, Task, without_target
from mm_memgpt.tasks.extraction import Extractor
from mm_memgpt.tasks.gist import Read, bank_of, counted, nothing, told
from mm_memgpt.tasks.salience import Central, Learned
from mm_memgpt.tasks.summary import Length
from mm_memgpt.types import InputError
from mm_memgpt.words import words

ROWS = 2000
"""Training rows that the usual length of a summary is taken from."""


class Summarization(Task):
    """Sentences of a text. Options: share, of the text's words that a summary has, learned from the training rows
    unless given; learned, whether salience is learned, or follows from the document alone; hidden, width of what learns
    it; redundancy, what a sentence loses for being like another; slots of the memory that the document is read into."""

    name = "summarization"
    roles: ClassVar = {"label": "the summary"}
    inputs: ClassVar = ("text",)
    needs = ("label",)
    best = "rouge_2"
    explained = False
    OPTIONS: ClassVar = {"share": None, "learned": True, "hidden": 64, "redundancy": 0.0, "slots": 64}

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> Task:
        task, shares = super().learn(columns, table, options), []
        if task.options["share"] is not None:
            return task
        for index in range(min(ROWS, len(table))):
            with suppress(InputError):
                example = task.example(table, index)
                if example.target and (size := len(words(example.inputs.text))):
                    shares.append(min(1.0, len(words(example.target)) / size))
        if not shares:
            raise InputError(f"{table.name}: no row has a text and a summary; name their columns: text and label")
        return cls(columns, (), {**(options or {}), "share": round(median(shares), 4)})

    @property
    def outputs(self) -> int:
        return 1

    def head(self, width: int) -> nn.Module:
        return Learned(width, self.options["hidden"]) if self.options["learned"] else Central()

    def target(self, row: Row, place: str) -> str | None:
        name = self.columns.get("label")
        return None if name is None or row.get(name) is None else as_text(row[name], place, name)

    def apart(self, inputs: Inputs) -> list[Inputs]:
        return [Inputs(text=sentence) for sentence in split(inputs.text)]

    def collate(self, processor: Processor) -> Collate:
        return CollateSentences(self, processor)

    def prepare(self, processor: Processor, inputs: Sequence[Inputs]) -> dict[str, Tensor]:
        """The sentences of all rows as one batch, with which row each is of.

        Raises:
            InputError: a row without a sentence.
        """
        rows = [split(each.text) for each in inputs]
        if not all(rows):
            raise InputError("a text holds no sentence; give one with words in it")
        texts = [text for row in rows for text in row]
        batch = processor([Inputs(text=text) for text in texts])
        numbers = torch.cat([torch.arange(len(row)) for row in rows])
        of = torch.cat([torch.full((len(row),), place) for place, row in enumerate(rows)])
        return batch | counted(texts) | {"number": numbers, "document": of}

    def targets(self, examples: Sequence[Example], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        without_target(examples, "label")
        found = [covered(sentence, example.target) for example in examples for sentence in split(example.inputs.text)]
        return {"labels": torch.tensor(found)}

    def vectors(self, model: nn.Module, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What sentences say (n, w), and their keys (n, k)."""
        features = model.backbone(batch)
        real = features.mask.any(-1, keepdim=True)
        adapted = model.adapter(
            rearrange(features.tokens, "b n p d -> b (n p) d"), rearrange(features.mask, "b n p -> b (n p)")
        )
        return adapted.pooled, normalize((features.key * real).sum(1), dim=-1)

    def forward(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The salience (n) of all sentences, those of a row weighed by what that row says."""
        vector, key = self.vectors(model, batch)
        read = Read(vector, key, batch["words"], batch["length"], batch["number"])
        bank = bank_of(vector.shape[1], key.shape[1], self.options["slots"])
        found = []
        for row in range(int(batch["document"][-1]) + 1):
            one = read.taken((batch["document"] == row).nonzero().squeeze(1))
            found.append(model.head(bank, told(bank, nothing(bank), one), one))
        return torch.cat(found)

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return binary_cross_entropy_with_logits(outputs.float(), batch["labels"])

    def imitation(self, answers: Tensor, taught: Tensor, batch: Batch, read: Batch, temperature: float) -> Tensor:
        """Of whether each sentence is taken or not."""
        either = (torch.stack([each.float(), torch.zeros_like(each.float())], -1) for each in (answers, taught))
        return soft_loss(*either, temperature)

    def predict(self, model: nn.Module, examples: Sequence[Example]) -> list[Prediction]:
        extract, length = Extractor(model, self.options["redundancy"]), Length(share=self.options["share"])
        found = [extract(placed(each.inputs.text), length, each.place or "text") for each in examples]
        return [Prediction(value=each.text, details={"sentences": each.to_json()["sentences"]}) for each in found]

    def confidence(self, outputs: Tensor, batch: Mapping[str, Tensor], predictions: Sequence[Prediction]) -> Tensor:
        raise InputError("a summary names its sources itself, and is explained no further; leave out explain")

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """`rouge_1`, `rouge_2` and `rouge_l`."""
        without_target(examples, "label")
        return Scores(rouge_scores([each.value for each in predictions], [each.target for each in examples]))


class CollateSentences(Collate):
    """Examples to a batch of sentences, and how far each stands in the summary."""

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        batch = self.task.prepare(self.processor, [example.inputs for example in examples])
        return batch | self.task.targets(examples, batch)


def covered(sentence: str, summary: str) -> float:
    """The share of a sentence's pairs of words that stand in a summary, 0 to 1; of a sentence of one word, of that."""
    said, there = words(sentence), words(summary)
    if len(said) < 2:
        return float(bool(said) and said[0] in there)
    pairs = {*pairwise(there)}
    return sum(pair in pairs for pair in pairwise(said)) / (len(said) - 1)
