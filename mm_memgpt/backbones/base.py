"""What a task reads with: a backbone makes Features of what its processor made of a row's text, photo or sound.

Notable: a text, or a pair of texts, is one item of t tokens, or several where it is read in windows; every token knows
which characters of which text it stands for, so that tags, spans and explanations need nothing of a tokenizer.

b rows   n items   t tokens   p tokens per item   d width   k key width
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import NamedTuple, Protocol

from PIL.Image import Image
from torch import Tensor, nn
from transformers import PreTrainedModel

from mm_memgpt.types import Features


class Inputs(NamedTuple):
    """What one row gives a backbone to read."""

    text: str | None = None
    text_pair: str | None = None
    """A second text, read together with the first."""
    image: Image | None = None
    sound: Tensor | None = None
    """(t,) float32, mono at 16 kHz."""


class Processor(Protocol):
    """Rows to tensors; it holds no weights, so that it reaches a loader's worker processes."""

    def __call__(self, inputs: Sequence[Inputs]) -> dict[str, Tensor]:
        """Of texts input_ids, attention_mask, token_type_ids and part (b, n, t) and offsets (b, n, t, 2); of photos
        pixel_values (b, 3, h, w); of sounds input_values (b, n, t) and input_values_mask (b, n).

        part is 0 or 1 for a token of text or text_pair and -1 for a special one or padding; offsets are the characters
        of that text that it stands for. All rows hold the same kinds of input.
        """

    def length(self, inputs: Inputs) -> int:
        """Tokens of a row's texts, before any are left out."""


class Backbone(nn.Module, ABC):
    """A pretrained model as the source of Features; made by `mm_memgpt.backbones.build`."""

    width: int
    """d, width of the tokens."""
    reads: tuple[str, ...]
    """Of text, image and sound, those that it has a sense for."""
    pooling: str
    """What stands for a whole text best: mean, or last, where a token has only heard of those before it."""
    longest: int
    """Tokens of an item at most."""
    processor: Processor

    @abstractmethod
    def forward(self, batch: Mapping[str, Tensor]) -> Features:
        """What the processor made, as items: of texts first, then of photos, then of sounds."""

    @property
    @abstractmethod
    def embedding(self) -> nn.Module:
        """The layer that makes vectors of token numbers."""

    @property
    @abstractmethod
    def blank(self) -> int:
        """Number of the token that stands for a word left out."""

    @property
    @abstractmethod
    def modules_to_adapt(self) -> nn.Module:
        """The model whose layers LoRA may be put into."""

    @property
    def layers(self) -> list[nn.ModuleList]:
        """The stacks of layers that a text passes through, if it reads texts."""
        return []

    @property
    def looking(self) -> list[PreTrainedModel]:
        """Models whose attention maps can be had, one a stack, if there are any."""
        return []

    @abstractmethod
    def save(self, folder: str | PathLike) -> None:
        """Writes all that `build` needs to make it again, without a network, into a folder."""
