"""The only gate of the project: a branch enters through tanh(alpha), so at alpha = 0 it changes nothing.

Notable: exactly one zero per branch, or nothing ever trains: at gate zero the gradient reaches only alpha, so the
branch's own projections must not start at zero as well.

b batch   t length of the text   m length of the memory   d width
"""

import torch
from torch import Tensor, nn

from mm_memgpt.layers.attention import Attention


class Gate(nn.Module):
    """tanh(alpha) * update, with one learned scalar alpha (arXiv:2204.14198 §2.2)."""

    def __init__(self, initial: float = 0.0) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor([float(initial)]))  # one element, not 0-dim, which FSDP refuses

    def forward(self, update: Tensor) -> Tensor:
        return torch.tanh(self.alpha).to(update.dtype) * update


class GatedCrossAttention(nn.Module):
    """h <- h + tanh(g) · CA(LN h, memory) (arXiv:2204.14198 §2.2). At gate 0 the output equals h."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        context_width: int | None = None,
        gate: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, context_width=context_width)
        self.dropout = nn.Dropout(dropout)
        self.gate = Gate(gate)

    def project(self, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        """Keys and values of a memory (b, m, c), computed once for all the tokens written from it."""
        return self.attention.project(memory, mask)

    def forward(self, h: Tensor, projected: Tensor, mask: Tensor | None = None) -> Tensor:
        """h (b, t, d) reads the projected memory; mask (b, m) or (b, t, m), without a null column."""
        update = self.attention.attend(self.norm(h), projected, mask)
        return h + self.gate(self.dropout(update))
