"""How much a sentence rests on each slot of a memory: the same sentence, once without each.

Notable: causal, not attention: a slot is taken out before fusion, so what the other slots learned of it goes with it;
a slot may hold one piece of a sound, or several that were alike and merged.

n rows   s slots   u used slots   t tokens   w words
"""

import torch
from torch import Tensor

from mm_memgpt.explain.written import Written
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.types import MemoryState

BATCH = 16
"""Memories read at a time."""


def used(state: MemoryState) -> Tensor:
    """The slots of a memory of batch 1 that hold something (u,), by the time at which they begin."""
    slots = (state.items[0] > 0).nonzero()[:, 0]
    return slots[state.time[0, slots, 0].argsort(stable=True)]


def keeping(state: MemoryState, keep: Tensor, empty: MemoryState) -> MemoryState:
    """A memory of batch 1 once for each row of `keep` (n, s), with only the slots that are True there.

    Args:
        state: the memory.
        keep: True for a slot that stays.
        empty: the bank's empty memory of batch 1, which says what a slot looks like that does not.
    """

    def rows(field: Tensor, blank: Tensor, kept: Tensor) -> Tensor:
        kept = kept.reshape(*kept.shape, *[1] * (field.ndim - kept.ndim))
        return torch.where(kept, field, blank.to(field.dtype))

    pairs = keep.unsqueeze(-1) & keep.unsqueeze(-2)
    chosen = [rows(*fields, keep) for fields in zip(state[:-1], empty[:-1], strict=True)]
    return MemoryState(*chosen, rows(state.similarity, empty.similarity, pairs))


def alone(state: MemoryState, slots: Tensor, empty: MemoryState) -> MemoryState:
    """A memory for each of the u slots (u,) that holds nothing else."""
    places = torch.arange(state.items.shape[1], device=slots.device)
    return keeping(state, places == slots.unsqueeze(-1), empty)


@torch.inference_mode()
def slot_evidence(
    model: MMMemGPTForConditionalGeneration, state: MemoryState, slots: Tensor, text: Written, given: int = 0
) -> Tensor:
    """What a sentence loses with each of the u slots: `log p(words | all) - log p(words | all but slot)`, nats: (u,).

    Args:
        model: reads the memory.
        state: of batch 1.
        slots: (u,) their places in the bank.
        text: the sentence.
        given: words of it that were a prompt and do not count.
    """
    keep = torch.ones(len(slots) + 1, state.items.shape[1], dtype=torch.bool, device=slots.device)
    keep[torch.arange(len(slots)), slots] = False  # the last row keeps all
    empty, sums = model.bank.empty(device=state.items.device), []
    for rows in keep.split(BATCH):
        memory, mask = model.read(keeping(state, rows, empty))
        logits = model.teacher_forced(text.tokens.expand(len(rows), -1), memory, mask)  # (n, t - 1, v)
        target = text.tokens[:, 1:, None].expand(len(rows), -1, -1)
        chosen = logits.float().log_softmax(-1).gather(-1, target).squeeze(-1)
        sums.append(text.by_word(chosen)[:, given:].sum(-1))
    logprob = torch.cat(sums)
    return (logprob[-1] - logprob[:-1]).cpu()
