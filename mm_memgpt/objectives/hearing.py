"""Hearing: a student trunk knows of a sound what its teacher knows, and what people call it where they said so.

Notable: the teacher heard the very same augmented samples; its scores are independent, so each of them is a coin of its
own and not a share of one; a sound without a label is learned from all the same. The heads are left behind.

b batch   t samples   s places in time on the map   c student channels   e teacher embedding   l teacher classes
k labels   w words
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.config import AudioConfig
from mm_memgpt.encoders.audio_trunk import adapter, probe

NO_LABEL = -100
"""Stands for the label of a sound that has none, and for the word of a place where nobody said what is spoken."""

SILENCE = 0
"""The number of no word at all; word i of the list is number i + 1."""

RARE = -6.0
"""What the scores' head says of every class at first, as a logit: 0.25%; YAMNet's mean score of our pieces is 0.27%."""

WEIGHTS = {"direction": 2.0, "scores": 0.3}
"""Of the losses that do not count once, as for photos."""


def embedding_losses(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the teacher's variance that the student misses, and one minus their mean cosine; both (b, e).

    ||s - t||^2 / Var(t), the variance that of all numbers of the batch, so that a batch of one has one, too: 1.0 means
    "no better than their mean".
    """
    missed = functional.mse_loss(student, teacher) / teacher.var(correction=0).clamp_min(1e-6)
    return missed, 1 - functional.cosine_similarity(student, teacher).mean()


def score_loss(logits: Tensor, scores: Tensor) -> Tensor:
    """Divergence of the student's independent answers from the teacher's, summed over classes, a batch's mean.

    Binary cross-entropy less the teacher's own entropy, sum_l KL(t_l || sigmoid(s_l)): 0 where they agree.

    Args:
        logits: (b, l).
        scores: (b, l) from 0 to 1.
    """
    cross = functional.binary_cross_entropy_with_logits(logits, scores, reduction="none")
    entropy = -torch.xlogy(scores, scores) - torch.xlogy(1 - scores, 1 - scores)
    return (cross - entropy).sum(1).mean()


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of those labels (b) or (b, s) that are not NO_LABEL, for logits (b, k) or (b, s, k).

    0 where there is none.
    """
    known = (labels != NO_LABEL).sum()
    losses = functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=NO_LABEL, reduction="sum")
    return losses / known.clamp_min(1)


def share_right(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of those labels that are not NO_LABEL whose logit is the largest; shapes as in `label_loss`."""
    known = labels != NO_LABEL
    return (logits.argmax(-1) == labels).sum() / known.sum().clamp_min(1)


class TrunkHearing(nn.Module):
    """An audio trunk with the heads that meet the teacher and the labels; the heads are left behind afterwards.

    Args:
        trunk: what `create_trunk(config)` made.
        config: what the trunk hears.
        embedding: e, width of the teacher's embedding.
        classes: l, the teacher's classes.
        labels: k, how many labels there are, 0 for none.
        words: w, how many words there are, 0 for none.

    Raises:
        ValueError: the trunk gives no map of an item.
    """

    def __init__(
        self, trunk: nn.Module, config: AudioConfig, embedding: int, classes: int, labels: int, words: int = 0
    ) -> None:
        super().__init__()
        self.trunk, self.audio = trunk, config  # the Trainer would take a `config` for a whole model's
        with torch.no_grad():
            channels, _, self.places = probe(trunk, config).map.shape[1:]
        self.embedding_head = nn.Linear(channels, embedding)
        self.class_head = nn.Linear(channels, classes)
        nn.init.constant_(self.class_head.bias, RARE)
        self.label_head = nn.Linear(channels, labels) if labels else None
        self.word_head = nn.Linear(channels, words + 1) if words else None

    def along(self, waveforms: Tensor) -> Tensor:
        """Waveforms (b, t) to the trunk's map, its mean over frequency, (b, s, c) float32."""
        return adapter(self.audio).perceive(self.trunk, waveforms, self.audio).map.float().mean(2).mT

    def pooled(self, waveforms: Tensor) -> Tensor:
        """Waveforms (b, t) to the mean of the trunk's map, (b, c) float32."""
        return self.along(waveforms).mean(1)

    def forward(
        self, input_values: Tensor, teacher_embedding: Tensor, teacher_scores: Tensor, labels: Tensor, words: Tensor
    ) -> dict[str, Tensor]:
        """The weighted sum of the losses, each of them, and the share of labels that are right.

        Args:
            input_values: (b, t) from -1 to 1.
            teacher_embedding: (b, e).
            teacher_scores: (b, l) from 0 to 1.
            labels: (b) int64, NO_LABEL where there is none.
            words: (b, s) int64, SILENCE where nothing is said, NO_LABEL where nobody knows.
        """
        places = self.along(input_values)
        pooled = places.mean(1)
        missed, direction = embedding_losses(self.embedding_head(pooled).float(), teacher_embedding.float())
        scores = score_loss(self.class_head(pooled).float(), teacher_scores.float())
        parts, extra = {"missed": missed, "direction": direction, "scores": scores}, {}
        if self.label_head is not None:
            logits = self.label_head(pooled).float()
            parts["label"] = label_loss(logits, labels)
            extra["right"] = share_right(logits, labels)
        if self.word_head is not None:
            logits = self.word_head(places).float()
            parts["word"] = label_loss(logits, words)
            extra["words_right"] = share_right(logits, words)
        return {"loss": sum(WEIGHTS.get(name, 1.0) * value for name, value in parts.items()), **parts, **extra}


class Hearing:
    """The loss of a TrunkHearing on a batch, and each of its parts."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return model(**batch)
