"""The audio encoder keeps the contract of Features; padding is not heard; its trunk can be frozen and thawed."""

import math

import pytest
import torch

from mm_memgpt.config import AudioConfig
from mm_memgpt.encoders.audio import AudioEncoder
from mm_memgpt.encoders.audio_mel import FLOOR, frames, log_mel
from mm_memgpt.types import MODALITIES

CONFIG = AudioConfig(trunk="timm/test_efficientnet", bands=2, times=3, heads=2)  # a map of 2 x 4
ITEM = CONFIG.samples
SOUNDS = 0.1 * torch.randn(2, 3, ITEM, generator=torch.Generator().manual_seed(0))  # b n t


@pytest.fixture
def encoder() -> AudioEncoder:
    return AudioEncoder(CONFIG, width=8, key_width=5).eval()


def test_sounds_become_items_as_the_contract_says(encoder):
    features = encoder(SOUNDS)
    assert features.tokens.shape == (2, 3, 6, 8)  # b n p d
    assert features.mask.shape == (2, 3, 6)
    assert features.mask.dtype == torch.bool
    assert features.mask.all()
    assert features.key.shape == (2, 3, 5)
    torch.testing.assert_close(features.key.norm(dim=-1), torch.ones(2, 3))
    assert features.time.dtype == torch.float64
    torch.testing.assert_close(features.time[1], torch.tensor([[0, 0.975], [0.975, 1.95], [1.95, 2.925]]).double())
    assert (features.modality == MODALITIES.index("audio")).all()
    assert features.source.tolist() == [[0, 0, 0]] * 2  # the pieces of a row are one sound
    assert features.source.dtype == torch.int64


def test_source_and_time_are_taken_as_given(encoder):
    source = torch.tensor([[5], [7]])
    time = torch.tensor([[[1.79e9, 1.79e9 + 0.5]], [[3.0, 4.0]]], dtype=torch.float64)
    features = encoder(SOUNDS[:, :1], source=source, time=time)
    assert torch.equal(features.source, source)
    assert torch.equal(features.time, time)


def test_sounds_of_a_row_are_heard_as_each_alone(encoder):
    together = encoder(SOUNDS)
    for item in range(3):
        alone = encoder(SOUNDS[:, item : item + 1])
        torch.testing.assert_close(together.tokens[:, item], alone.tokens[:, 0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(together.key[:, item], alone.key[:, 0], atol=1e-5, rtol=1e-4)


def test_padding_changes_nothing_not_even_running_statistics():
    mask = torch.tensor([[True, True, False], [True, False, False]])
    outcomes = []
    for filling in (0.0, 3.0):
        torch.manual_seed(0)
        encoder = AudioEncoder(CONFIG, width=8, key_width=5).train()
        torch.manual_seed(1)
        features = encoder(SOUNDS.masked_fill(~mask.unsqueeze(-1), filling), mask=mask)
        outcomes.append((features, dict(encoder.trunk.named_buffers())))
    (first, statistics), (second, again) = outcomes
    assert torch.equal(first.mask, mask.unsqueeze(-1).expand(2, 3, 6))
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.key, second.key)
    assert not first.tokens[~mask].any()
    assert all(torch.equal(value, again[name]) for name, value in statistics.items())


def test_a_mask_leaves_what_is_real_as_it_is(encoder):
    mask = torch.tensor([[True, False, True], [False, True, True]])
    all_real, some = encoder(SOUNDS), encoder(SOUNDS, mask=mask)
    torch.testing.assert_close(some.tokens[mask], all_real.tokens[mask], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(some.key[mask], all_real.key[mask], atol=1e-5, rtol=1e-4)


def test_nothing_but_padding_is_heard_in_silence(encoder):
    features = encoder.train()(SOUNDS, mask=torch.zeros(2, 3, dtype=torch.bool))
    assert not features.mask.any()
    assert not features.tokens.any()
    assert features.key.shape == (2, 3, 5)


def test_items_are_filled_up_to_the_tokens_of_photos():
    torch.manual_seed(0)
    filled = AudioEncoder(CONFIG, width=8, key_width=5, tokens=9).eval()(SOUNDS)
    torch.manual_seed(0)
    plain = AudioEncoder(CONFIG, width=8, key_width=5).eval()(SOUNDS)
    assert filled.tokens.shape == (2, 3, 9, 8)
    assert filled.mask[0, 0].tolist() == [True] * 6 + [False] * 3
    assert torch.equal(filled.tokens[:, :, :6], plain.tokens)


def test_each_token_is_its_own_cell_of_the_map_at_first():
    """The resampler begins as identity, so before training a token is its cell of the map, projected."""
    encoder = AudioEncoder(AudioConfig(trunk="timm/test_efficientnet", bands=2, times=4, heads=2), 8, 5).eval()
    tokens = encoder(SOUNDS[:1, :1]).tokens[0, 0]
    spectrogram = log_mel(SOUNDS[0, :1], CONFIG)
    [full] = encoder.trunk.forward_intermediates(spectrogram, indices=1, norm=True, intermediates_only=True)
    cells = full[0].flatten(1).T  # (p, c): the map is as fine as the grid, low frequencies first
    torch.testing.assert_close(tokens, encoder.norm(encoder.project(cells)))


def test_every_parameter_gets_a_gradient(encoder):
    encoder.train()
    for parameter in encoder.parameters():  # zero starts hold gradients back for one step, so leave them
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    features = encoder(SOUNDS)
    (features.tokens * torch.randn(2, 3, 6, 8)).sum().add((features.key * torch.randn(2, 3, 5)).sum()).backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_frozen_trunk_learns_nothing_and_keeps_its_statistics(encoder):
    encoder.freeze().train()
    before = {name: value.clone() for name, value in encoder.trunk.state_dict().items()}
    encoder(SOUNDS).tokens.square().sum().backward()
    assert all(parameter.grad is None for parameter in encoder.trunk.parameters())
    assert encoder.position.grad is not None
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.trunk.state_dict().items())


def test_a_thawed_trunk_learns_again(encoder):
    encoder.freeze().train().thaw()
    before = {name: value.clone() for name, value in encoder.trunk.named_buffers()}
    encoder(SOUNDS).tokens[..., 0].sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.trunk.parameters())
    assert any(not torch.equal(value, before[name]) for name, value in encoder.trunk.named_buffers())


