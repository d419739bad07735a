"""The losses of a student trunk, and that all of it learns."""

import pytest
import torch

from mm_memgpt.encoders.image import create_trunk
from mm_memgpt.objectives.distillation import (
    Distillation,
    TrunkDistillation,
    logit_loss,
    map_loss,
    pooled_loss,
)
from mm_memgpt.presets import tiny

TEACHER = (
    torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0)) + torch.arange(5)[:, None, None]
)  # b t h w
LOGITS = 3 * torch.randn(2, 2, 7, generator=torch.Generator().manual_seed(1))  # student and teacher: b l
MAPS = [(5, 8, 8), (7, 4, 4), (6, 2, 2), (9, 1, 1), (11, 1, 1)]
"""Of a teacher of 32 px: strides 4, 8, 16, 32 and 32."""


def student(teacher_maps=MAPS) -> TrunkDistillation:
    return TrunkDistillation(create_trunk(tiny().image), 64, 32, teacher_maps, classes=13)


def batch(model: TrunkDistillation) -> dict:
    return {
        "pixel_values": torch.randn(3, 3, 64, 64),
        "teacher_maps": [torch.randn(3, width, *grid) for (width, _, _), grid in zip(MAPS, model.grids, strict=True)],
        "teacher_logits": torch.randn(3, 13),
    }


def test_a_map_loss_is_the_missed_share_of_the_teacher_s_variance():
    assert map_loss(TEACHER, TEACHER) == 0
    mean = TEACHER.mean((0, 2, 3), keepdim=True).expand_as(TEACHER)
    assert map_loss(mean, TEACHER).item() == pytest.approx(1)
    halfway = (mean + TEACHER) / 2
    assert map_loss(halfway, TEACHER).item() == pytest.approx(1 / 4)
    torch.testing.assert_close(map_loss(30 * halfway, 30 * TEACHER), map_loss(halfway, TEACHER))


def test_a_map_without_variance_gives_no_infinite_loss():
    assert map_loss(torch.zeros(1, 5, 1, 1), torch.ones(1, 5, 1, 1)).isfinite()


def test_a_pooled_loss_sees_direction_alone():
    assert pooled_loss(TEACHER, TEACHER).item() == pytest.approx(0, abs=1e-6)
    assert pooled_loss(7 * TEACHER, TEACHER).item() == pytest.approx(0, abs=1e-6)
    assert pooled_loss(-TEACHER, TEACHER).item() == pytest.approx(2)
    torch.testing.assert_close(pooled_loss(TEACHER.flip(2, 3), TEACHER), pooled_loss(TEACHER, TEACHER))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_a_logit_loss_is_the_scaled_divergence_from_the_teacher(temperature):
    learner, teacher = LOGITS
    p, q = ((logits / temperature).softmax(-1) for logits in (teacher, learner))
    due = temperature**2 * (p * (p / q).log()).sum(-1).mean()
    torch.testing.assert_close(logit_loss(learner, teacher, temperature), due)
    assert logit_loss(teacher, teacher, temperature).item() == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(logit_loss(learner + 4, teacher - 3, temperature), due)


def test_each_teacher_map_meets_the_stage_of_its_stride():
    assert student().grids == [(16, 16), (8, 8), (4, 4), (2, 2), (2, 2)]


def test_every_parameter_gets_a_gradient():
    model = student().train()
    for parameter in model.parameters():  # a residual block's last norm starts at zero, and would hold gradients back
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    Distillation()(model, batch(model))["loss"].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_loss_is_made_of_its_parts():
    model = student().eval()
    parts = model(**batch(model))
    assert list(parts) == ["loss", "map_0", "map_1", "map_2", "map_3", "map_4", "pooled", "logit"]
    maps = sum(parts[f"map_{number}"] for number in range(5))
    torch.testing.assert_close(parts["loss"], maps + 2.0 * parts["pooled"] + 0.3 * parts["logit"])


def test_building_it_leaves_the_trunk_as_it_was():
    trunk = create_trunk(tiny().image).train()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    TrunkDistillation(trunk, 64, 32, MAPS, classes=13)
    assert trunk.training
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_a_stride_that_the_trunk_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"the trunk has no stage of stride 3; its strides: \[2, 4, 8, 16, 32\]"):
        student([(5, 10, 10)])
