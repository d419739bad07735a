"""A residual layer in which a few pooled tokens look again at the fine grid they were pooled from.

Notable: both output projections start at zero, so it begins as identity and pooling alone is the start of training.

b batch   p pooled tokens   g places of the grid   d width
"""

from torch import Tensor, nn

from mm_memgpt.layers.attention import Attention

EXPANSION = 4
"""Inner width of the MLP over its outer one (arXiv:1706.03762 §3.3)."""


class Resampler(nn.Module):
    """tokens <- tokens + CA(LN tokens, LN grid), then tokens <- tokens + MLP(LN tokens)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.tokens_norm = nn.LayerNorm(width)
        self.grid_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, null=False, zero_output=True)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, EXPANSION * width),
            nn.GELU(),
            nn.Linear(EXPANSION * width, width),
        )
        nn.init.zeros_(self.mlp[-1].weight)
        nn.init.zeros_(self.mlp[-1].bias)

    def forward(self, tokens: Tensor, grid: Tensor, mask: Tensor | None = None) -> Tensor:
        """tokens (b, p, d) read the grid (b, g, d); mask (b, g) True where a place of the grid is real."""
        tokens = tokens + self.attention(self.tokens_norm(tokens), self.grid_norm(grid), mask)
        return tokens + self.mlp(tokens)
