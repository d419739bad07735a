"""What a text is written from, and what was written."""

from typing import NamedTuple

from mm_memgpt.types import Word


class Prompt(NamedTuple):
    """What a text is written from."""

    text: str = ""
    """What is read first: by the encoder of an encoder-decoder; before a causal model, it stands ahead of `begin`."""
    begin: str = ""
    """What the written text begins with, which is not returned."""
    memory: tuple[str, ...] = ()
    """Sentences that are written into the bounded memory, the oldest first, and read from there."""
    ends: bool = True
    """Of a text that is scored or learned: whether the whole ends with it, or it is a piece that goes on."""


class Composed(NamedTuple):
    """A text that was written."""

    text: str
    ended: bool
    """Whether the model ended it; False where it was cut at the longest that was asked for."""
    words: tuple[Word, ...] = ()
    """Its words with their log-probabilities, where they were asked for."""
    left_out: int = 0
    """Tokens of the prompt that were not read."""
