"""A piece of text made into what each pre-training objective takes.

Notable: an objective has its own form of the piece, so a mixture is a dict of batches; all chance comes from the item's
own generator.

b pieces   t tokens
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from mm_memgpt.objectives.masked_language import UNTAUGHT, mask_tokens
from mm_memgpt.training.corpus import Corpus, Piece
from mm_memgpt.types import InputError, Sample


class Maker(Protocol):
    """Makes one example of one objective, and a batch of several."""

    def __call__(self, piece: Piece, generator: Random) -> Any: ...

    def collate(self, examples: list[Any]) -> dict[str, Tensor]: ...


class Reading:
    """Texts as a tokenizer gives them.

    Args:
        tokenizer: a fast one.
        longest: most tokens of a text; longer ones are cut.
        types: whether the model is told which of two texts a token is of.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, longest: int, types: bool = False) -> None:
        self.tokenizer, self.longest, self.types = tokenizer, longest, types

    def __call__(self, *texts: str) -> dict[str, Tensor]:
        """input_ids, attention_mask and, where asked for, token_type_ids (t) of a text, or of two as one."""
        given = self.tokenizer(
            *texts, truncation=True, max_length=self.longest, return_token_type_ids=self.types, return_tensors="pt"
        )
        return {name: value[0] for name, value in given.items()}

    def pad(self, texts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Texts as one batch (b, t), padded on the right."""
        fill = {"input_ids": padding_of(self.tokenizer), "labels": UNTAUGHT}
        return {
            name: pad_sequence([text[name] for text in texts], batch_first=True, padding_value=fill.get(name, 0))
            for name in texts[0]
        }


def padding_of(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that fills up; where there is none, the end, which the mask hides."""
    found = (tokenizer.pad_token_id, tokenizer.eos_token_id)
    return next((token for token in found if token is not None), 0)


class MaskedText:
    """A piece with some of its tokens taken out."""

    def __init__(self, reading: Reading, share: float) -> None:
        self.reading, self.share = reading, share

    def __call__(self, piece: Piece, generator: Random) -> dict[str, Tensor]:
        text, tokenizer = self.reading(piece.text), self.reading.tokenizer
        special = torch.isin(text["input_ids"], torch.tensor(tokenizer.all_special_ids))
        chance = torch.Generator().manual_seed(generator.getrandbits(63))
        ids, labels = mask_tokens(
            text["input_ids"], special, chance, len(tokenizer), tokenizer.mask_token_id, self.share
        )
        return text | {"input_ids": ids, "labels": labels}

    def collate(self, examples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return self.reading.pad(examples)


class SentencePair:
    """The two parts of a piece that follow each other, or the first and the second one of another document.

    Pieces of one sentence cannot be parted; in their place comes another. Half of the pairs follow each other.

    Args:
        reading: makes two texts one.
        corpus: pieces whose first part is taken.
        others: pieces whose second part is taken of pairs that do not follow each other.

    Raises:
        InputError: no piece has two sentences, or those of `others` that have are of one document.
    """

    def __init__(self, reading: Reading, corpus: Corpus, others: Corpus) -> None:
        self.reading = reading
        self.pairs, self.others = ([p for p in each if len(p.sentences) > 1] for each in (corpus, others))
        place = corpus.documents[0].place
        what = "leave the objective out, or give longer texts"
        if not self.pairs:
            raise InputError(f"{place}: one sentence, as all the others; next_sentence needs two in a text: {what}")
        if len({piece.document for piece in self.others}) < 2:
            raise InputError(f"{place}: the only text of two sentences; next_sentence needs another: {what}")

    def __call__(self, piece: Piece, generator: Random) -> dict[str, Tensor]:
        if len(piece.sentences) == 1:
            piece = generator.choice(self.pairs)
        is_next = generator.random() < 0.5
        first, second = halves(piece, generator)
        if not is_next:
            other = generator.choice(self.others)
            while other.document == piece.document:
                other = generator.choice(self.others)
            second = tail(other, len(second))
        return {**self.reading(first, second), "is_next": torch.tensor(is_next)}

    def collate(self, examples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        answers = torch.stack([example["is_next"] for example in examples])
        texts = [{name: value for name, value in each.items() if name != "is_next"} for each in examples]
        return self.reading.pad(texts) | {"is_next": answers}


def halves(piece: Piece, generator: Random) -> tuple[str, str]:
    """The piece, parted between two of its sentences."""
    place = generator.randrange(1, len(piece.sentences))
    return " ".join(piece.sentences[:place]), " ".join(piece.sentences[place:])


def tail(piece: Piece, characters: int) -> str:
    """The last of the piece's sentences, not all, that come nearest to a length: lengths must not tell the answer."""
    ends = [" ".join(piece.sentences[place:]) for place in range(1, len(piece.sentences))]
    return min(ends, key=lambda end: abs(len(end) - characters))


class CausalText:
    """A piece from the tokenizer's begin to its end, those that it has; a cut takes the end with it."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def __call__(self, piece: Piece, generator: Random) -> dict[str, Tensor]:
        return self.read(piece.text)

    def read(self, text: str) -> dict[str, Tensor]:
        """input_ids and attention_mask (t) of a text."""
        tokenizer = self.reading.tokenizer
        begin, end = ([] if each is None else [each] for each in (tokenizer.bos_token_id, tokenizer.eos_token_id))
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        found = torch.tensor([*begin, *ids, *end][: self.reading.longest])
        return {"input_ids": found, "attention_mask": torch.ones_like(found)}

    def collate(self, examples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return self.reading.pad(examples)


class Views:
    """A sentence of the piece; or, where there are pairs, both texts of one of them.

    Args:
        read: a text to what the model takes.
        pad: several of these to a batch.
        pairs: texts that belong together.
    """

    def __init__(
        self,
        read: Callable[[str], dict[str, Tensor]],
        pad: Callable[[list[dict[str, Tensor]]], dict[str, Tensor]],
        pairs: Sequence[tuple[str, ...]] = (),
    ) -> None:
        self.read, self.pad, self.pairs = read, pad, pairs

    def __call__(self, piece: Piece, generator: Random) -> list[dict[str, Tensor]]:
        texts = generator.choice(self.pairs) if self.pairs else (generator.choice(piece.sentences),)
        return [self.read(text) for text in texts]

    def collate(self, examples: list[list[dict[str, Tensor]]]) -> dict[str, Tensor]:
        """All first views, then all second ones."""
        texts = self.pad([view for views in zip(*examples, strict=True) for view in views])
        return {name: texts[name] for name in ("input_ids", "attention_mask")}


class Captioned:
    """A photo and its sentences.

    Args:
        example: makes it of a sample.
        pad: collates.
        photos: samples of which one is drawn beside each piece of text; None where the samples are what comes.
    """

    def __init__(self, example: Callable, pad: Callable, photos: Sequence[Sample] | None = None) -> None:
        self.example, self.pad, self.photos = example, pad, photos

    def __call__(self, piece: Piece | Sample, generator: Random) -> dict[str, Any]:
        sample = piece if self.photos is None else self.photos[generator.randrange(len(self.photos))]
        return self.example(sample, generator)

    def collate(self, examples: list[dict[str, Any]]) -> dict[str, Tensor]:
        return self.pad(examples)


class Mixed:
    """What every objective of a mixture takes of one piece, by the objective's name."""

    def __init__(self, makers: Mapping[str, Maker]) -> None:
        self.makers = makers

    def __call__(self, piece: Piece, generator: Random) -> dict[str, Any]:
        return {name: make(piece, generator) for name, make in self.makers.items()}

    def collate(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch for each objective, and `examples` (b), their numbers."""
        batches = {name: make.collate([each[name] for each in examples]) for name, make in self.makers.items()}
        return {"examples": torch.arange(len(examples)), **batches}
