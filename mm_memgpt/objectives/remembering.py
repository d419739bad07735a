"""Remembering: predict what is to be written about memories of many items, behind a prompt where there is one.

Notable: photos and sounds come as their trunks' maps, so what perceives them runs without a trunk; every example counts
the same, whatever its kind and however long its text; the memory in training is smaller than the model's own, so that
what a model must know of merged slots is learned.

b memories   n items of the fullest   r texts   t tokens   v vocabulary
"""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.encoders.items import join
from mm_memgpt.fusion.fuser import Fused, of_slots
from mm_memgpt.fusion.packing import selected
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.objectives.contrastive import HIGHEST_SCALE, contrastive_loss
from mm_memgpt.objectives.looking import answer_place, looking_loss, noticed, token_sources
from mm_memgpt.types import Features, MemoryState

PLAIN = ("captions", "clips")
"""Kinds whose texts are people's sentences, with no prompt."""

PLAIN_TEXT = ("language", "reading", "replies")
"""Kinds of plain text: what is learned of it is how likely words are, so labels are not smoothed."""

ANSWERED = {"questions": "right", "facts": "facts_right"}
"""Kinds whose texts are answers, and what the share of those that are right is called."""

PAIRED = ("captions", "sounds", "clips")
"""Kinds whose memory is one thing and whose text is a sentence about it, so that their keys can be compared."""


def perceived(model: nn.Module, bunch: dict[str, Tensor]) -> Features:
    """The items of b memories (b, n), each kind encoded once for all of them.

    Args:
        model: with a sense for every kind of item there is.
        bunch: image, motion with motion_mask, audio, text with text_mask, order, real, time and source, as
            `mm_memgpt.training.bunches.memory_of` makes them.
    """
    parts = []
    if "image" in bunch:
        parts.append(model.image_encoder.from_map(bunch["image"].unsqueeze(0)))
    if "motion" in bunch:
        seen, real = bunch["motion"].unsqueeze(0), bunch["motion_mask"].unsqueeze(0)
        parts.append(model.motion_encoder(seen, real))
    if "audio" in bunch:
        parts.append(model.audio_encoder.from_map(bunch["audio"].unsqueeze(0)))
    if "text" in bunch:
        parts.append(model.read_text(bunch["text"].unsqueeze(0), bunch["text_mask"].unsqueeze(0)))
    tokens, mask, key, _, modality, _ = (field[0] for field in join(parts))
    order, real = bunch["order"], bunch["real"].unsqueeze(-1)
    tokens, mask, key, modality = (selected(field, order) for field in (tokens, mask, key, modality))
    return Features(tokens, mask & real, key, bunch["time"], modality, bunch["source"])


def remembered(model: nn.Module, bunch: dict[str, Tensor], bank: MemoryBank) -> MemoryState:
    """The items of b memories, written into a bank in their order."""
    return bank.write(bank.empty(len(bunch["order"]), device=bunch["order"].device), perceived(model, bunch))


def fused_of(model: nn.Module, state: MemoryState, bunch: dict[str, Tensor]) -> Fused:
    """A memory fused with what is known from outside of its items, where there is something."""
    known = {name: of_slots(state, bunch[name]) for name in ("relations", "entities") if name in bunch}
    if "relations" in known:
        known["relations"] = of_slots(state, known["relations"].mT).mT
    return model.fuser(state, **known)


def answer_logits(model: nn.Module, fused: Fused | None, bunch: dict[str, Tensor]) -> Tensor:
    """Logits (r, k, v) of the next token at the last k places of the texts, each about the memory that owns it, where
    there is one.

    The first of these places is the one before any token that is to be learned: behind long prompts, padded on the
    left, they are few, and logits cost as much as all layers of a small decoder.
    """
    about = {} if fused is None else memory_about(model, fused, bunch["owner"])
    real, length = bunch["attention_mask"], bunch["input_ids"].shape[1]
    before = int(bunch["learned"].any(0).int().argmax()) - 1
    last = length - before if before > 0 else 0
    place = None if bool(real[:, 0].all()) else (real.cumsum(1) - 1).clamp_min(0)
    text = {"input_ids": bunch["input_ids"], "attention_mask": real, "position_ids": place}
    return model(**text, **about, logits_to_keep=last).logits


