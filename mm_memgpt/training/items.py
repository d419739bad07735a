"""What a memory in training is made of: items as their trunks' maps or tokens, and the texts about it.

c h w a map   f frames of a stretch   t tokens
"""

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from mm_memgpt.types import InputError
from mm_memgpt.words import sentence


class Item(NamedTuple):
    """One item of a memory."""

    kind: str
    """"image", "motion", "audio" or "text"."""
    content: Tensor
    """(c, h, w) fp16, a trunk's map; (f, c, h, w) of a stretch of frames; or (t) int64, a sentence's tokens."""
    time: tuple[float, float]
    source: int


class Text(NamedTuple):
    """What is written about a memory."""

    tokens: Tensor
    """(t) int64, from the one that every text begins with to the end."""
    given: int
    """How many of the first are given: the beginning and a prompt. The others are to be learned."""
    about: tuple[int, ...] = ()
    """Sources that settle it, where that is known."""
    prior: tuple[tuple[int, float], ...] = ()
    """What the wording tells of the first token to be learned: tokens, and what is added to their logits."""


class Texts:
    """Sentences as token numbers.

    Args:
        tokenizer: cuts them.
        begin: the token that every text begins with.
        longest: tokens of a text; a cut takes the end with it, so nothing is taught to end in the middle.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, begin: int, longest: int) -> None:
        self.tokenizer, self.begin, self.longest = tokenizer, begin, longest

    def __call__(self, target: str, prompt: str = "", about: tuple[int, ...] = ()) -> Text:
        """A text to learn, behind a prompt where there is one. Raises InputError where that leaves no room for it."""
        given = self.prompt(prompt)
        if len(given) >= self.longest:
            raise InputError(f"longest {self.longest} leaves no room behind {prompt!r}; set it above {len(given)}")
        apart = "" if not prompt or prompt[-1].isspace() else " "
        written = [*self._tokens(f"{apart}{target}"), self.tokenizer.eos_token_id]
        return Text(torch.cat([given, torch.tensor(written)])[: self.longest], len(given), about)

    def first(self, answer: str) -> int:
        """The token that an answer begins with, behind a prompt."""
        return self._tokens(f" {answer}")[0]

    def prompt(self, text: str) -> Tensor:
        """The beginning of a text, and a prompt that it continues (t)."""
        return torch.tensor([self.begin, *self._tokens(text)])

    def note(self, text: str) -> Tensor:
        """A sentence as `Perception.read` gives it to the text encoder."""
        return torch.tensor([self.begin, *self._tokens(sentence(text)), self.tokenizer.eos_token_id])

    def _tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
