"""Remembering: predict what is to be written about memories of many items, behind a prompt where there is one.

Notable: photos and sounds come as their trunks' maps, so what perceives them runs without a trunk; every example counts
the same, whatever its kind and however long its text; the memory in training is smaller than the model's own, so that
what a model must know of merged slots is learned.

b memories   n items of the fullest   r texts   t tokens   v vocabulary
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.encoders.items import join
from mm_memgpt.fusion.fuser import Fused
from mm_memgpt.fusion.packing import selected
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.objectives.captioning import caption_loss
from mm_memgpt.objectives.contrastive import HIGHEST_SCALE, contrastive_loss
from mm_memgpt.types import Features

PAIRED = ("captions", "sounds")
"""Kinds whose memory is one thing and whose text is a sentence about it, so that their keys can be compared."""


def perceived(model: nn.Module, bunch: dict[str, Tensor]) -> Features:
    """The items of b memories (b, n), each kind encoded once for all of them.

    Args:
        model: with a sense for every kind of item there is.
        bunch: image, audio, text with text_mask, order, real, time and source, as
            `mm_memgpt.training.bunches.memory_of` makes them.
    """
    parts = []
    if "image" in bunch:
        parts.append(model.image_encoder.from_map(bunch["image"].unsqueeze(0)))
    if "audio" in bunch:
        parts.append(model.audio_encoder.from_map(bunch["audio"].unsqueeze(0)))
    if "text" in bunch:
        parts.append(model.read_text(bunch["text"].unsqueeze(0), bunch["text_mask"].unsqueeze(0)))
    tokens, mask, key, _, modality, _ = (field[0] for field in join(parts))
    order, real = bunch["order"], bunch["real"].unsqueeze(-1)
    tokens, mask, key, modality = (selected(field, order) for field in (tokens, mask, key, modality))
    return Features(tokens, mask & real, key, bunch["time"], modality, bunch["source"])


def answer_logits(model: nn.Module, fused: Fused, bunch: dict[str, Tensor]) -> Tensor:
    """Logits (r, k, v) of the next token at the last k places of the texts, each about the memory that owns it.

    The first of these places is the one before any token that is to be learned: behind long prompts, padded on the
    left, they are few, and logits cost as much as all layers of a small decoder.
    """
    memory, mask = model.readable(fused)
    memory, mask = (selected(each, bunch["owner"]) for each in (model.project_memory(memory, mask), mask))
    real, length = bunch["attention_mask"], bunch["input_ids"].shape[1]
    before = int(bunch["learned"].any(0).int().argmax()) - 1
    last = length - before if before > 0 else 0
    place = None if bool(real[:, 0].all()) else (real.cumsum(1) - 1).clamp_min(0)
    text = {"input_ids": bunch["input_ids"], "attention_mask": real, "position_ids": place}
    return model(**text, memory=memory, memory_mask=mask, logits_to_keep=last).logits


class Remembering:
    """The loss of a model on a batch of memories; beside it that of each kind, and the share of right answers.

    Args:
        bank: the memory in training; in evaluation it is the model's own.
        smoothing: of the labels in training.
        keys: weight of the contrastive loss between the keys of lone photos or sounds and of their first sentences.
        half: whether to compute in bfloat16 where that is safe.
    """

    def __init__(self, bank: MemoryBank, smoothing: float, keys: float = 0.0, half: bool = False) -> None:
        self.bank, self.smoothing, self.keys, self.half = bank, smoothing, keys, half

    def __call__(self, model: nn.Module, batch: dict) -> dict[str, Tensor]:
        examples = batch["examples"]
        with torch.autocast(examples.device.type, torch.bfloat16, enabled=self.half):
            bank, smoothing = (self.bank, self.smoothing) if model.training else (model.bank, 0.0)
            losses, parts, pairs = [], {}, []
            for kind, bunch in batch["bunches"].items():
                state = bank.write(bank.empty(len(bunch["order"]), device=examples.device), perceived(model, bunch))
                fused = model.fuser(state)
                logits = answer_logits(model, fused, bunch)
                text, learned = (bunch[name][:, -logits.shape[1] :] for name in ("input_ids", "learned"))
                loss = caption_loss(logits, text, learned, smoothing)
                losses.append(loss * len(bunch["order"]) / len(examples))
                parts[kind] = loss.detach()
                if kind == "questions":
                    parts["right"] = right(logits, text, learned).float().mean()
                if self.keys > 0 and model.training and kind in PAIRED:
                    pairs.append((fused.key, sentence_keys(model, bunch)))
            loss = torch.stack(losses).sum()
            if sum(len(seen) for seen, _ in pairs) > 1:  # one alone has nothing to be told from
                parts["keys"] = key_loss(model, pairs)
                loss = loss + self.keys * parts["keys"]
        return {"loss": loss} | parts


def right(logits: Tensor, input_ids: Tensor, learned: Tensor) -> Tensor:
    """(r) bool: whether each learned token of a text (r, t) is the likeliest after what people would have written."""
    agrees = logits[:, :-1].argmax(-1) == input_ids[:, 1:]
    return (agrees | ~learned[:, 1:]).all(-1)


def sentence_keys(model: nn.Module, bunch: dict[str, Tensor]) -> Tensor:
    """The key (b, key width) of the first text about each memory."""
    owner = bunch["owner"]
    first = torch.cat([torch.ones_like(owner[:1], dtype=torch.bool), owner[1:] != owner[:-1]])
    return model.read_text(bunch["input_ids"][first], bunch["attention_mask"][first]).key.squeeze(1)


def key_loss(model: nn.Module, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """`contrastive_loss` over the memories and sentences of all kinds, at the temperature of the text encoder."""
    perceived_keys, written = (torch.cat(keys) for keys in zip(*pairs, strict=True))
    scale = model.text_encoder.scale.exp().clamp_max(HIGHEST_SCALE)
    return contrastive_loss(functional.normalize(perceived_keys.float(), dim=-1), written.float(), scale)