def memory_about(model: nn.Module, fused: Fused, owner: Tensor) -> dict[str, Tensor]:
    """What each of r texts reads: the memory that owns it, by `owner` (r)."""
    memory, mask = model.readable(fused)
    return {"memory": selected(model.project_memory(memory, mask), owner), "memory_mask": selected(mask, owner)}


class Remembering:
    """The loss of a model on a batch of memories; beside it that of each kind, and the share of right answers.

    Args:
        bank: the memory in training; in evaluation it is the model's own.
        smoothing: of the labels in training.
        keys: weight of the contrastive loss between the keys of lone photos, sounds or clips and their first sentences.
        half: whether to compute in bfloat16 where that is safe.
        before: the model as it was; in training, captions are held to what it would write.
        hold: share of the captions' loss that does so (arXiv:1606.09282 eq. 2, at temperature 1).
        looking: weight of `looking_loss` of questions.
        rehearsal: weight of the captions' loss in training.
        hold_keys: weight of what the keys of captions' sentences, and of sentences in memories of plain text, differ
            from those that `before` gives them.
    """

    def __init__(
        self,
        bank: MemoryBank,
        smoothing: float,
        keys: float = 0.0,
        half: bool = False,
        before: nn.Module | None = None,
        hold: float = 0.0,
        looking: float = 0.0,
        rehearsal: float = 1.0,
        hold_keys: float = 0.0,
    ) -> None:
        self.looking, self.rehearsal, self.hold_keys = looking, rehearsal, hold_keys
        self.bank, self.smoothing, self.keys, self.half = bank, smoothing, keys, half
        self.before, self.hold = (before, hold) if max(hold, hold_keys) > 0 else (None, 0.0)

    def __call__(self, model: nn.Module, batch: dict) -> dict[str, Tensor]:
        examples = batch["examples"]
        with torch.autocast(examples.device.type, torch.bfloat16, enabled=self.half):
            losses, parts, pairs = [], {}, []
            for kind, bunch in batch["bunches"].items():
                loss, found, fused = self._kind(model, kind, bunch)
                losses.append(loss * (int(bunch["owner"][-1]) + 1) / len(examples))
                parts |= found
                if self.keys > 0 and model.training and kind in PAIRED:
                    pairs.append(paired_keys(model, fused, bunch))
            loss = torch.stack(losses).sum()
            if sum(len(seen) for seen, _ in pairs) > 1:  # one alone has nothing to be told from
                parts["keys"] = key_loss(model, pairs)
                loss = loss + self.keys * parts["keys"]
        return {"loss": loss} | parts

    def _kind(
        self, model: nn.Module, kind: str, bunch: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor], Fused | None]:
        """The loss of one kind of example, its parts by name, and the fused memories, where there are any."""
        training, parts = model.training, {}
        state = remembered(model, bunch, self.bank if training else model.bank) if "order" in bunch else None
        fused = None if state is None else fused_of(model, state, bunch)
        watched = training and self.looking > 0 and kind in ANSWERED
        with noticed(model, answer_place(bunch["learned"])) if watched else nullcontext() as weights:
            logits = answer_logits(model, fused, bunch)
        text, learned = (bunch[name][:, -logits.shape[1] :] for name in ("input_ids", "learned"))
        chosen = of_learned(with_prior(logits, learned, bunch) if training and "prior" in bunch else logits, learned)
        due = text[:, 1:][learned[:, 1:]]
        smoothed = training and kind not in PLAIN_TEXT
        loss = functional.cross_entropy(chosen, due, label_smoothing=self.smoothing if smoothed else 0.0)
        held = training and self.before is not None
        if held and self.hold > 0 and kind == "captions":
            parts["held"] = divergence(chosen, of_learned(self._before(bunch), learned))
            loss = (1 - self.hold) * loss + self.hold * parts["held"]
        parts[kind] = loss.detach()
        if kind in ANSWERED:
            parts[ANSWERED[kind]] = right(logits, text, learned).float().mean()
        if kind == "captions" and training:
            loss = self.rehearsal * loss
        if held and self.hold_keys > 0 and (sentences := held_sentences(kind, bunch)):
            parts[f"keys_of_{kind}"] = self._moved(model, *sentences)
            loss = loss + self.hold_keys * parts[f"keys_of_{kind}"]
        if watched:
            parts["looking"] = looking_loss(
                weights, selected(token_sources(state, fused), bunch["owner"]), bunch["about"]
            )
            loss = loss + self.looking * parts["looking"]
        return loss, parts, fused

    def _moved(self, model: nn.Module, *text: Tensor) -> Tensor:
        """1 - cosine of each sentence's key and that of the model as it was, the mean of all; ids and mask (n, t)."""
        with torch.no_grad():
            due = self.before.to(text[0].device).read_text(*text).key.squeeze(1)
        return 1 - (model.read_text(*text).key.squeeze(1).float() * due.float()).sum(-1).mean()

    @torch.no_grad()
    def _before(self, bunch: dict[str, Tensor]) -> Tensor:
        """The logits of the model as it was."""
        model = self.before.to(bunch["owner"].device)
        return answer_logits(model, model.fuser(remembered(model, bunch, model.bank)), bunch)


