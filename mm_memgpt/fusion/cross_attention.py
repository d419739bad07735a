"""Cross-attention between modalities: the tokens of each read those of all the others.

Notable: one attention over all tokens, masked to "real and of another modality", whatever the number of modalities; the
null token is what a lone photo reads; the output projection starts at zero, so the layer begins as identity.

b batch   s slots   p tokens per slot   m = s*p tokens in all   d width
"""

from einops import rearrange, repeat
from torch import Tensor, nn

from mm_memgpt.fusion.packing import packing, put_back, taken
from mm_memgpt.layers.attention import Attention


class CrossAttentionFusion(nn.Module):
    """tokens <- tokens + CA(LN tokens, LN tokens of the other modalities)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, zero_output=True)

    def forward(self, tokens: Tensor, mask: Tensor, modality: Tensor) -> Tensor:
        """tokens (b, s, p, d), their mask (b, s, p), and the modality (b, s) of each slot."""
        x, real, kind = self._flat(tokens, mask, modality)
        places, m = packing(real), x.shape[1]
        if places is not None:
            x, real, kind = (taken(each, places) for each in (x, real, kind))
        x = self.norm(x)
        update = self.attention(x, x, others(real, kind)).masked_fill(~real.unsqueeze(-1), 0)
        if places is not None:
            update = put_back(update, places, m)
        return tokens + rearrange(update, "b (s p) d -> b s p d", p=tokens.shape[2])

    def alignment(self, tokens: Tensor, mask: Tensor, modality: Tensor) -> Tensor:
        """How much each token reads of each other (b, m, m), mean over heads; the null token took the rest to 1."""
        x, real, kind = self._flat(tokens, mask, modality)
        x = self.norm(x)
        weights = self.attention.weights(x, self.attention.project(x), others(real, kind)).mean(1)
        return weights[..., 1:].masked_fill(~real.unsqueeze(-1), 0)

    @staticmethod
    def _flat(tokens: Tensor, mask: Tensor, modality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (b, m, d), their mask (b, m) and the modality (b, m) of each."""
        kind = repeat(modality, "b s -> b (s p)", p=mask.shape[2])
        return rearrange(tokens, "b s p d -> b (s p) d"), rearrange(mask, "b s p -> b (s p)"), kind


def others(real: Tensor, kind: Tensor) -> Tensor:
    """What each token may read, (b, m, m): those that are `real` (b, m), of another modality, `kind` (b, m)."""
    differs = rearrange(kind, "b m -> b m 1") != rearrange(kind, "b m -> b 1 m")
    return differs & rearrange(real, "b m -> b 1 m")
