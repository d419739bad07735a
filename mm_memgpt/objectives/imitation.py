"""Imitation: a student answers, represents and looks as its teacher does, whatever the widths and depths of the two.

Notable: layers are matched evenly, the last with the last; where tokenizers differ, a token meets the teacher's token
that holds its first character; errors are shares of the teacher's variance, so 1.0 means "no better than its mean".

b rows   r items of all rows   t tokens   o outputs   d width   h heads   k width of keys
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mm_memgpt.config import require
from mm_memgpt.objectives.distillation import logit_loss

FURTHER = ("hidden", "attention", "keys")
"""What may be imitated beside the logits."""


@dataclass(frozen=True, kw_only=True)
class TransferConfig:
    """Texts without labels that a teacher labels for its student: the transfer set of arXiv:1503.02531, section 2."""

    path: str
    """A file, a pattern or hub:owner/name."""
    text: str | None = None
    """Column of the text; the recipe's own where None."""
    sentences: bool = False
    """Whether each sentence of a text is one of the set."""
    words: tuple[int, int] = (4, 40)
    """Of sentences, the fewest and the most words."""
    most: int = 30_000
    """How many are taken, by chance."""
    share: float = 1.0
    """Of these, how many an epoch has beside its labelled rows, the next in turn."""

    def __post_init__(self) -> None:
        require(self.most >= 1, f"teacher.transfer.most {self.most} must be at least 1; try most=30000")
        require(0 < self.share <= 1, f"teacher.transfer.share {self.share} must be above 0 and at most 1; try share=1")
        fits = len(self.words) == 2 and 1 <= self.words[0] <= self.words[1]
        require(fits, f"teacher.transfer.words {list(self.words)} must be the fewest and the most; try [4, 40]")


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Who teaches, and the weight of each of the losses."""

    model: str
    """Folder of a model that finetune wrote for the same task; of a task that writes, any model that writes."""
    temperature: float = 2.0
    """Softens what both say."""
    logits: float = 1.0
    """Of what is said: temperature^2 * KL, or the squared error of a number."""
    hidden: float = 0.0
    """Of the hidden states after each of the student's layers."""
    attention: float = 0.0
    """Of the attention maps of each of the student's layers."""
    keys: float = 0.0
    """Of the keys: one minus their cosine."""
    labels: float = 0.5
    """Of the task's own loss, on what is right, or what the teacher says of rows without labels."""
    transfer: TransferConfig | None = None
    """Further texts, which the teacher labels: {path: reviews.parquet, sentences: true, most: 30000, share: 0.5}."""

    def __post_init__(self) -> None:
        require(self.temperature > 0, f"teacher.temperature {self.temperature} must be above 0; try temperature=2")
        for name in ("logits", *FURTHER, "labels"):
            require(getattr(self, name) >= 0, f"teacher.{name} {getattr(self, name)} must be at least 0; try {name}=1")
        taught = any(getattr(self, name) > 0 for name in ("logits", *FURTHER))
        require(taught, f"teacher {self.model!r} teaches nothing: logits, hidden, attention and keys are 0; raise one")


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """`logit_loss` of outputs (k, o) that may be none; 0 of those."""
    if len(student) == 0:
        return 0 * student.float().sum()
    return logit_loss(student.float(), teacher.float(), temperature)


def share_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Share of the teacher's variance that the student misses, ||s - t||^2 / Var(t), of vectors (k, d)."""
    student, teacher = student.float(), teacher.float()
    if len(student) == 0:
        return 0 * student.sum()
    return functional.mse_loss(student, teacher) / teacher.var(dim=0, correction=0).mean().clamp_min(1e-6)


def attention_loss(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """KL(teacher || student) of where tokens look (arXiv:2002.10957 eq. 3), each head its own where both have as many,
    and their mean otherwise.

    Args:
        student: (r, h, t, t) attention, after the softmax.
        teacher: likewise, of the same tokens.
        mask: (r, t) True where a token is real.
    """
    if student.shape[1] != teacher.shape[1]:
        student, teacher = (each.mean(1, keepdim=True) for each in (student, teacher))
    looks = [each.float().transpose(1, 2)[mask].clamp_min(1e-8).log() for each in (student, teacher)]  # (k, h, t)
    return functional.kl_div(*looks, log_target=True, reduction="sum") / looks[0].shape[:2].numel()


def key_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """One minus the cosine of keys (b, k)."""
    return 1 - functional.cosine_similarity(student.float(), teacher.float(), dim=-1).mean()


def matched(student: int, teacher: int) -> list[int]:
    """The teacher's layer, from 1, for each of the student's, from 1: evenly, and the last for the last."""
    return [max(1, (2 * layer * teacher + student) // (2 * student)) for layer in range(1, student + 1)]


def aligned(batch: Mapping[str, Tensor], other: Mapping[str, Tensor], last: bool = False) -> Tensor:
    """For each token of a batch the one of another tokenizer's that holds its first, or its last, character.

    Args:
        batch: with part (b, n, t) and offsets (b, n, t, 2), of the same texts in both.
        other: likewise.
        last: whether it is the last character.

    Returns:
        (b, n * t) places among the other's n * t, -1 where there is none; a row's first special tokens stand for each
        other.
    """
    (part, offsets), (others, spans) = (
        (each["part"].flatten(1), each["offsets"].flatten(1, 2)) for each in (batch, other)
    )
    places = offsets[..., 1] - 1 if last else offsets[..., 0]  # (b, n * t)
    real = (part >= 0) & (offsets[..., 1] > offsets[..., 0])
    holds = (spans[:, None, :, 0] <= places.unsqueeze(-1)) & (places.unsqueeze(-1) < spans[:, None, :, 1])
    holds &= (part.unsqueeze(-1) == others.unsqueeze(1)) & real.unsqueeze(-1)
    found = torch.where(holds.any(-1), holds.int().argmax(-1), -1)
    first, twin = ((each["part"][:, 0] < 0) & each["attention_mask"][:, 0].bool() for each in (batch, other))
    rows = (first.any(1) & twin.any(1)).nonzero().flatten()
    found[rows, first[rows].int().argmax(1)] = twin[rows].int().argmax(1)
    return found