def held_sentences(kind: str, bunch: dict[str, Tensor]) -> tuple[Tensor, Tensor] | None:
    """The sentences, ids and mask (n, t), whose keys are held: those written of photos, or remembered of plain text."""
    if kind in PLAIN:
        return bunch["input_ids"], bunch["attention_mask"]
    return (bunch["text"], bunch["text_mask"]) if kind in PLAIN_TEXT and "text" in bunch else None


def with_prior(logits: Tensor, learned: Tensor, bunch: dict[str, Tensor]) -> Tensor:
    """The logits (r, t, v) with what the wordings tell added where the first token to be learned is predicted."""
    told = logits.new_zeros(logits.shape[0], logits.shape[2])
    told = told.scatter_add(1, bunch["prior_token"], bunch["prior"].to(logits.dtype))
    place = functional.one_hot(answer_place(learned), logits.shape[1]).to(logits.dtype)
    return logits + place.unsqueeze(-1) * told.unsqueeze(1)


def of_learned(logits: Tensor, learned: Tensor) -> Tensor:
    """The logits (x, v) by which the x tokens to be learned are predicted, of (r, t, v), row by row; float32."""
    places = learned[:, 1:].flatten().nonzero()[:, 0]
    return selected(logits[:, :-1].flatten(0, 1), places).float()


def divergence(logits: Tensor, due: Tensor) -> Tensor:
    """Mean over x tokens of KL(due || logits), both (x, v)."""
    ours, theirs = logits.log_softmax(-1), due.log_softmax(-1)
    return functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def right(logits: Tensor, input_ids: Tensor, learned: Tensor) -> Tensor:
    """(r) bool: whether each learned token of a text (r, t) is the likeliest after what people would have written."""
    agrees = logits[:, :-1].argmax(-1) == input_ids[:, 1:]
    return (agrees | ~learned[:, 1:]).all(-1)


def sentence_keys(model: nn.Module, bunch: dict[str, Tensor]) -> Tensor:
    """The key (b, key width) of the first text about each memory."""
    owner = bunch["owner"]
    first = torch.cat([torch.ones_like(owner[:1], dtype=torch.bool), owner[1:] != owner[:-1]])
    text, real = bunch["input_ids"][first], bunch["attention_mask"][first].bool()
    order = (~real).to(torch.uint8).argsort(dim=1, stable=True)  # a sentence is read from its beginning: padding last
    return model.read_text(text.gather(1, order), real.gather(1, order)).key.squeeze(1)


def paired_keys(model: nn.Module, fused: Fused, bunch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The keys (x, key width) of those memories whose first text has no prompt, and of that text."""
    owner, given = bunch["owner"], (bunch["attention_mask"].bool() & ~bunch["learned"]).sum(1)
    first = torch.cat([torch.ones_like(owner[:1], dtype=torch.bool), owner[1:] != owner[:-1]])
    plain = given[first] == 1
    return fused.key[plain], sentence_keys(model, bunch)[plain]


def key_loss(model: nn.Module, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """`contrastive_loss` over the memories and sentences of all kinds, at the temperature of the text encoder."""
    perceived_keys, written = (torch.cat(keys) for keys in zip(*pairs, strict=True))
    scale = model.text_encoder.scale.exp().clamp_max(HIGHEST_SCALE)
    return contrastive_loss(functional.normalize(perceived_keys.float(), dim=-1), written.float(), scale)
