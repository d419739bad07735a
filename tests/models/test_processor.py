"""The processor: what it hands the model, and that it survives a save."""

import pytest
import torch
from PIL import Image

from mm_memgpt.encoders.image import pixel_statistics
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.presets import nano, tiny
from mm_memgpt.training.examples import normalise


def test_a_photo_is_squeezed_and_normalised_as_in_training(tiny_model_folder):
    processor = MMMemGPTProcessor.from_pretrained(tiny_model_folder)
    photo = Image.effect_noise((90, 50), 60).convert("RGB")
    pixels = processor(images=[photo], return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 64, 64)
    training = normalise(photo, pixel_statistics(tiny().image))
    assert (pixels[0] - training).abs().max() < 0.02  # two libraries' bicubic filters, a step of 1/255 apart


def test_text_begins_with_bos_and_is_padded_with_a_mask(tiny_model_folder):
    processor = MMMemGPTProcessor.from_pretrained(tiny_model_folder)
    text = processor(text=["A dog", "A man climbs a rock ."], padding=True, return_tensors="pt")
    assert text["input_ids"][:, 0].tolist() == [0, 0]
    assert text["attention_mask"].sum(1).tolist() == [
        len(processor.tokenizer(t).input_ids) for t in ("A dog", "A man climbs a rock .")
    ]
    assert text["input_ids"][0, -1] == 2


def test_a_tokenizer_larger_than_the_vocabulary_raises(tiny_model_folder):
    tokenizer = MMMemGPTProcessor.from_pretrained(tiny_model_folder).tokenizer
    with pytest.raises(ValueError, match=rf"tokenizer has {len(tokenizer)} tokens, the model 270; set vocab_size"):
        MMMemGPTProcessor.build(tiny(vocab_size=270), tokenizer)


def test_statistics_are_the_trunks_own(tiny_model_folder):
    tokenizer = MMMemGPTProcessor.from_pretrained(tiny_model_folder).tokenizer
    processor = MMMemGPTProcessor.build(nano(), tokenizer).image_processor
    assert processor.size["height"] == 160
    torch.testing.assert_close(torch.tensor(processor.image_mean), torch.tensor([0.485, 0.456, 0.406]))