def test_the_spectrogram_is_the_logarithm_of_mel_power():
    """Against the definition, written out: windowed spectra, triangles on the mel scale (HTK), logarithm."""
    config = AudioConfig(bins=7, mean=-2.0, std=3.0)
    sound = SOUNDS[0, 0, :1600]
    padded = torch.nn.functional.pad(sound, (256, 256))
    window = torch.nn.functional.pad(torch.hann_window(400), (56, 56))
    power = torch.fft.rfft(padded.unfold(0, 512, 160) * window).abs().square()  # (frames, 257)
    ends = [2595 * math.log10(1 + hertz / 700) for hertz in (60, 8000)]
    points = 700 * (10 ** (torch.linspace(*ends, 9) / 2595) - 1)
    lines = torch.linspace(0, 8000, 257).unsqueeze(1)
    up = (lines - points[:-2]) / (points[1:-1] - points[:-2])
    down = (points[2:] - lines) / (points[2:] - points[1:-1])
    mel = power @ torch.minimum(up, down).clamp_min(0)  # (frames, 7)
    expected = ((mel + FLOOR).log() + 2) / 3
    torch.testing.assert_close(log_mel(sound.unsqueeze(0), config)[0, 0].T, expected, atol=1e-3, rtol=1e-3)


def test_an_item_is_64_by_98_and_every_band_hears():
    noise = log_mel(SOUNDS[0], AudioConfig())
    assert noise.shape == (3, 1, 64, 98)
    assert frames(AudioConfig()) == 98
    silence = log_mel(torch.zeros(1, ITEM), AudioConfig(mean=0.0, std=1.0))
    torch.testing.assert_close(silence, torch.full_like(silence, math.log(FLOOR)))
    assert (noise.mean((0, 1, 3)) > (math.log(FLOOR) - AudioConfig().mean) / AudioConfig().std + 0.5).all()


def test_a_model_in_half_precision_hears_the_same(encoder):
    full = encoder(SOUNDS).tokens
    half = encoder.bfloat16()(SOUNDS).tokens
    assert half.dtype == torch.bfloat16
    assert (half.float() - full).abs().max() < 0.2


def test_nothing_of_the_spectrogram_is_saved(encoder):
    encoder(SOUNDS)
    assert not any("mel" in name or "window" in name for name in encoder.state_dict())


def test_a_sound_may_be_longer_or_shorter_than_the_items_it_was_built_for(encoder):
    for samples in (160, 8000, 40_000):
        features = encoder(torch.zeros(1, 2, samples))
        assert features.tokens.isfinite().all()
        assert features.time[0, 1].tolist() == [samples / 16_000, 2 * samples / 16_000]


@pytest.mark.parametrize(
    ("waveforms", "mask", "message"),
    [
        (torch.zeros(2, 9), None, r"waveforms \(2, 9\) and mask None must be \(b, n, t\) and \(b, n\)"),
        (torch.zeros(2, 3, 9), torch.ones(2, 1).bool(), r"waveforms \(2, 3, 9\) and mask \(2, 1\) must be"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(encoder, waveforms, mask, message):
    with pytest.raises(ValueError, match=message):
        encoder(waveforms, mask=mask)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"times": 5}, "grid 1x5 is finer than the trunk's 2x4 map of 0.975 seconds; set audio.bands and audio.times"),
        ({"bands": 3}, "grid 3x4 is finer than the trunk's 2x4 map"),
        ({"key": "trunk"}, "shares no space with text; set audio.key to 'learned', or take a tower that does"),
        ({"key": "mine"}, "key 'mine' is unknown; known: learned, trunk"),
        ({"times": 0}, "grid 1x0 must be at least 1x1; try 1x4"),
        ({"seconds": 0.0}, "seconds 0.0 must be more than 0; try seconds=0.975"),
        ({"rate": 16}, "rate 16 must be at least 1000; try rate=16000"),
        ({"std": 0.0}, "std 0.0 must be more than 0; try std=5"),
        ({"bins": 0}, "bins 0 must be at least 1; try bins=64"),
    ],
)
def test_a_config_that_cannot_serve_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        AudioEncoder(AudioConfig(trunk="timm/test_efficientnet", **given), width=8, key_width=5)


def test_from_the_trunk_s_map_an_item_is_as_from_its_sound(encoder):
    maps = encoder.listen(SOUNDS.flatten(0, 1)).map.unflatten(0, (2, 3))
    for due, found in zip(encoder(SOUNDS), encoder.from_map(maps), strict=True):
        assert torch.equal(due, found)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert torch.equal(encoder.from_map(maps, mask=mask).mask.any(-1), mask)
    with pytest.raises(ValueError, match=r"maps \(3, 4, 2, 4\) must be \(b, n, c, rows, columns\)"):
        encoder.from_map(torch.zeros(3, 4, 2, 4))
