"""Looking: when an answer is begun, the decoder should read the items that settle the question.

Notable: what is asked of is known where questions are made, so this costs no label; it binds the later half of the
reading layers, the mean of their heads, at the one place where the answer's first token is predicted; the earlier ones
are free to search.

r texts   t tokens   b memories   m memory tokens, the readout first   s slots   p tokens per slot   h heads
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.fusion.fuser import Fused, used_slots
from mm_memgpt.fusion.packing import packing, taken
from mm_memgpt.layers.gate import GatedCrossAttention
from mm_memgpt.models.seam import memory_layers
from mm_memgpt.types import MIXED_SOURCE, MemoryState

LEAST = 1e-4
"""Attention below which nothing more is lost: -log of it is 9.2."""


@contextmanager
def noticed(model: nn.Module, place: Tensor) -> Iterator[list[Tensor]]:
    """A list that gets each later reading layer's attention at `place` (r) of the text, (r, h, 1 + m), null first."""
    weights: list[Tensor] = []

    def notice(cross: GatedCrossAttention, args: tuple[Tensor, Tensor, Tensor | None]) -> None:
        hidden, projected, mask = args
        rows = torch.arange(len(hidden), device=hidden.device)
        asked = cross.norm(hidden[rows, place]).unsqueeze(1)
        weights.append(cross.attention.weights(asked, projected, mask).squeeze(2))

    layers = memory_layers(model.decoder)
    hooks = [layer.cross.register_forward_pre_hook(notice) for layer in layers[len(layers) // 2 :]]
    try:
        yield weights
    finally:
        for hook in hooks:
            hook.remove()


def token_sources(state: MemoryState, fused: Fused) -> Tensor:
    """The source (b, m) of each token that `readable` gives of a fused state; MIXED_SOURCE for the readout."""
    slots, _ = used_slots(state)
    sources = slots.source.repeat_interleave(slots.count.shape[-1], dim=1)  # (b, s * p)
    if (places := packing(fused.mask)) is not None:
        sources = taken(sources, places)
    return functional.pad(sources, (1, 0), value=MIXED_SOURCE)


def looking_loss(weights: list[Tensor], sources: Tensor, about: Tensor) -> Tensor:
    """-log of the attention that lies on what settles a question, the mean of those that anything in memory settles.

    Args:
        weights: (r, h, 1 + m) of each layer, null first.
        sources: (r, m) of the memory that each text is about.
        about: (r, n) True for the sources that settle it.
    """
    wanted = (sources >= 0) & about.gather(1, sources.clamp_min(0))  # (r, m)
    attention = torch.stack(weights).float().mean((0, 2))[:, 1:]  # (r, m)
    losses = -(attention * wanted).sum(1).clamp_min(LEAST).log()
    settled = wanted.any(1)
    return (losses * settled).sum() / settled.sum().clamp_min(1)


def answer_place(learned: Tensor) -> Tensor:
    """Place (r) at which the first token of each answer is predicted, of `learned` (r, t)."""
    return (learned.int().argmax(1) - 1).clamp_min(0)
