"""What a graph of knowledge knows of an entity joins the tokens of what names it, by concatenation and projection.

Notable: it begins as identity, and a slot that no entity is linked to stays as it is, to the bit.

b batch   s slots   p tokens per slot   d width   e entity width
"""

import torch
from torch import Tensor, nn


class EntityProjection(nn.Module):
    """`x <- x + W [x ; v]` for each real token x of a slot, v being the vector of the entities that it is linked to."""

    def __init__(self, width: int, entity_width: int) -> None:
        super().__init__()
        self.entity_width = entity_width
        self.projection = nn.Linear(width + entity_width, width, bias=False)
        nn.init.zeros_(self.projection.weight)

    def forward(self, tokens: Tensor, mask: Tensor, entities: Tensor) -> Tensor:
        """tokens (b, s, p, d), their mask (b, s, p), and a vector a slot (b, s, e), 0 where none is linked.

        Raises ValueError for vectors of other sizes.
        """
        due = (*tokens.shape[:2], self.entity_width)
        if entities.shape != due:
            raise ValueError(f"entities {tuple(entities.shape)} must be (batch, slots, entity width) = {due}")
        linked = (entities != 0).any(-1)[..., None, None] & mask.unsqueeze(-1)  # (b, s, p, 1)
        beside = entities.to(tokens.dtype).unsqueeze(-2).expand(*tokens.shape[:3], -1)
        return tokens + self.projection(torch.cat([tokens, beside], dim=-1)).masked_fill(~linked, 0)
