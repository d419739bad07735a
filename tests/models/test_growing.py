"""A model is given ears or another fusion, and keeps every weight that fits."""

import pytest
import torch

from mm_memgpt.config import AudioConfig, FusionConfig
from mm_memgpt.models.growing import grow
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.presets import tiny
from mm_memgpt.types import InputError


def deaf():
    config = tiny(vocab_size=40)
    config.audio, config.fusion = None, FusionConfig(heads=4)
    torch.manual_seed(3)
    model = MMMemGPTForConditionalGeneration(config).eval()
    model.generation_config.max_new_tokens = 9
    return model


def test_what_was_there_stays_and_what_is_new_begins_as_identity():
    model, pixels = deaf(), torch.randn(1, 2, 3, 64, 64)
    grown = grow(model, tiny().audio, FusionConfig(heads=4, order=True))
    assert grown.generation_config.max_new_tokens == 9
    assert model.audio_encoder is None
    weights = grown.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert {name.split(".")[0] for name in weights.keys() - model.state_dict().keys()} == {"audio_encoder", "fuser"}
    text = torch.tensor([[0, 5, 6]])
    assert torch.equal(
        grown(input_ids=text, pixel_values=pixels).logits, model(input_ids=text, pixel_values=pixels).logits
    )
    assert grow(model) is model


def test_fusion_can_be_taken_away():
    grown = grow(deaf(), fusion=FusionConfig(heads=4, graph_layers=0, cross_attention=False))
    assert not any("graph" in name or "cross_attention" in name for name in grown.fuser.state_dict())


def test_what_would_change_a_part_that_stays_is_refused():
    """With more tokens a sound than a photo has, the bank's items grow, but no weight does."""
    assert grow(deaf(), AudioConfig(trunk="test_efficientnet", bands=2, times=4, heads=4)).bank.geometry.tokens == 8
    with pytest.raises(ValueError, match=r"fusion\.heads 5 does not divide width 32"):
        grow(deaf(), fusion=FusionConfig(heads=5))
    odd = deaf()
    odd.image_encoder.position = torch.nn.Parameter(torch.zeros(9, 32))
    with pytest.raises(InputError, match=r"image_encoder\.position does not stay as it was"):
        grow(odd, fusion=FusionConfig(heads=4))
