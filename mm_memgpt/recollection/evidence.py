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
from mm_memgpt.fusion.fuser import Edges
from mm_memgpt.memory.item import Item
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.recollection.joining import Joined, without
from mm_memgpt.types import MemoryState

MOST = 32
"""Sources that are left out one by one, at most."""

ROWS = 8
"""Memories that are read at a time: of 72 slots with 25 tokens each, attention between them takes 0.8 GB."""

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
    if one.modality == "text":
        return one.text == other.text  # two that differ in a word are two, and may say the opposite
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
        question: what was asked; "" for a sentence that is quoted, which the model then writes unasked.
        answer: what was answered.
    """
    text, given = written(model, processor, f"{question} {answer}".strip()), len(question.split())
    blank = model.bank.empty(dtype=joined.state.sums.dtype)
    rows = without(joined, items, [(), None, *groups], blank)
    full, null, *others = logprobs(model, rows, text, joined.relations)[:, given:]
    drops = full - torch.stack(others) if others else full.new_zeros(0, len(full))
    return Grounds(text.words[given:], full, drops, float((full - null).sum()))


def logprobs(
    model: MMMemGPTForConditionalGeneration, states: MemoryState, text: Written, relations: Tensor | None = None
) -> Tensor:
    """Log-probability of each word of a text from each of n memories, nats: (n, w).

    `relations` (1, s, s) are further edges between the slots of each; those of a slot that is empty are none.
    """
    sums = []
    for rows in zip(*(field.split(ROWS) for field in readable(model, states)), strict=True):
        given = None if relations is None else relations.to(model.device).expand(len(rows[0]), -1, -1)
        memory, mask = model.read(MemoryState(*rows), given)
        tokens = text.tokens.expand(len(memory), -1)
        logits = model.teacher_forced(tokens, memory, mask).float()  # (n, t - 1, v)
        sums.append(text.by_word(logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)))
    return torch.cat(sums).cpu()


@torch.inference_mode()
def edges_of(model: MMMemGPTForConditionalGeneration, joined: Joined) -> Edges:
    """The graph that fusion makes of what was joined, on the CPU."""
    relations = None if joined.relations is None else joined.relations.to(model.device)
    return Edges(*(field.cpu() for field in model.fuser.edges(readable(model, joined.state), relations)))


def readable(model: MMMemGPTForConditionalGeneration, state: MemoryState) -> MemoryState:
    """A state in float64 as the model reads one: on its device, with sums in float32."""
    moved = MemoryState(*(field.to(model.device) for field in state))
    return moved._replace(sums=moved.sums.float(), key_sums=moved.key_sums.float(), similarity=moved.similarity.float())
