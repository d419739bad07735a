"""Readers of long text, learned by the one loop from stretches of whole documents.

Notable: stretch i of a run is the same whoever asks for it, so a resumed run sees what an unbroken one sees, and every
way to read, of one seed, sees the same; validation reads stretches spread evenly over the documents.
"""

from bisect import bisect
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate
from transformers import PreTrainedTokenizerBase

from mm_memgpt.config import require
from mm_memgpt.models import long_text_files
from mm_memgpt.models.long_text_config import LongTextConfig
from mm_memgpt.objectives.long_text import ReadingOn
from mm_memgpt.training.corpus import Document, read_documents
from mm_memgpt.training.recipe import Optimiser, read_recipe
from mm_memgpt.training.run import run
from mm_memgpt.training.skipped import Skipped
from mm_memgpt.training.task import Task
from mm_memgpt.types import InputError


@dataclass(kw_only=True)
class LongTextRecipe:
    """One run."""

    start: str
    """Model whose language model goes on learning: nano, or the folder of a model of ours."""
    train: str | list[str]
    """Files of long texts: a table's column, or plain text, each file of which is one document."""
    val: str | list[str]
    """What chooses the checkpoint, likewise."""
    output: str
    """Folder for checkpoints, logs and the result."""
    reads: LongTextConfig = field(default_factory=LongTextConfig)
    """How it reads."""
    optimiser: Optimiser = field(default_factory=lambda: Optimiser(epochs=1, batch=2))
    """How the weights move; an epoch is `stretches`."""
    text: str = "text"
    """Column of the texts."""
    segments: int = 16
    """Segments of a stretch."""
    through: int = 4
    """Segments that gradients flow back through."""
    stretches: int = 300
    """Stretches of an epoch."""
    val_stretches: int = 16
    """Stretches of validation."""
    checkpoints: int = 4
    """How often the run is evaluated and saved; the best is kept."""
    seed: int = 2026
    """Seed of fresh weights and of the stretches."""
    workers: int = 0
    """Processes that make the examples."""

    def __post_init__(self) -> None:
        for name in ("segments", "through", "stretches", "val_stretches", "checkpoints"):
            require(getattr(self, name) >= 1, f"{name} {getattr(self, name)} must be at least 1")
        require(self.workers >= 0, f"workers {self.workers} must be at least 0; try workers=1")


class Words(NamedTuple):
    """A document as tokens."""

    ids: Tensor
    """(t) int64."""
    place: Tensor
    """(t) int64: number of the sentence of each."""
    characters: int
    """Of its sentences, with a space between two."""


def words_of(document: Document, tokenizer: PreTrainedTokenizerBase) -> Words:
    """A document's tokens, sentence by sentence."""
    texts = [("" if number == 0 else " ") + text for number, text in enumerate(document.sentences)]
    parts = tokenizer(texts, add_special_tokens=False)["input_ids"]
    place = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor([len(part) for part in parts]))
    return Words(torch.tensor([token for part in parts for token in part]), place, sum(map(len, texts)))


class Stretches(Dataset):
    """Stretches of documents, from anywhere in them.

    Args:
        documents: those shorter than a stretch are passed over.
        tokens: of a stretch.
        count: how many there are.
        seed: of where they begin; spread evenly where None.

    Raises:
        InputError: no document is long enough.
    """

    def __init__(self, documents: list[Words], tokens: int, count: int, seed: int | None, name: str = "texts") -> None:
        self.documents = [each for each in documents if len(each.ids) >= tokens]
        if not self.documents:
            longest = max((len(each.ids) for each in documents), default=0)
            raise InputError(f"{name}: the longest text has {longest} tokens, a stretch {tokens}; take fewer segments")
        self.tokens, self.count, self.seed = tokens, count, seed
        self.ends, total = [], 0
        for each in self.documents:
            total += len(each.ids) - tokens + 1
            self.ends.append(total)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        total = self.ends[-1]
        spread = (2 * index + 1) * total // (2 * self.count)
        at = spread if self.seed is None else Random(f"{self.seed}:{index}").randrange(total)
        number = bisect(self.ends, at)
        begin = at - (self.ends[number - 1] if number else 0)
        document, part = self.documents[number], slice(begin, begin + self.tokens)
        return {"input_ids": document.ids[part], "place": document.place[part]}


def train_file(path: str | Path, overrides: list[str] | None = None, resume: bool = False) -> dict[str, float]:
    """Runs a recipe in YAML to its end, keeps the best reader in its folder, and returns the last validation figures.

    Raises:
        InputError: a bad recipe, start or data, or an output folder that holds another run.
        ImportError: a package that only training needs is not installed; the message names the extra.
    """
    return train(read_recipe(path, overrides, LongTextRecipe), resume)


def train(recipe: LongTextRecipe, resume: bool = False) -> dict[str, float]:
    """As `train_file`, of a recipe that is at hand."""

    def build(skipped: Skipped) -> tuple[Task, Any, Any]:
        reader = long_text_files.start(recipe.start, recipe.reads)
        tokens = recipe.segments * recipe.reads.segment
        learned = round(recipe.optimiser.epochs * recipe.stretches)
        parts = []
        for files, count, seed in ((recipe.train, learned, recipe.seed), (recipe.val, recipe.val_stretches, None)):
            named = [files] if isinstance(files, str) else files
            documents = [words_of(each, reader.tokenizer) for each in read_documents(named, recipe.text, skipped)]
            parts.append(Stretches(documents, tokens, count, seed, named[0]))

        def keep(output: Path) -> None:
            long_text_files.save(reader, output)

        objective = ReadingOn(recipe.through)
        return Task(reader.model, objective, None, default_collate, keep, given="input_ids"), *parts

    return run(recipe, build, resume)
