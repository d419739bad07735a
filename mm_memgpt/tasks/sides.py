"""What is asked and what is found in one batch: apart, as training and ranking take them, or as items of one row.

b rows   n items   t tokens
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

TEXTS = ("input_ids", "attention_mask", "token_type_ids", "part", "offsets")
"""What a processor says of texts, each (b, n, t, ...)."""


def prefixed(batch: Mapping[str, Tensor], side: str) -> dict[str, Tensor]:
    """A processor's batch under names of a side."""
    return {f"{side}_{name}": value for name, value in batch.items()}


def within(batch: Mapping[str, Tensor], side: str) -> dict[str, Tensor]:
    """What `prefixed` put in."""
    return {name.removeprefix(f"{side}_"): value for name, value in batch.items() if name.startswith(f"{side}_")}


def join(asked: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Both sides as one batch, whose `side` (b, n) says 0 of an item that is asked, 1 of one that is found.

    Of two texts, the one that is found comes second, and is part 1. A kind of input other than text is on one side.
    """
    batch = {**asked, **found}
    sides = []
    if "input_ids" in batch:
        texts = [(side, given) for side, given in enumerate((asked, found)) if "input_ids" in given]
        longest = max(given["input_ids"].shape[2] for _, given in texts)
        for name in TEXTS:
            padded = [_padded(given[name], longest, -1 if name == "part" else 0) for _, given in texts]
            batch[name] = torch.cat(padded, dim=1)
        sides += [torch.full(given["input_ids"].shape[:2], side) for side, given in texts]
        side = torch.cat(sides, dim=1)
        batch["part"] = torch.where(batch["part"] >= 0, side.unsqueeze(-1).expand_as(batch["part"]), batch["part"])
    for name, items in (("pixel_values", 1), ("input_values_mask", None)):
        if name in batch:
            shape = (len(batch[name]), items or batch[name].shape[1])
            sides.append(torch.full(shape, int(name in found)))
    return {**batch, "side": torch.cat(sides, dim=1)}


def _padded(values: Tensor, longest: int, by: int) -> Tensor:
    """(b, n, t, ...) with t made longest."""
    more = [0, 0] * (values.ndim - 3) + [0, longest - values.shape[2]]
    return functional.pad(values, more, value=by)
