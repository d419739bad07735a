"""What each word of an answer rests on: the same answer, once more without each source, and once with no memory.

Notable: provenance is causal, not attention: one batched teacher-forced pass over {full memory, null memory, memory
without source 1, ...}, each through fusion again; sources that are nearly the same are left out together, because of
two that say the same neither is missed alone.

n memories   s slots   t tokens   w words   g groups
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mm_memgpt.explain.written import Written, written
from mm_memgpt.memory.item import Item
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.recollection.joining import Joined, without
from mm_memgpt.types import MemoryState

MOST = 32
"""Sources that are left out one by one, at most."""

ALIKE = 0.95
"""Cosine of two keys of one modality above which their items are one source."""


class Grounds(NamedTuple):
    """What an answer rests on."""

    words: tuple[str, ...]
    """The w words of the answer."""
    logprob: Tensor
    """(w,) natural logarithm of each word's probability, given all."""
    drops: Tensor
    """(g, w) nats that each word loses without each group."""
    grounded: float
    """log p(answer | memory) - log p(answer | null memory), nats."""


def groups_of(items: Sequence[Item]) -> list[list[int]]:
    """Places of the items, those together that are nearly the same or pieces of one sound; at most MOST groups."""
    groups: list[list[int]] = []
    for place, item in enumerate(items):
        home = next((group for group in groups if _alike(items[group[0]], item)), None)
        if home is not None:
            home.append(place)
        elif len(groups) < MOST:
            groups.append([place])
    return groups


def _alike(one: Item, other: Item) -> bool:
    if one.modality != other.modality:
        return False
    if one.modality == "audio" and one.source == other.source:
        return True
    return float(one.key.astype(float) @ other.key.astype(float)) > ALIKE


@torch.inference_mode()
def grounds(
    model: MMMemGPTForConditionalGeneration,
    processor: MMMemGPTProcessor,
    joined: Joined,
    items: Sequence[Item],
    groups: Sequence[Sequence[int]],
    question: str,
    answer: str,
) -> Grounds:
    """What an answer to a question rests on.

    Args:
        model: what answered.
        processor: its tokenizer's.
        joined: the memory that it read.
        items: what was found, in `joined`'s order.
        groups: places among the items that are left out together.
        question: what was asked.
        answer: what was answered.
    """
    text, given = written(model, processor, f"{question} {answer}"), len(question.split())
    blank = model.bank.empty(dtype=joined.state.sums.dtype)
    nothing_left_out: list[int] = []
    rows = without(joined, items, [nothing_left_out, nothing_left_out, *groups], blank)
    rows.items[1] = 0  # a slot without items is read by nobody
    full, null, *others = logprobs(model, rows, text)[:, given:]
    drops = full - torch.stack(others) if others else full.new_zeros(0, len(full))
    return Grounds(text.words[given:], full, drops, float((full - null).sum()))


def logprobs(model: MMMemGPTForConditionalGeneration, states: MemoryState, text: Written) -> Tensor:
    """Log-probability of each word of a text from each of n memories, nats: (n, w)."""
    memory, mask = model.read(readable(model, states))
    logits = model.teacher_forced(text.tokens.expand(len(memory), -1), memory, mask)  # (n, t - 1, v)
    target = text.tokens[:, 1:, None].expand(len(memory), -1, -1)
    return text.by_word(logits.float().log_softmax(-1).gather(-1, target).squeeze(-1)).cpu()


def readable(model: MMMemGPTForConditionalGeneration, state: MemoryState) -> MemoryState:
    """A state in float64 as the model reads one: on its device, with sums in float32."""
    moved = MemoryState(*(field.to(model.device) for field in state))
    return moved._replace(sums=moved.sums.float(), key_sums=moved.key_sums.float(), similarity=moved.similarity.float())
