"""A sliding window of keys and values (arXiv:1901.02860), at the same places however long the text grows.

Notable: what is kept is turned back to the places 0, 1, ..., so no angle of the rotary positions ever grows past what
float32 can tell apart, and the millionth segment is read as the second.

b batch   h heads   w tokens of the window   t new tokens   e head width
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import DynamicCache


class Window(NamedTuple):
    """Keys and values of the last tokens, one tensor of each layer."""

    keys: tuple[Tensor, ...] = ()
    """Of each layer (b, h, w, e), rotated as at the places 0 to w - 1."""
    values: tuple[Tensor, ...] = ()
    """Of each layer (b, h, w, e)."""

    @property
    def length(self) -> int:
        """w."""
        return self.keys[0].shape[2] if self.keys else 0

    def cache(self) -> DynamicCache:
        """What transformers takes; it grows by tensors of its own."""
        if not self.length:
            return DynamicCache()
        return DynamicCache(list(zip(self.keys, self.values, strict=True)))

    def detach(self) -> "Window":
        """The same, through which no gradient flows further back."""
        return Window(tuple(key.detach() for key in self.keys), tuple(value.detach() for value in self.values))


def slide(cache: DynamicCache, longest: int | None, rotary: nn.Module | None) -> Window:
    """The window after a segment.

    Args:
        cache: of all that was read, old and new.
        longest: tokens to keep, None for all.
        rotary: the decoder's rotary positions; None is enough where nothing that is kept moves.
    """
    layers = [(layer.keys, layer.values) for layer in cache.layers]
    length = layers[0][0].shape[2]
    gone = 0 if longest is None else max(0, length - longest)
    kept = [(key[:, :, gone:], value[:, :, gone:]) for key, value in layers]
    if 0 < gone < length:
        kept = [(turn(key, -gone, rotary), value) for key, value in kept]
    return Window(tuple(key for key, _ in kept), tuple(value for _, value in kept))


def turn(keys: Tensor, places: int, rotary: nn.Module) -> Tensor:
    """Keys (b, h, w, e) as they were so many places later: R(m + n) k = R(n) R(m) k (arXiv:2104.09864 eq. 14)."""
    cosine, sine = rotary(keys, torch.full((1, 1), places, device=keys.device))  # (1, 1, e)
    first, second = keys.chunk(2, dim=-1)
    return keys * cosine.unsqueeze(1) + torch.cat([-second, first], dim=-1) * sine.unsqueeze(1)
