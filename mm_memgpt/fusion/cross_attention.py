"""Cross-attention between modalities: the tokens of each read those of all the others.

Notable: one attention over all tokens, masked to "real and of another modality", whatever the number of modalities; the
null token is what a lone photo reads; the output projection starts at zero, so the layer begins as identity.

b batch   s slots   p tokens per slot   m = s*p tokens in all   d width
"""

from einops import rearrange, repeat
from torch import Tensor, nn

from mm_memgpt.layers.attention import Attention


class CrossAttentionFusion(nn.Module):
    """tokens <- tokens + CA(LN tokens, LN tokens of the other modalities)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, zero_output=True)

    def forward(self, tokens: Tensor, mask: Tensor, modality: Tensor) -> Tensor:
        """tokens (b, s, p, d), their mask (b, s, p), and the modality (b, s) of each slot."""
        x = self.norm(rearrange(tokens, "b s p d -> b (s p) d"))
        update = self.attention(x, x, others(mask, modality))
        update = rearrange(update, "b (s p) d -> b s p d", p=tokens.shape[2])
        return tokens + update.masked_fill(~mask.unsqueeze(-1), 0)

    def alignment(self, tokens: Tensor, mask: Tensor, modality: Tensor) -> Tensor:
        """How much each token reads of each other (b, m, m), mean over heads; the null token took the rest to 1."""
        x = self.norm(rearrange(tokens, "b s p d -> b (s p) d"))
        weights = self.attention.weights(x, self.attention.project(x), others(mask, modality)).mean(1)
        return weights[..., 1:].masked_fill(~rearrange(mask, "b s p -> b (s p) 1"), 0)


def others(mask: Tensor, modality: Tensor) -> Tensor:
    """What each token may read, (b, m, m): real tokens of slots of another modality."""
    kind = repeat(modality, "b s -> b (s p)", p=mask.shape[2])
    differs = rearrange(kind, "b m -> b m 1") != rearrange(kind, "b m -> b 1 m")
    return differs & rearrange(mask, "b s p -> b 1 (s p)")
