"""Long texts with key-value pairs among filler, as what a memory is asked for in training.

Notable: seconds pass between sentences as in texts of any length; the texts of an example share their filler, and a
sentence is encoded once, however many of them it is in.

f sentences that state something   t tokens
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mm_memgpt.config import require
from mm_memgpt.datasets.chance import between, draw
from mm_memgpt.datasets.document import split
from mm_memgpt.datasets.pairs_among_filler import Pair, PairsText, make_text
from mm_memgpt.training.bunches import Bunches
from mm_memgpt.training.items import Item, Texts
from mm_memgpt.types import InputError, Sample

SHORTEST, LONGEST = 20, 110
"""Characters of a sentence that may be filler."""


@dataclass(kw_only=True)
class Recall:
    """What long texts are trained on: how long they are, and how much is asked of them."""

    sentences: int = 40
    """Of a text, the pairs included."""
    pairs: tuple[int, ...] = (1, 2, 4, 8, 12)
    """How many sentences of a text state a key and its value; one of these numbers is drawn for each."""
    asked: int = 3
    """Questions about a text, at most."""
    slots: int = 30
    """Slots of the memory in training, at most, so few that sentences merge; how many is drawn for each batch."""
    texts: int = 8
    """Texts of an example, which share their filler, so that each sentence is encoded once for all of them."""
    filler: int = 80
    """Sentences of filler that they share."""
    samples: int = 500
    """Examples an epoch."""
    characters: int = 60_000
    """Of each source text, from its beginning, that filler is taken from."""
    stretch: float = 100.0
    """Longest time between sentences, as a multiple of a second; a power of it from 0 to 1 is drawn for each text."""
    keys: float = 0.3
    """Weight of the loss that keeps what is asked for apart, and lays the rest together."""
    looking: float = 0.3
    """Weight of the loss that lets the decoder read what settles a question when it begins the answer."""

    def __post_init__(self) -> None:
        most = max(self.pairs, default=inf)
        fits = min(self.pairs, default=0) >= 1 and most < self.sentences
        require(fits, f"pairs {list(self.pairs)} must be at least 1 and below sentences {self.sentences}")
        for name in ("asked", "slots", "texts", "filler", "samples"):
            require(getattr(self, name) >= 1, f"{name} {getattr(self, name)} must be at least 1; try {name}=3")
        require(self.characters > LONGEST, f"characters {self.characters} must be above {LONGEST}; try 60000")
        require(self.stretch >= 1, f"stretch {self.stretch} must be at least 1; try stretch=100")
        for name in ("keys", "looking"):
            require(getattr(self, name) >= 0, f"{name} {getattr(self, name)} must be at least 0; try {name}=0.3")


def filler_of(texts: Sequence[Sample], characters: int) -> list[str]:
    """The sentences of texts, of so many characters of each, that are neither very short nor very long.

    Raises:
        InputError: there is none.
    """
    found = [each for sample in texts for each in split((sample.text or "")[:characters])]
    filler = [each for each in found if SHORTEST <= len(each) <= LONGEST]
    if not filler:
        raise InputError("no sentence that could be filler; the sources need a column 'text' of prose")
    return filler


class PairsExample:
    """Makes examples: some texts of the same filler, each a dict of "items" (a list of Item), "text" (a list of Text),
    and of each pair "asked", its question's tokens, and "places".

    Args:
        filler: sentences that state nothing that is asked for.
        texts: makes tokens.
        how: the recipe's settings.
    """

    def __init__(self, filler: Sequence[str], texts: Texts, how: Recall) -> None:
        self.filler, self.texts, self.how = filler, texts, how

    def __call__(self, generator: Random) -> list[dict[str, Any]]:
        filler = [draw(generator, self.filler) for _ in range(self.how.filler)]
        return [self._text(filler, generator) for _ in range(self.how.texts)]

    def _text(self, filler: Sequence[str], generator: Random) -> dict[str, Any]:
        made = make_text(generator, self.how.sentences, draw(generator, self.how.pairs), filler)
        second = self.how.stretch ** between(generator, 0, 1)
        items = [
            Item("text", self.texts.note(each), (second * number, second * (number + 1)), number)
            for number, each in enumerate(made.sentences)
        ]
        return {
            "items": items,
            "text": [self.texts(pair.value, pair.question, (pair.place,)) for pair in self._chosen(made, generator)],
            "asked": [self.texts.note(pair.question) for pair in made.pairs],
            "places": [pair.place for pair in made.pairs],
        }

    def _chosen(self, made: PairsText, generator: Random) -> list[Pair]:
        return generator.sample(made.pairs, k=min(self.how.asked, len(made.pairs)))


class Recalled(Bunches):
    """Collates examples to what `Bunches.bunch` returns, and the questions about all pairs as sentences: asked and
    asked_mask (f, t), with the memory and the sentence in it that answers each, stated (f, 2)."""

    def __call__(self, examples: list[list[dict[str, Any]]]) -> dict[str, Tensor]:
        texts = [text for example in examples for text in example]
        asked = [tokens for text in texts for tokens in text["asked"]]
        stated = [(row, place) for row, text in enumerate(texts) for place in text["places"]]
        bunch = self.bunch(texts)
        sentences, place = bunch["text"].unique(dim=0, return_inverse=True)
        return bunch | {
            "text": sentences,
            "text_mask": (sentences != self.pad).long(),
            "order": place[bunch["order"]],
            "asked": pad_sequence(asked, batch_first=True, padding_value=self.pad),
            "asked_mask": pad_sequence([torch.ones_like(tokens) for tokens in asked], batch_first=True),
            "stated": torch.tensor(stated),
        }
