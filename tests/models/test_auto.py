"""Among transformers' own: its Auto classes find the model, each family's class included."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoModelForSeq2SeqLM, AutoProcessor

from mm_memgpt.config import MMMemGPTConfig
from mm_memgpt.models.auto import MMMemGPTForConditionalGeneration, MMMemGPTForSeq2SeqLM, MMMemGPTProcessor


@pytest.mark.parametrize(
    ("family", "auto", "expected"),
    [
        ("llama", AutoModelForImageTextToText, MMMemGPTForConditionalGeneration),
        ("t5", AutoModelForImageTextToText, MMMemGPTForSeq2SeqLM),
        ("t5", AutoModelForSeq2SeqLM, MMMemGPTForSeq2SeqLM),
    ],
)
def test_an_auto_class_gives_the_model_that_was_saved(family, auto, expected, build, memory, tmp_path):
    model = build(family)
    model.save_pretrained(tmp_path)
    again = auto.from_pretrained(tmp_path)
    assert type(again) is expected
    assert torch.equal(again.generate(memory=memory, max_new_tokens=4), model.generate(memory=memory, max_new_tokens=4))


def test_the_auto_config_leaves_no_trace_of_the_folder(build, tmp_path):
    build("llama").save_pretrained(tmp_path / "model")
    config = AutoConfig.from_pretrained(tmp_path / "model")
    assert type(config) is MMMemGPTConfig
    config.save_pretrained(tmp_path / "again")
    first, second = ((tmp_path / name / "config.json").read_text() for name in ("model", "again"))
    assert first == second
    assert str(tmp_path) not in second


def test_the_auto_processor_is_ours(tiny_model_folder):
    assert type(AutoProcessor.from_pretrained(tiny_model_folder)) is MMMemGPTProcessor
