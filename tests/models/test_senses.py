"""Sounds go the way of photos: into the memory under their own times, and from there into what is written."""

import pytest
import torch
from torch.nn import functional

from mm_memgpt.config import AudioConfig, ImageConfig
from mm_memgpt.models.auto import model_class
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.presets import tiny

TEXT = torch.tensor([[0, 9, 17, 4], [0, 33, 8, 52]])
PIECE = AudioConfig().samples


@pytest.fixture
def model() -> MMMemGPTForConditionalGeneration:
    torch.manual_seed(2)
    return MMMemGPTForConditionalGeneration(tiny()).eval()


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))


@pytest.fixture
def sounds() -> torch.Tensor:
    return 0.1 * torch.randn(2, 3, PIECE, generator=torch.Generator().manual_seed(5))  # b n t


def test_a_model_has_ears_only_where_its_config_has(pixels):
    config = tiny()
    config.audio = None
    deaf = MMMemGPTForConditionalGeneration(config).eval()
    assert deaf.audio_encoder is None
    assert not [name for name in deaf.state_dict() if name.startswith("audio_encoder")]
    with pytest.raises(ValueError, match="this model has no audio encoder; train one with audio in its config"):
        deaf(input_ids=TEXT, input_values=torch.zeros(2, 1, PIECE))


def test_of_one_seed_ears_change_nothing_of_what_is_written_about_photos(model, pixels):
    deaf = tiny()
    deaf.audio = None
    torch.manual_seed(2)
    other = MMMemGPTForConditionalGeneration(deaf).eval()
    assert torch.equal(model(input_ids=TEXT, pixel_values=pixels).logits, other(TEXT, pixel_values=pixels).logits)


def test_the_sound_decides_the_words(model, sounds):
    logits = model(input_ids=TEXT, input_values=sounds).logits
    assert not torch.allclose(logits, model(input_ids=TEXT, input_values=sounds.flip(0)).logits, atol=1e-4)


def test_sounds_equal_the_memory_they_are_written_into(model, sounds):
    state = model.hear(sounds)
    assert state.items.sum(-1).tolist() == [3, 3]
    assert state.source[state.items > 0].unique().tolist() == [0]  # a row is one sound
    tokens, mask = model.read(state)
    written = model.generate(memory=tokens, memory_mask=mask, max_new_tokens=5)
    assert torch.equal(model.generate(input_values=sounds, max_new_tokens=5), written)


def test_one_piece_a_row_may_leave_its_axis_out(model, sounds):
    assert torch.equal(
        model(input_ids=TEXT, input_values=sounds[:, 0]).logits,
        model(input_ids=TEXT, input_values=sounds[:, :1]).logits,
    )


def test_pieces_that_are_not_real_change_nothing(model, sounds):
    mask = torch.tensor([[True, True, False], [True, False, False]])
    padded = model(input_ids=TEXT, input_values=sounds, input_values_mask=mask).logits
    alone = torch.cat(
        [model(TEXT[:1], input_values=sounds[:1, :2]).logits, model(TEXT[1:], input_values=sounds[1:, :1]).logits]
    )
    torch.testing.assert_close(padded, alone, atol=1e-5, rtol=1e-4)


def test_photos_and_sounds_are_written_by_their_times(model, pixels, sounds):
    photos = torch.stack([pixels, pixels.flip(0)], dim=1)  # b n c h w
    features = model.observe(photos, sounds)
    assert features.modality.tolist() == [[0, 1, 0, 1, 1]] * 2  # seconds 0, 0.975, 1, 1.95, 2.925
    assert features.source.tolist() == [[0, 2, 1, 2, 2]] * 2  # the sound is a source of its own
    memory, mask = model.read(model.write(features))
    both = model(input_ids=TEXT, pixel_values=photos, input_values=sounds).logits
    assert torch.equal(both, model(input_ids=TEXT, memory=memory, memory_mask=mask).logits)
    assert not torch.allclose(both, model(input_ids=TEXT, pixel_values=photos).logits, atol=1e-4)


def test_a_sound_joins_a_memory_of_photos(model, pixels, sounds):
    times = torch.tensor([[[50.0, 50.975]]] * 2, dtype=torch.float64)
    state = model.hear(sounds[:, :1], model.perceive(pixels), source=torch.full((2, 1), 7), time=times)
    assert state.modality[:, :2].tolist() == [[0, 1]] * 2
    assert state.source[:, :2].tolist() == [[0, 7]] * 2
    assert state.time[:, 1].tolist() == [[50.0, 50.975]] * 2


def test_every_parameter_of_the_ear_gets_a_gradient_and_so_does_cross_attention(model, pixels, sounds):
    for parameter in model.parameters():  # zero starts hold gradients back for one step, so leave them
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    model.train()
    model(input_ids=TEXT, pixel_values=pixels, input_values=sounds, labels=TEXT).loss.backward()
    silent = {name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert {name for name in silent if not name.startswith(("text_encoder.", "motion_encoder."))} == set()


def test_a_saved_model_hears_the_same(model, sounds, tmp_path):
    model.save_pretrained(tmp_path)
    again = MMMemGPTForConditionalGeneration.from_pretrained(tmp_path).eval()
    assert again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    # where weights lie in memory moves the last bits of a convolution
    torch.testing.assert_close(again(TEXT, input_values=sounds).logits, model(TEXT, input_values=sounds).logits)


def test_photos_are_filled_up_where_sounds_have_more_tokens(model, pixels, sounds):
    config = tiny()
    config.audio = AudioConfig(trunk="test_efficientnet", bands=2, times=4, heads=4)
    roomy = MMMemGPTForConditionalGeneration(config).eval()
    roomy.load_state_dict(model.state_dict() | {"audio_encoder.position": torch.zeros(8, 32)})
    assert roomy.image_encoder(pixels).mask[0, 0].tolist() == [True] * 4 + [False] * 4
    torch.testing.assert_close(roomy(TEXT, pixel_values=pixels).logits, model(TEXT, pixel_values=pixels).logits)
    assert roomy.hear(sounds).count.sum() == 2 * 3 * 8


@pytest.mark.parametrize("name", ["pixel_values", "input_values"])
def test_what_is_perceived_and_a_memory_together_raise(name, model, pixels, sounds):
    given = {"pixel_values": pixels, "input_values": sounds}[name]
    with pytest.raises(ValueError, match=f"give {name} or memory, not both"):
        model(input_ids=TEXT, memory=torch.zeros(2, 3, 32), **{name: given})
    with pytest.raises(ValueError, match="nothing to observe; give pixel_values, input_values or both"):
        model.observe(None, None)


def test_an_encoder_decoder_hears_too(sounds):
    config = tiny()
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 2}
    special = {"vocab_size": 61, "eos_token_id": 1, "pad_token_id": 2}
    config = type(config)(
        width=32,
        key_width=12,
        image=ImageConfig(trunk="test_resnet", size=64, grid=2, heads=4),
        audio=config.audio,
        memory=config.memory,
        fusion=config.fusion,
        decoder={"heads": 4, "gate": 1.0, "model": {"model_type": "t5", **sizes, **special}},
    )
    model = model_class(config)(config).eval()
    logits = model(labels=TEXT, input_values=sounds).logits
    assert logits.shape[:2] == TEXT.shape
    assert functional.mse_loss(logits, model(labels=TEXT, input_values=sounds.flip(0)).logits) > 0
