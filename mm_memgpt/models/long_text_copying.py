"""Words out of the bank: a decoder that may write again what it has read, however far back.

Notable: it is a mixture, not a sum (arXiv:1609.07843): p = (1 - c) p_decoder + c sum_j a_j [w = w_j], where a looks for
states like this one among those that came before each remembered word (arXiv:1612.04426); at gate zero c is 0, and the
decoder writes as it would without memory; a gate that is pushed below zero comes back, for c is 0 there but learns on.

b batch   t tokens   s slots   d decoder width   v vocabulary
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.layers.gate import Gate

SHARPNESS = 10.0
"""What cosines are multiplied by when training begins: untrained, over the states of a novel, the best of 6, 10, 15
and 20 (docs/experiments.md)."""

SELDOM = -1.0
"""The logit of copying when training begins, before the gate."""


class Copying(nn.Module):
    """Which remembered words come next, and whether one does."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        for layer in (self.query, self.key):
            nn.init.eye_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.sharpness = nn.Parameter(torch.tensor([math.log(SHARPNESS)]))
        self.copies = nn.Linear(width, 1)
        nn.init.zeros_(self.copies.weight)
        nn.init.constant_(self.copies.bias, SELDOM)
        self.gate = Gate(0.0)

    def keys(self, before: Tensor) -> Tensor:
        """What a word is found by: of the state (..., d) that predicted it, a direction (..., d)."""
        return functional.normalize(self.key(before).float(), dim=-1)

    def forward(self, hidden: Tensor, logits: Tensor, keys: Tensor, words: Tensor, items: Tensor) -> Tensor:
        """Log-probabilities (b, t, v) of the next word.

        Args:
            hidden: (b, t, d) the state that predicts it.
            logits: (b, t, v) the decoder's own.
            keys: (b, s, d) of the slots.
            words: (b, s) the word of each, below 0 where it holds none or several.
            items: (b, s) how often it came.
        """
        known = words >= 0
        query = functional.normalize(self.query(hidden).float(), dim=-1)
        scores = self.sharpness.exp() * query @ keys.transpose(1, 2) + items.clamp_min(1).log().unsqueeze(1)
        weights = scores.masked_fill(~known.unsqueeze(1), torch.finfo(scores.dtype).min).softmax(-1)
        share = self.gate(torch.sigmoid(self.copies(hidden).float())) * known.any(-1).view(-1, 1, 1)
        share = share + (share.clamp_min(0) - share).detach()
        own = logits.float().softmax(-1) * (1 - share)
        places = words.clamp_min(0).unsqueeze(1).expand_as(weights)
        mixed = own.scatter_add(2, places, share * weights * known.unsqueeze(1))
        return mixed.clamp_min(torch.finfo(mixed.dtype).tiny).log()
