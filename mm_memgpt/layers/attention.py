"""The only attention of the project: from x to a context whose keys and values can be computed once and kept.

Notable: what `project` returns is one tensor, batch first, so a decoder projects a memory once and carries it
through generation, where beams repeat the batch. A learned null key and value, valid for every row, are a
place to look when there is no evidence, and keep an all-masked softmax from being NaN.

b batch   t length of x   m length of the context   h heads   w head width
"""

from math import gcd

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """softmax(Q K^T / sqrt(w)) V over several heads (arXiv:1706.03762 §3.2), without biases.

    `zero_output` starts the output projection at zero, so that `x + attention(x)` begins as identity.
    Without `null`, a row with nothing to look at reads zero.

    Raises ValueError where heads do not divide width.
    """

    def __init__(
        self, width: int, heads: int, *, context_width: int | None = None, null: bool = True, zero_output: bool = False
    ) -> None:
        super().__init__()
        if width % heads != 0:
            raise ValueError(f"width {width} is not divisible by heads {heads}; try heads={gcd(width, heads)}")
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width if context_width is None else context_width, 2 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.null = nn.Parameter(torch.zeros(2, heads, 1, width // heads)) if null else None
        if zero_output:
            nn.init.zeros_(self.output.weight)

    def project(self, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Keys and values of (b, m, c), the null token first: (b, 2, h, 1+m, w), or (b, 2, h, m, w) without null.

        A mask (b, m) zeroes the padding, so that not even a NaN in it survives; `attend` still needs it.
        """
        if mask is not None:
            context = context.masked_fill(~mask.unsqueeze(-1), 0)
        projected = rearrange(self.key_value(context), "b m (two h w) -> b two h m w", two=2, h=self.heads)
        if self.null is None:
            return projected
        null = repeat(self.null.to(projected.dtype), "two h one w -> b two h one w", b=len(projected))
        return torch.cat([null, projected], dim=-2)

    def attend(self, x: Tensor, projected: Tensor, mask: Tensor | None = None) -> Tensor:
        """Read x (b, t, d) from what `project` returned; mask (b, m) or (b, t, m), without a null column."""
        query, key, value, allowed = self._prepare(x, projected, mask)
        blind = None
        if allowed is not None and self.null is None:
            blind = ~allowed.any(-1, keepdim=True)  # their softmax would be NaN, so they look anywhere and read zero
            allowed = allowed | blind
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)  # (b, h, t, w)
        if blind is not None:
            read = read.masked_fill(blind, 0)
        return self.output(rearrange(read, "b h t w -> b t (h w)"))

    def weights(self, x: Tensor, projected: Tensor, mask: Tensor | None = None) -> Tensor:
        """The softmax that `attend` reads with: (b, h, t, 1+m), the null column first, or (b, h, t, m) without null."""
        query, key, _, allowed = self._prepare(x, projected, mask)
        logits = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        if allowed is None:
            return logits.softmax(-1)
        lowest = torch.finfo(logits.dtype).min  # finite, so that a row with nothing to look at is not NaN
        return logits.masked_fill(~allowed, lowest).softmax(-1).masked_fill(~allowed, 0)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.attend(x, self.project(context), mask)

    def _prepare(
        self, x: Tensor, projected: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Query, key, value in one dtype, and the mask with the null column: (b, 1, 1 or t, 1+m)."""
        query = rearrange(self.query(x), "b t (h w) -> b h t w", h=self.heads)
        key, value = projected.to(query.dtype).unbind(1)  # 2 of (b, h, 1+m, w)
        if mask is None:
            return query, key, value, None
        allowed = rearrange(mask, "b m -> b 1 1 m") if mask.dim() == 2 else rearrange(mask, "b t m -> b 1 t m")
        if self.null is not None:
            allowed = F.pad(allowed, (1, 0), value=True)
        return query, key, value, allowed
