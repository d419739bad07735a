"""A model's fingerprint is of what perceives, and of nothing else."""

import pytest
import torch

from mm_memgpt.models.fingerprint import fingerprint
from mm_memgpt.pipeline import load


@pytest.fixture
def model(tiny_model_folder):
    return load(tiny_model_folder, device="cpu").model


def test_it_is_the_same_each_time_and_in_any_precision(model, tiny_model_folder):
    assert fingerprint(load(tiny_model_folder, device="cpu").model) == fingerprint(model) == fingerprint(model.double())


def test_what_writes_does_not_count(model):
    before = fingerprint(model)
    with torch.no_grad():
        for weight in model.fuser.parameters():
            weight.add_(1)
    model.config.text.rerank = 3.0
    assert fingerprint(model) == before


@pytest.mark.parametrize("part", ["image_encoder", "audio_encoder", "text_encoder"])
def test_what_perceives_counts(model, part):
    before = fingerprint(model)
    with torch.no_grad():
        next(getattr(model, part).parameters()).flatten()[0].add_(1)
    assert fingerprint(model) != before


def test_the_sizes_of_the_bank_count(model):
    before = fingerprint(model)
    model.config.memory.slots += 1
    assert fingerprint(model) != before
