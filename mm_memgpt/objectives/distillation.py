"""Distillation: a student trunk answers like its teacher on the very same crop, in features and in logits.

Notable: the student's map and the teacher's are compared cell by cell on the student's grid; the squared error is
divided by the variance of the teacher's map, so 1.0 means "no better than its mean".

b batch   c student channels   t teacher channels   l classes
"""

from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.encoders.image import feature_map


def map_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Share of the teacher map's variance that the student misses: ||s - t||^2 / Var(t).

    Args:
        student: (b, t, h, w).
        teacher: (b, t, h, w).
    """
    return functional.mse_loss(student, teacher) / teacher.var(dim=(0, 2, 3)).mean().clamp_min(1e-6)


def pooled_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """One minus the cosine of the spatially pooled maps (b, t, h, w)."""
    return 1 - functional.cosine_similarity(student.mean((2, 3)), teacher.mean((2, 3))).mean()


def logit_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """temperature^2 * KL(teacher || student) of the softened classes (arXiv:1503.02531 section 2), logits (b, l)."""
    return temperature**2 * functional.kl_div(
        functional.log_softmax(student / temperature, dim=-1),
        functional.log_softmax(teacher / temperature, dim=-1),
        log_target=True,
        reduction="batchmean",
    )


class TrunkDistillation(nn.Module):
    """A trunk with the two heads that meet the teacher; the heads are left behind afterwards.

    Args:
        trunk: a timm trunk without pooling.
        channels: c, width of its map.
        teacher_channels: t, width of the teacher's map.
        classes: l, the teacher's classes.
        temperature: softens both distributions.
    """

    def __init__(
        self, trunk: nn.Module, channels: int, teacher_channels: int, classes: int, temperature: float = 2.0
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.map_head = nn.Conv2d(channels, teacher_channels, 1)
        self.class_head = nn.Linear(channels, classes)
        self.temperature = temperature

    def forward(self, pixel_values: Tensor, teacher_map: Tensor, teacher_logits: Tensor) -> dict[str, Tensor]:
        """The weighted sum of the three losses, and each of them.

        Args:
            pixel_values: (b, 3, h, w) normalised.
            teacher_map: (b, t, rows, columns).
            teacher_logits: (b, l).
        """
        features = feature_map(self.trunk, pixel_values)  # (b, c, h, w)
        student = self.map_head(features).float()
        teacher = functional.adaptive_avg_pool2d(teacher_map.float(), student.shape[2:])
        logits = self.class_head(features.mean((2, 3))).float()
        parts = {
            "map": map_loss(student, teacher),
            "pooled": pooled_loss(student, teacher),
            "logit": logit_loss(logits, teacher_logits.float(), self.temperature),
        }
        return {"loss": parts["map"] + 2 * parts["pooled"] + 0.3 * parts["logit"], **parts}


class Distillation:
    """The loss of a TrunkDistillation on a batch, and each of its parts."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return model(**batch)
