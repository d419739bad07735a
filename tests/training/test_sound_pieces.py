"""A piece of a sound is a piece of it, wherever it came from, and what was heard over it is as loud as was said."""

from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from mm_memgpt.training.recipe import SoundAugment
from mm_memgpt.training.sound_pieces import TRIES, audible, augmented, cut, loudest, noise, over, power

SOUND = 0.1 + 0.4 * torch.rand(700, generator=torch.Generator().manual_seed(0))
PLAIN = SoundAugment(gain=0, mix=0, noise=0, flip=False)


def place_of(piece: torch.Tensor) -> int:
    [start] = places_of(piece)
    return start


def places_of(piece: torch.Tensor) -> list[int]:
    return (functional.pad(SOUND, (0, 100)).unfold(0, len(piece), 1) == piece).all(1).nonzero().flatten().tolist()


def changed(augment: SoundAugment, seed: int, sound: torch.Tensor = SOUND) -> torch.Tensor:
    return augmented(sound, 200, augment, lambda: SOUND.flip(0), Random(seed))[0]


def test_a_piece_is_cut_anywhere():
    places = {place_of(cut(SOUND, 200, Random(seed))[0]) for seed in range(300)}
    assert min(places) < 30
    assert 570 < max(places) <= 600  # half of it may lie behind the end
    assert len(places) > 200


def test_a_piece_says_where_it_starts():
    for seed in range(50):
        piece, start = cut(SOUND, 200, Random(seed))
        assert place_of(piece) == start
        piece, start = cut(SOUND[:50], 200, Random(seed))
        assert int(piece.nonzero()[0]) == -start
        _, moved = augmented(SOUND, 200, SoundAugment(mix=0.5, noise=0.5), lambda: SOUND.flip(0), Random(seed))
        assert moved == cut(SOUND, 200, Random(seed))[1]


def test_a_short_sound_lies_anywhere_in_silence():
    places = set()
    for seed in range(200):
        piece = cut(SOUND[:50], 200, Random(seed))[0]
        start = int(piece.nonzero()[0])
        assert torch.equal(piece[start : start + 50], SOUND[:50])
        assert piece.count_nonzero() == 50
        places.add(start)
    assert min(places) < 10
    assert max(places) > 140
    assert torch.equal(cut(SOUND, 700, Random(0))[0], SOUND)


def test_silence_around_a_sound_is_passed_by():
    bark = torch.cat([torch.zeros(300), SOUND[:100], torch.zeros(1000)])
    heard = [power(cut(bark, 200, Random(seed))[0]) > 0 for seed in range(300)]
    assert sum(heard) / 300 > 1 - 2 * (1 - 300 / 1200) ** TRIES  # of one try in four, TRIES times
    assert torch.equal(cut(torch.zeros(900), 200, Random(0))[0], torch.zeros(200))


def test_pieces_of_silence_are_told_from_quiet_ones():
    pieces = torch.stack([torch.full((4,), level) for level in (0.5, 0.1, 0.01, 0.0)])
    assert audible(pieces).tolist() == [True, True, False, False]
    assert audible(torch.zeros(2, 4)).all()  # or nothing of it were left
    assert torch.equal(pieces[loudest(pieces)], pieces[0])


@pytest.mark.parametrize("snr", [-5.0, 0.0, 12.0])
def test_what_is_beneath_is_as_loud_as_was_said(snr):
    piece, other = SOUND[:200], noise(200, False, Random(1))
    beneath = over(piece, other, snr) - piece
    ratio = 10 * torch.tensor(power(piece) / power(beneath)).log10()
    assert ratio.item() == pytest.approx(snr, abs=1e-3)
    torch.testing.assert_close(beneath / beneath.norm(), other / other.norm(), atol=1e-5, rtol=0)
    assert torch.equal(over(piece, torch.zeros(200), snr), piece)
    assert torch.equal(over(torch.zeros(200), other, snr), torch.zeros(200))


def test_pink_noise_has_as_much_power_in_every_octave_and_white_twice_as_much_in_the_next():
    def octaves(pink):
        spectra = torch.stack([torch.fft.rfft(noise(4096, pink, Random(seed))).abs().square() for seed in range(20)])
        return spectra[:, 256:512].sum() / spectra[:, 128:256].sum()

    assert octaves(False).item() == pytest.approx(2, abs=0.2)
    assert octaves(True).item() == pytest.approx(1, abs=0.1)


def test_without_changes_a_piece_is_a_piece():
    assert place_of(changed(PLAIN, 3)) == place_of(cut(SOUND, 200, Random(3))[0])


def test_gain_and_polarity_change_loudness_alone():
    quiet = 0.01 * SOUND
    factors = []
    for seed in range(300):
        piece = changed(SoundAugment(gain=12, mix=0, noise=0), seed, quiet)
        before = cut(quiet, 200, Random(seed))[0]
        factors.append((piece.sum() / before.sum()).item())
        torch.testing.assert_close(piece, factors[-1] * before)
    loudness = torch.tensor(factors).abs().log10() * 20
    assert -12 <= loudness.min() < -10 < 10 < loudness.max() <= 12.01
    assert 0.4 < sum(factor < 0 for factor in factors) / 300 < 0.6


@given(st.integers(0, 1000))
def test_nothing_is_clipped_and_chance_is_the_generator_s(seed):
    loud, augment = 2 * SOUND, SoundAugment(gain=30, mix=0.5, noise=0.5, snr=(-10, 10))
    piece = changed(augment, seed, loud)
    assert piece.abs().max() <= 1
    assert torch.equal(piece, changed(augment, seed, loud))


def test_other_sounds_and_noise_come_as_often_as_was_said():
    lots = SoundAugment(gain=0, mix=0.3, noise=0.2, flip=False, snr=(0, 0))
    asked, plain = [], 0
    for seed in range(400):
        piece, _ = augmented(SOUND, 200, lots, lambda: asked.append(1) or SOUND.flip(0), Random(seed))
        plain += len(places_of(piece))
    assert 0.24 < len(asked) / 400 < 0.36
    assert 0.43 < plain / 400 < 0.57
