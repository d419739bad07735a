"""What is of a model of a task, and of classification, beside what learning and the command line show."""

import torch

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.model import create, read_task_model


def model_of(folder):
    return create(build(folder), Classification({"text": "text", "label": "label"}, ("no", "maybe", "yes")))


def test_a_frozen_backbone_reads_the_same_while_the_adapter_learns(tiny_model_folder):
    model = model_of(tiny_model_folder).train()
    assert model.backbone.training
    model.backbone.requires_grad_(False)
    model.train()
    assert not model.backbone.training
    assert model.adapter.training
    assert not model.eval().adapter.training


def test_a_saved_model_says_the_same(tiny_model_folder, tmp_path):
    model = model_of(tiny_model_folder).eval()
    model.save(tmp_path)
    inputs = [Inputs("A brown dog runs ."), Inputs("rock")]
    again = read_task_model(tmp_path)
    torch.testing.assert_close(again(again.prepare(inputs)), model(model.prepare(inputs)))
    assert again.task.labels == ("no", "maybe", "yes")
