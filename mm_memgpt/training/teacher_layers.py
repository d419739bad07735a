"""The layers of a student and of its teacher that meet, and how far they are from each other.

Notable: tokens that are the same meet; where tokenizers differ, those that hold the same character; models that write
have the same tokens always.

b rows   n items   t tokens   r items of all rows   d width   k vectors
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from mm_memgpt.backbones.layers import Reading
from mm_memgpt.objectives.imitation import aligned, attention_loss, matched, share_loss
from mm_memgpt.tasks.base import Batch
from mm_memgpt.tasks.writing_tokens import IGNORED


class Met(NamedTuple):
    """A layer of the student and the one of its teacher that it is to be like."""

    name: str
    own: Tensor
    """(r, t, d)"""
    other: Tensor


def meeting(own: Reading, other: Reading) -> list[Met]:
    """The hidden states that meet, what goes into the first layer included; stacks from the last on."""
    met = []
    for stack, (one, two) in enumerate(zip(reversed(own.hidden), reversed(other.hidden), strict=False)):
        places = [0, *matched(len(one) - 1, len(two) - 1)] if one and two else []
        met += [Met(f"{stack}_{number}", one[number], two[place]) for number, place in enumerate(places)]
    return met


def hidden_loss(maps: nn.ModuleDict, readings: Sequence[Reading], theirs: Sequence[Reading]) -> Tensor:
    """Mean over layers of the share of the teacher's variance that the student's states miss, token by token."""
    losses = []
    for own, other in zip(readings, theirs, strict=True):
        for name, one, two in meeting(own, other):
            losses.append(share_loss(*paired(maps[name](one.float()), two, own.batch, other.batch, name[0] == "0")))
    return torch.stack(losses).mean()


def paired(one: Tensor, two: Tensor, batch: Batch, other: Batch, last: bool) -> tuple[Tensor, Tensor]:
    """The vectors (k, d) that are to be alike, of states (r, t, d) of both.

    Args:
        one: the student's.
        two: the teacher's.
        batch: what the student read.
        other: what the teacher read.
        last: whether they are of a model's last stack, the one that writes if it writes.
    """
    masks = real_tokens(batch, last), real_tokens(other, last)
    one, two = (filled(states, mask) for states, mask in zip((one, two), masks, strict=True))
    if "offsets" not in batch or torch.equal(batch["input_ids"], other["input_ids"]):
        return one[masks[0]], two[masks[1]]
    places, b = aligned(batch, other), len(batch["part"])
    one, two = (rearrange(each, "(b n) t d -> b (n t) d", b=b) for each in (one, two))
    two = two.gather(1, places.clamp_min(0).unsqueeze(-1).expand(-1, -1, two.shape[-1]))
    return one[places >= 0], two[places >= 0]


def real_tokens(batch: Batch, last: bool) -> Tensor:
    """(r, t) True where a token is real, of what is read or, in the `last` stack of two, of what is written."""
    if last and "decoder_input_ids" in batch:
        return batch["labels"] != IGNORED
    return batch["attention_mask"].flatten(0, -2).bool()


def filled(states: Tensor, mask: Tensor) -> Tensor:
    """States of all items, zero of those without a token, which are not read."""
    if len(states) == len(mask):
        return states
    return states.new_zeros(len(mask), *states.shape[1:]).index_put((mask.any(1),), states)


def attention_losses(readings: Sequence[Reading], theirs: Sequence[Reading]) -> Tensor:
    """Mean over layers of how differently both look."""
    losses = []
    for own, other in zip(readings, theirs, strict=True):
        for stack, (one, two) in enumerate(zip(reversed(own.attention), reversed(other.attention), strict=False)):
            mask = real_tokens(own.batch, stack == 0)
            mask = mask if len(mask) == len(one[0]) else mask[mask.any(1)]
            places = matched(len(one), len(two))
            losses += [attention_loss(each, two[place - 1], mask) for each, place in zip(one, places, strict=True)]
    return torch.stack(losses).mean()
