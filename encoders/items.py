"""Items of several encoders as one Features: joined, filled up to one number of tokens, and put in order of time.

Notable: what is filled up is masked, so it changes nothing; an item comes when it is over, as a clip's moments do.

b batch   n items   p tokens per item   d width   k key width
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from mm_memgpt.types import Features


def join(parts: Sequence[Features]) -> Features:
    """The items of all parts, one part after another (b, n1 + n2 + ..., ...), each with as many tokens as any has.

    Raises:
        ValueError: no part, or parts that differ in the width of tokens or keys.
    """
    if not parts:
        raise ValueError("no items to join; give at least one part")
    for what, widths in (
        ("tokens", [part.tokens.shape[-1] for part in parts]),
        ("keys", [part.key.shape[-1] for part in parts]),
    ):
        if len(set(widths)) > 1:
            raise ValueError(f"{what} are {widths} wide, part by part; build all encoders of one width")
    if len(parts) == 1:
        return parts[0]
    most = max(part.mask.shape[-1] for part in parts)
    filled = [
        part._replace(
            tokens=pad(part.tokens, (0, 0, 0, most - part.tokens.shape[2])),
            mask=pad(part.mask, (0, most - part.mask.shape[2])),
        )
        for part in parts
    ]
    return Features(*(torch.cat(fields, dim=1) for fields in zip(*filled, strict=True)))


def reorder(features: Features, order: Tensor) -> Features:
    """The items that `order` (b, m) names by their place in the row, in that order."""
    rows = torch.arange(len(order), device=order.device).unsqueeze(-1)
    return Features(*(field[rows, order] for field in features))


def by_time(features: Features) -> Features:
    """The items of each row by their ends; of those that end together, the one that came first stays first."""
    return reorder(features, features.time[..., 1].argsort(dim=-1, stable=True))
