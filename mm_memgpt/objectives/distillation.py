"""Distillation: a student trunk answers like its teacher on the very same crop, stage by stage and in logits.

Notable: each stage of the student meets the teacher's map of its own stride (hints, arXiv:1412.6550), so early layers
need not wait for the late ones; maps are compared cell by cell on the student's grid, and the squared error is divided
by the variance of the teacher's map, so 1.0 means "no better than its mean".

b batch   c student channels   t teacher channels   l classes
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.encoders.image import stage_maps


def map_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Share of the teacher map's variance that the student misses: ||s - t||^2 / Var(t).

    Args:
        student: (b, t, h, w).
        teacher: (b, t, h, w).
    """
    return functional.mse_loss(student, teacher) / teacher.var(dim=(0, 2, 3), correction=0).mean().clamp_min(1e-6)


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
    """A trunk with the heads that meet the teacher; the heads are left behind afterwards.

    Args:
        trunk: a timm trunk.
        size: side of its input in pixels.
        teacher_size: side of the teacher's input in pixels.
        teacher_maps: (t, h, w) of the teacher's maps; the last is the one before its pooling.
        classes: l, the teacher's classes.
        temperature: softens both distributions.

    Raises:
        ValueError: no stage of the trunk has the stride of one of the teacher's maps.
    """

    def __init__(
        self,
        trunk: nn.Module,
        size: int,
        teacher_size: int,
        teacher_maps: list[tuple[int, int, int]],
        classes: int,
        temperature: float = 2.0,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.temperature = temperature
        training = trunk.training
        with torch.no_grad():
            stages = [stage.shape[1:] for stage in stage_maps(trunk.eval(), torch.zeros(1, 3, size, size))]
        trunk.train(training)
        stage_of = {size // rows: number for number, (_, rows, _) in enumerate(stages)}
        strides = [teacher_size // rows for _, rows, _ in teacher_maps]
        if missing := sorted(set(strides) - set(stage_of)):
            raise ValueError(f"the trunk has no stage of stride {missing[0]}; its strides: {sorted(stage_of)}")
        self.stages = [stage_of[stride] for stride in strides]
        self.grids = [tuple(stages[number][1:]) for number in self.stages]
        self.map_heads = nn.ModuleList(
            nn.Conv2d(stages[number][0], width, 1)
            for number, (width, _, _) in zip(self.stages, teacher_maps, strict=True)
        )
        self.class_head = nn.Linear(stages[self.stages[-1]][0], classes)

    def forward(self, pixel_values: Tensor, teacher_maps: list[Tensor], teacher_logits: Tensor) -> dict[str, Tensor]:
        """The weighted sum of the losses, and each of them.

        Args:
            pixel_values: (b, 3, h, w) normalised.
            teacher_maps: one (b, t, rows, columns) a map, on the student's grids.
            teacher_logits: (b, l).
        """
        maps = stage_maps(self.trunk, pixel_values)
        students = [head(maps[number]).float() for head, number in zip(self.map_heads, self.stages, strict=True)]
        logits = self.class_head(maps[self.stages[-1]].mean((2, 3))).float()
        parts = {
            f"map_{number}": map_loss(student, teacher.float())
            for number, (student, teacher) in enumerate(zip(students, teacher_maps, strict=True))
        }
        parts["pooled"] = pooled_loss(students[-1], teacher_maps[-1].float())
        parts["logit"] = logit_loss(logits, teacher_logits.float(), self.temperature)
        weights = {"pooled": 2.0, "logit": 0.3}
        return {"loss": sum(weights.get(name, 1.0) * value for name, value in parts.items()), **parts}


class Distillation:
    """The loss of a TrunkDistillation on a batch, and each of its parts."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return model(**batch)
