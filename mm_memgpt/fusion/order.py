"""When a slot was, told to its tokens: what kind of item it is, its place in line, and how long ago it was.

Notable: a decoder that reads a memory as a set cannot say what came first, so each slot is told its place, from both
ends, beside the others of its kind; places are counted by arrival among used slots, so where the bank put an item
changes nothing; it begins as identity.

b batch   s slots   i the slot that is told, j another one   p tokens per slot   d width   f order features
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.types import MODALITIES, MemoryState

PLACES = ("slots after it", "sources of its kind after it", "sources of its kind before it")
"""What is counted. The pieces of one sound are several slots and one source, as photos are one each."""

WAVES = 8
"""Frequencies by which a place is told, each as a sine and a cosine, from 1 down to 1 / LONGEST radians a place."""

LONGEST = 100.0

WIDTH = 2 * WAVES * len(PLACES) + 2
"""All order features: the waves, and the logarithms of the seconds since it ended and that it lasted."""


class OrderEmbedding(nn.Module):
    """x <- x + W_o gelu(W_i f + e), where f are a slot's order features and e is learned for each modality.

    W_o begins at zero, so that at first nothing is told.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.modality = nn.Embedding(len(MODALITIES), width)
        self.project = nn.Linear(WIDTH, width)
        self.output = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(self, tokens: Tensor, mask: Tensor, state: MemoryState) -> Tensor:
        """tokens (b, s, p, d) of a state's slots, and their mask (b, s, p)."""
        hidden = self.project(order_features(state).to(tokens.dtype)) + self.modality(state.modality.clamp_min(0))
        told = self.output(functional.gelu(hidden))  # (b, s, d)
        return tokens + told.unsqueeze(-2) * mask.unsqueeze(-1)


def order_features(state: MemoryState) -> Tensor:
    """(b, s, f) float32: the places in the order of PLACES as waves, then log(1 + seconds) since it ended and of its
    length. Seconds are subtracted in float64, as times come. An empty slot's features mean nothing."""
    used = state.items > 0
    start, end = state.time.unbind(-1)
    newest = end.masked_fill(~used, -torch.inf).amax(-1, keepdim=True)
    seconds = torch.stack([newest - end, end - start], dim=-1).masked_fill(~used.unsqueeze(-1), 0)
    frequency = LONGEST ** (-torch.arange(WAVES, device=used.device) / (WAVES - 1))
    angle = _places(state, used).float().unsqueeze(-1) * frequency  # (b, s, places, waves)
    waves = torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(-2)
    return torch.cat([waves, seconds.clamp_min(0).log1p().float()], dim=-1)


def _places(state: MemoryState, used: Tensor) -> Tensor:
    """(b, s, places) counts, in the order of PLACES."""
    i, j = (lambda x: x.unsqueeze(-1)), (lambda x: x.unsqueeze(-2))
    both = i(used) & j(used)
    after = both & (j(state.arrival) > i(state.arrival))
    before = both & (j(state.arrival) < i(state.arrival))
    alike = both & (i(state.modality) == j(state.modality))
    one = alike & (i(state.source) == j(state.source)) & (i(state.source) >= 0)  # both of one source
    last, first = ~(one & after).any(-1), ~(one & before).any(-1)  # of its source
    sources_after = after & alike & ~one & j(last)
    sources_before = before & alike & ~one & j(first)
    return torch.stack([after.sum(-1), sources_after.sum(-1), sources_before.sum(-1)], dim=-1)
