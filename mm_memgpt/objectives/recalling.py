"""Recalling: answer what a long text stated once, from a bounded memory of all of its sentences.

Notable: what merges is chosen by the keys alone, without gradients, so the keys are taught what to keep: a sentence
that is asked for lies near its question and apart from all others, and those that nobody asks for lie together. How
many slots there are is drawn anew for each batch, so that no answer depends on it.

b memories   n sentences of the longest   f sentences that state something   t tokens   k key width
"""

from dataclasses import asdict, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.objectives.contrastive import HIGHEST_SCALE
from mm_memgpt.objectives.looking import answer_place, looking_loss, noticed, token_sources
from mm_memgpt.objectives.remembering import answer_logits, of_learned, perceived, right

APART = 0.2
"""Cosine above which a sentence that is asked for is too near to another: above it, it might merge."""

SPARE = 4
"""Slots that a memory in training has at least, beside its ring and one for each pair."""


class Recalling:
    """The cross-entropy of the answers; beside it the share of right ones, and what the keys and the attention lack.

    Args:
        keys: weight of `key_loss`.
        looking: weight of `looking_loss`.
        slots: of the memory in training, at most.
        half: whether to compute in bfloat16 where that is safe.
    """

    def __init__(self, keys: float, looking: float, slots: int, half: bool = False) -> None:
        self.keys, self.looking, self.slots, self.half = keys, looking, slots, half

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        with torch.autocast(batch["order"].device.type, torch.bfloat16, enabled=self.half):
            features = perceived(model, batch)
            facts = int(batch["stated"][:, 0].bincount().max())
            bank = drawn_bank(model.bank, facts, self.slots) if model.training else model.bank
            state = bank.write(bank.empty(len(batch["order"]), device=batch["order"].device), features)
            fused = model.fuser(state)
            with noticed(model, answer_place(batch["learned"])) as weights:
                logits = answer_logits(model, fused, batch)
            asked = model.read_text(batch["asked"], batch["asked_mask"]).key.squeeze(1)
        text, learned = (batch[name][:, -logits.shape[1] :] for name in ("input_ids", "learned"))
        answers = functional.cross_entropy(of_learned(logits, learned), text[:, 1:][learned[:, 1:]])
        looked = looking_loss(weights, token_sources(state, fused)[batch["owner"]], batch["about"])
        scale = model.text_encoder.scale.exp().clamp_max(HIGHEST_SCALE)
        kept = key_loss(features.key.float(), batch["real"], asked.float(), *batch["stated"].unbind(1), scale)
        return {
            "loss": answers + self.keys * kept + self.looking * looked,
            "answers": answers.detach(),
            "keys": kept.detach(),
            "looking": looked.detach(),
            "right": right(logits, text, learned).float().mean(),
        }


def drawn_bank(bank: MemoryBank, facts: int, most: int) -> MemoryBank:
    """A bank of the same sizes with a drawn number of slots, at most `most`, and enough for so many facts."""
    least = bank.geometry.ring + facts + SPARE
    slots = least if least >= most else int(torch.randint(least, most + 1, ()))
    return MemoryBank(**asdict(replace(bank.geometry, slots=slots)))


def key_loss(key: Tensor, real: Tensor, asked: Tensor, owner: Tensor, place: Tensor, scale: Tensor) -> Tensor:
    """What keys lack of finding the sentence that answers, and of keeping it a slot of its own; the sum of three.

    A question's cross-entropy over all sentences of the batch by their cosines; how much nearer than APART a sentence
    that is asked for lies to any other of its text; and 1 - the cosine of those that nobody asks for with their mean.

    Args:
        key: (b, n, k) of the sentences, unit length.
        real: (b, n) True where there is one.
        asked: (f, k) of the questions, likewise.
        owner: (f) the text that each is about.
        place: (f) the sentence that answers it.
        scale: what cosines are multiplied by.
    """
    cosine = (scale * asked @ key.flatten(0, 1).T).masked_fill(~real.flatten(), -torch.inf)
    found = functional.cross_entropy(cosine, owner * key.shape[1] + place)
    near = (key[owner] @ key[owner, place].unsqueeze(-1)).squeeze(-1)  # (f, n)
    others = real[owner] & (torch.arange(key.shape[1], device=place.device) != place.unsqueeze(1))
    nearest = near.masked_fill(~others, -1).amax(1)
    rest = real.index_put((owner, place), torch.zeros_like(owner, dtype=torch.bool))
    mean = functional.normalize((key * rest.unsqueeze(-1)).sum(1, keepdim=True), dim=-1)
    together = (1 - (key * mean).sum(-1))[rest]
    return found + (nearest - APART).clamp_min(0).mean() + together.sum() / max(1, len(together))
