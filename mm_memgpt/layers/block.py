"""A layer in which the tokens of one sequence read each other."""

from torch import Tensor, nn

from mm_memgpt.layers.attention import Attention

EXPANSION = 4
"""Inner width of the MLP over its outer one (arXiv:1706.03762 §3.3)."""


class SelfAttentionBlock(nn.Module):
    """x <- x + A(LN x, LN x), then x <- x + MLP(LN x), both with dropout on what they add (arXiv:2002.04745)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, EXPANSION * width),
            nn.GELU(),
            nn.Linear(EXPANSION * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (b, t, d); mask (b, t) True where a token is real. Both ways: a token reads those after it, too."""
        seen = self.norm(x)
        x = x + self.dropout(self.attention(seen, seen, mask))
        return x + self.dropout(self.mlp(x))
