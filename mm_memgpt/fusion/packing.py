"""Real tokens moved together, so that what is computed between tokens is not computed for padding.

Notable: an item of sound fills 4 of the 25 places of an item, so most of a memory of many items is padding; a memory
without padding stays as it is, to the bit.

b batch   m tokens   n real tokens of the fullest row   d width
"""

import torch
from torch import Tensor


def packing(mask: Tensor) -> Tensor | None:
    """Places (b, n) of the real tokens of a mask (b, m), in order; None where some row has no padding.

    A row with fewer than n real tokens ends in places of padding; n is at least 1.
    """
    n = max(1, int(mask.sum(-1).max()))
    return None if n == mask.shape[1] else (~mask).to(torch.uint8).argsort(dim=-1, stable=True)[:, :n]


def taken(tokens: Tensor, places: Tensor) -> Tensor:
    """What lies at the places (b, n) of (b, m, ...)."""
    first = tokens.shape[1] * torch.arange(len(places), device=places.device).unsqueeze(-1)
    return selected(tokens.flatten(0, 1), first + places)


def selected(rows: Tensor, numbers: Tensor) -> Tensor:
    """rows[numbers], whose gradient is summed row by row: on a CPU many times as fast as that of indexing."""
    return rows.index_select(0, numbers.flatten()).unflatten(0, numbers.shape)


def put_back(tokens: Tensor, places: Tensor, m: int) -> Tensor:
    """Tokens (b, n, d) at their places (b, n) of (b, m, d), 0 everywhere else."""
    whole = tokens.new_zeros(len(tokens), m, tokens.shape[-1])
    return whole.scatter(1, places.unsqueeze(-1).expand_as(tokens), tokens)
