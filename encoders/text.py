"""Sentences into memory items: the decoder's own embeddings, a few layers that read both ways, and a retrieval key.

Notable: the embeddings are lent by the decoder at each call and never kept, so one tokenizer and one table serve what
is read and what is written; an item holds a sentence's first p tokens, its key is of all of them.

b batch   n sentences   t tokens of the longest   e embedding width   p tokens per item   d width   k key width
"""

import math

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.config import TextConfig
from mm_memgpt.layers.block import SelfAttentionBlock
from mm_memgpt.layers.position import sinusoidal_positions
from mm_memgpt.types import MODALITIES, Features

POSITION_SHARE = 0.1
"""How loud a token's position is beside the token: at full strength, words are learned several times as slowly."""

INITIAL_TEMPERATURE = 0.07
"""Of the softmax over cosines when contrastive training begins (arXiv:2103.00020 §2.5)."""


class TextEncoder(nn.Module):
    """Embedded sentences to Features, one item a sentence.

    Args:
        config: layers, heads and dropout.
        embedding_width: e, width of the decoder's embeddings.
        width: d, width of the tokens.
        key_width: k, width of the retrieval key.
        tokens: p, tokens an item holds.
    """

    def __init__(self, config: TextConfig, embedding_width: int, width: int, key_width: int, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.project = nn.Sequential(nn.Linear(embedding_width, width), nn.LayerNorm(width))
        self.layers = nn.ModuleList(
            SelfAttentionBlock(width, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.key = nn.Linear(width, key_width, bias=False)
        self.scale = nn.Parameter(torch.tensor([-math.log(INITIAL_TEMPERATURE)]))
        """Logarithm of what contrastive training multiplies cosines by; one element, because FSDP refuses none."""

    def forward(
        self, embedded: Tensor, mask: Tensor, source: Tensor | None = None, time: Tensor | None = None
    ) -> Features:
        """One item a sentence.

        Args:
            embedded: (b, n, t, e) the decoder's embeddings of the sentences' tokens.
            mask: (b, n, t) True where a token is real; a sentence without one is padding, as in `Features`.
            source: (b, n) int64 source numbers; sentence i of a row is source i where it is None.
            time: (b, n, 2) float64 seconds; second i for sentence i where it is None.

        Raises:
            ValueError: the shapes do not fit together.
        """
        if embedded.ndim != 4 or mask.shape != embedded.shape[:3]:
            raise ValueError(
                f"embedded {tuple(embedded.shape)} and mask {tuple(mask.shape)} must be (b, n, t, e) and (b, n, t)"
            )
        b, n, t, _ = embedded.shape
        real = rearrange(mask, "b n t -> (b n) t")
        x = self.project(rearrange(embedded, "b n t e -> (b n) t e"))
        x = x + POSITION_SHARE * sinusoidal_positions(t, x.shape[-1], x.device).to(x.dtype)
        for layer in self.layers:
            x = layer(x, real)
        x = self.norm(x).masked_fill(~real.unsqueeze(-1), 0)  # (b*n, t, d)
        pooled = x.sum(1) / real.sum(1, keepdim=True).clamp_min(1)
        key = functional.normalize(self.key(pooled).float(), dim=-1).to(x.dtype)
        room = (0, max(0, self.tokens - t))
        order = torch.arange(n, device=x.device).expand(b, n)
        return Features(
            tokens=rearrange(functional.pad(x[:, : self.tokens], (0, 0, *room)), "(b n) p d -> b n p d", b=b),
            mask=functional.pad(mask[:, :, : self.tokens], room),
            key=rearrange(key, "(b n) k -> b n k", b=b),
            time=torch.stack([order, order], dim=-1).double() if time is None else time,
            modality=torch.full((b, n), MODALITIES.index("text"), device=x.device),
            source=order.clone() if source is None else source,
        )
