"""The whole model on tiny random weights: photos in, text out, in transformers' conventions."""

import subprocess
import sys

import pytest
import torch

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.objectives.contrastive import Contrastive
from mm_memgpt.presets import tiny

TEXT = torch.tensor([[0, 9, 17, 4], [0, 33, 8, 52]])


@pytest.fixture
def model():
    torch.manual_seed(2)
    return MMMemGPTForConditionalGeneration(tiny()).eval()


@pytest.fixture
def pixels():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))


def test_zero_starts_survive_the_construction(model):
    """transformers' own initialisation would draw them again."""
    assert not model.image_encoder.resampler.attention.output.weight.any()
    assert not model.image_encoder.resampler.mlp[-1].weight.any()


def test_every_parameter_gets_a_gradient(model, pixels):
    for parameter in model.parameters():  # zero starts hold gradients back for one step, so leave them
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    model.train()
    model(input_ids=TEXT, pixel_values=torch.stack([pixels, pixels.flip(0)], dim=1), labels=TEXT).loss.backward()
    silent = {
        name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    }
    unused = ("text_encoder.", "audio_encoder.", "motion_encoder.", "image_encoder.key.")
    silent = {name for name in silent if not name.startswith(unused)}
    # photos alone have no other modality to read, so these only project what is masked
    assert silent == {"fuser.cross_attention.attention.key_value.weight"}


def test_every_parameter_of_what_makes_keys_gets_a_gradient_from_contrast(model, pixels):
    batch = {"pixel_values": pixels, "input_ids": TEXT, "attention_mask": torch.ones_like(TEXT)}
    Contrastive()(model.train(), batch)["loss"].backward()
    silent = {
        name
        for name, parameter in [*model.text_encoder.named_parameters(), *model.image_encoder.key.named_parameters()]
        if parameter.grad is None or not parameter.grad.any()
    }
    assert silent == set()


def test_the_photo_decides_the_words(model, pixels):
    logits = model(input_ids=TEXT, pixel_values=pixels).logits
    assert not torch.allclose(logits, model(input_ids=TEXT, pixel_values=pixels.flip(0)).logits, atol=1e-4)


def test_rows_of_a_batch_do_not_mix(model, pixels):
    both = model(input_ids=TEXT, pixel_values=pixels).logits
    alone = model(input_ids=TEXT[1:], pixel_values=pixels[1:]).logits
    torch.testing.assert_close(both[1:], alone)


def test_one_memory_serves_several_rows_of_text(model, pixels):
    shared = model(input_ids=TEXT, pixel_values=pixels[:1]).logits
    torch.testing.assert_close(shared, model(input_ids=TEXT, pixel_values=pixels[:1].repeat(2, 1, 1, 1)).logits)


def test_photos_equal_the_memory_they_are_written_into(model, pixels):
    tokens, mask = model.read(model.perceive(pixels))
    assert torch.equal(
        model(input_ids=TEXT, pixel_values=pixels).logits,
        model(input_ids=TEXT, memory=tokens, memory_mask=mask).logits,
    )
    assert torch.equal(
        model.generate(pixel_values=pixels, max_new_tokens=5),
        model.generate(memory=tokens, memory_mask=mask, max_new_tokens=5),
    )


def test_a_full_bank_of_photos_still_writes(model):
    photos = torch.randn(1, 9, 3, 64, 64)
    state = model.perceive(photos)
    assert state.items.sum() == 9
    assert model.read(state)[0].shape == (1, 1 + 6 * 4, 32)  # the readout, and six slots of four tokens


def test_photos_join_a_memory_under_their_own_source_and_time(model, pixels):
    first = model.perceive(pixels)
    times = torch.tensor([[[50.0, 51.0]]] * 2, dtype=torch.float64)
    state = model.perceive(pixels, first, source=torch.full((2, 1), 7), time=times)
    assert state.source[:, :2].tolist() == [[0, 7]] * 2
    assert state.time[:, 1].tolist() == [[50.0, 51.0]] * 2


def test_beams_cached_and_uncached_agree_from_photos(model, pixels):
    written = [model.generate(pixel_values=pixels, max_new_tokens=6, num_beams=3, use_cache=c) for c in (True, False)]
    assert torch.equal(*written)
    assert written[0][:, 0].tolist() == [0, 0]


def test_the_loss_is_the_cross_entropy_of_the_next_token(model, pixels):
    outputs = model(input_ids=TEXT, pixel_values=pixels, labels=TEXT.masked_fill(TEXT == 52, -100))
    logprobs = outputs.logits.log_softmax(-1)[:, :-1].gather(-1, TEXT[:, 1:, None]).squeeze(-1).flatten()
    torch.testing.assert_close(outputs.loss, -logprobs[:-1].mean())


def test_in_a_new_process_one_import_and_an_auto_class_load_the_same_bits(model, pixels, tmp_path):
    model.save_pretrained(tmp_path / "model")
    torch.save({"pixels": pixels, "logits": model(input_ids=TEXT, pixel_values=pixels).logits}, tmp_path / "wanted.pt")
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "import mm_memgpt.models.auto\n"
        "from transformers import AutoModelForImageTextToText\n"
        "wanted = torch.load(sys.argv[1] + '/wanted.pt')\n"
        "model = AutoModelForImageTextToText.from_pretrained(sys.argv[1] + '/model').eval()\n"
        f"text = torch.tensor({TEXT.tolist()})\n"
        "assert torch.equal(model(input_ids=text, pixel_values=wanted['pixels']).logits, wanted['logits'])\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_photos_and_a_memory_together_raise(model, pixels):
    with pytest.raises(ValueError, match="give pixel_values or memory, not both"):
        model(input_ids=TEXT, pixel_values=pixels, memory=torch.zeros(2, 3, 32))


def test_rows_that_do_not_divide_raise(model, pixels):
    with pytest.raises(ValueError, match="3 rows of text cannot share 2 memories evenly"):
        model(input_ids=TEXT[:1].repeat(3, 1), pixel_values=pixels)
