"""The contracts every part speaks: Sample in, Features from encoders, MemoryState in the bank, Caption out.

Notable: a mask is True where a token is real, everywhere; times are float64 seconds, because float32 cannot
tell two seconds apart in today's Unix time; the key is how an item is found, its tokens are what is read.

b batch   n items   p tokens per item   s slots   d width   k key width
"""

from dataclasses import dataclass
from math import inf
from os import PathLike
from typing import Any, NamedTuple

from PIL.Image import Image
from torch import Tensor

MODALITIES = ("image", "audio", "text")
"""Names of the modality integers. A frame of a clip is an image item, its sound track audio items."""

MIXED_SOURCE = -1
"""The source of a slot that holds items of several sources."""


class InputError(ValueError):
    """An input that cannot be used. The message is one line: the file, what is wrong, and the way out."""


class Features(NamedTuple):
    """What an encoder perceived: items of at most p tokens. An item is one moment of one source.

    An item whose mask is all False is padding, and is never written to memory.
    """

    tokens: Tensor
    """(b, n, p, d) float: what the item holds."""
    mask: Tensor
    """(b, n, p) bool: True where the token is real."""
    key: Tensor
    """(b, n, k) float: unit-length retrieval key, one space for all modalities."""
    time: Tensor
    """(b, n, 2) float64: start and end in seconds on the stream's clock."""
    modality: Tensor
    """(b, n) int64: index into MODALITIES."""
    source: Tensor
    """(b, n) int64, at least 0: the host keeps the table that maps it to a name."""


class MemoryState(NamedTuple):
    """A bounded memory as plain tensors: passed in and out, never stored on a module, detachable, savable."""

    sums: Tensor
    """(b, s, p, d) float: sums of the tokens merged into each position; a slot's tokens are sums / count."""
    count: Tensor
    """(b, s, p) int64: how many real tokens each position holds; count > 0 is the mask."""
    key_sums: Tensor
    """(b, s, k) float: sum of the keys of the slot's items."""
    items: Tensor
    """(b, s) int64: how many items each slot holds; 0 is an empty slot."""
    time: Tensor
    """(b, s, 2) float64: first and last second the slot spans."""
    modality: Tensor
    """(b, s) int64: index into MODALITIES; -1 in an empty slot."""
    source: Tensor
    """(b, s) int64: the items' source, MIXED_SOURCE where they differ or the slot is empty."""
    arrival: Tensor
    """(b, s) int64: order of the slot's newest item in the stream; -1 in an empty slot."""
    similarity: Tensor
    """(b, s, s) float: cosine of the slots' keys, -inf where a pair may not merge."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One example as a reader yields it. Only what the source has is filled in."""

    source: str
    """Where it came from: a path, or a file and row number such as "train.parquet:17"."""
    image: Image | None = None
    """An RGB photo, upright."""
    captions: tuple[str, ...] = ()
    """Sentences people wrote about it."""
    text: str | None = None
    """Text that is itself the input."""
    label: int | None = None
    """Class number, where the source has classes."""
    sound: Tensor | None = None
    """(t,) float32 from -1 to 1, mono at 16 kHz."""
    clip: bytes | PathLike[str] | None = None
    """A clip, or the path of one, still encoded, as `mm_memgpt.datasets.clip.open_clip` takes it."""
    words: tuple[tuple[str, float, float], ...] = ()
    """Words spoken in the sound or clip, in order, each with its start and end in seconds."""
    class_name: str | None = None
    """What the source calls the class."""
    digit: int | None = None
    """Digit that is spoken, 0 to 9."""


@dataclass(frozen=True)
class Text:
    """A sentence that is itself an input, beside photos, sounds and clips; a plain str is a path."""

    text: str


class Fact(NamedTuple):
    """That two entities stand in a relation, for a time."""

    head: str
    """Identifier of an entity, which may be its name."""
    relation: str
    tail: str
    since: float = -inf
    """Second in Unix time from which on it holds."""
    until: float = inf
    """Second at which it holds no longer."""
    head_name: str = ""
    """What the head is called, where its identifier does not say it."""
    relation_name: str = ""
    tail_name: str = ""

    def holds(self, at: float) -> bool:
        """Whether it holds at a second in Unix time."""
        return self.since <= at < self.until


class Word(NamedTuple):
    """A written word and the natural logarithm of its probability (the sum over its tokens)."""

    word: str
    logprob: float


class Match(NamedTuple):
    """Something that was found, and how well it fits: the cosine of its key and the query's, -1 to 1."""

    photo: Any
    score: float


@dataclass(frozen=True, kw_only=True)
class Caption:
    """A sentence the model wrote, how sure it is (0 to 1), and each word's log-probability; str() gives its text."""

    text: str
    confidence: float
    words: tuple[Word, ...]

    def __str__(self) -> str:
        return self.text
