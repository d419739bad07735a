"""Where the decoder's attention lies when it writes a word, for comparison: evidence is what leaving out shows.

Notable: the weights are those of the gated cross-attention over the photo's own tokens, the mean over layers and heads,
taken where the word's tokens are predicted; the rest to 1 lies on the null token and the memory's summary.

t tokens of the text   w words   p = h*c tokens of the photo
"""

import torch
from einops import rearrange
from torch import Tensor

from mm_memgpt.explain.written import Written
from mm_memgpt.layers.gate import GatedCrossAttention
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.seam import memory_layers


@torch.no_grad()
def attention(model: MMMemGPTForConditionalGeneration, pixel_values: Tensor, text: Written) -> Tensor:
    """Attention of each word of the text over the grid of a photo (1, 3, h, w): (w, h, c), at most one a token."""
    weights: list[Tensor] = []

    def notice(cross: GatedCrossAttention, args: tuple[Tensor, Tensor, Tensor | None]) -> None:
        hidden, projected, mask = args
        weights.append(cross.attention.weights(cross.norm(hidden), projected, mask).mean(1))  # (1, t - 1, 1 + m)

    hooks = [layer.cross.register_forward_pre_hook(notice) for layer in memory_layers(model.decoder)]
    try:
        memory, mask = model.read(model.perceive(pixel_values.to(model.device, model.dtype)))
        model.teacher_forced(text.tokens, memory, mask)
    finally:
        for hook in hooks:
            hook.remove()
    side, p = model.config.image.grid, model.config.tokens_per_item
    on_item = torch.stack(weights).mean(0)[..., -p:].float()  # behind the null token and the summary
    on_photo = on_item[..., : side**2]  # an item may have been filled up
    return rearrange(text.by_word(on_photo)[0], "w (h c) -> w h c", h=side).cpu()
