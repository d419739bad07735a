"""Pieces of sounds as training hears them: from a random place, over something else, louder or quieter.

Notable: recordings hold silence, and a piece of it is neither rain nor rooster, so places that are all but silent are
passed by; nothing is clipped, a piece that would be is turned down instead; everything is drawn from the generator.

t samples of a sound   s samples of a piece
"""

import random
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from mm_memgpt.training.recipe import SoundAugment

SILENT = 0.01
"""Share of the sound's mean power below which a piece of it counts as silent: 20 dB."""

TAIL = 0.5
"""Share of a piece that may lie behind a sound's end: where sounds are cut one piece after another, the last is seldom
full."""

TRIES = 8
"""Places looked at before a piece is taken as it is. Of a bark of half a second in five, one in three holds some."""


def power(sound: Tensor) -> float:
    """Mean square."""
    return sound.square().mean().item()


def audible(pieces: Tensor) -> Tensor:
    """Which of a sound's pieces (n, s) are not all but silent beside the others, (n) bool; all of a silent sound."""
    powers = pieces.square().mean(-1)
    return powers >= SILENT * powers.mean()


def cut(sound: Tensor, samples: int, generator: random.Random) -> tuple[Tensor, int]:
    """A piece (s) from a random place of a sound (t), silence behind its end; a shorter sound lies anywhere in it.

    Beside it the sample of the sound at which it starts, below 0 where silence comes first.
    """
    room = len(sound) - samples
    if room <= 0:
        before = generator.randint(0, -room)
        return functional.pad(sound, (before, -room - before)), -before
    least, tail = SILENT * power(sound), round(TAIL * samples)
    sound, room = functional.pad(sound, (0, tail)), room + tail
    for _ in range(TRIES):
        start = generator.randint(0, room)
        piece = sound[start : start + samples]
        if power(piece) >= least:
            break
    return piece, start


def loudest(pieces: Tensor) -> int:
    """Which of the pieces (n, s) has the most power."""
    return int(pieces.square().mean(-1).argmax())


def over(piece: Tensor, other: Tensor, snr: float) -> Tensor:
    """A piece heard over another one (s), the piece the louder by `snr` decibels of mean power."""
    beneath = power(other)
    if beneath == 0:
        return piece
    return piece + other * (power(piece) / beneath / 10 ** (snr / 10)) ** 0.5


def noise(samples: int, pink: bool, generator: random.Random) -> Tensor:
    """White noise (s), or pink, whose power falls with 1 / frequency."""
    white = torch.randn(samples, generator=torch.Generator().manual_seed(generator.getrandbits(63)))
    if not pink:
        return white
    spectrum = torch.fft.rfft(white)
    return torch.fft.irfft(spectrum / torch.arange(len(spectrum)).clamp_min(1).sqrt(), n=samples)


def augmented(
    sound: Tensor, samples: int, augment: SoundAugment, another: Callable[[], Tensor], generator: random.Random
) -> tuple[Tensor, int]:
    """A random piece (s) of a sound (t), changed as `augment` says, and the sample at which it starts, as in `cut`.

    Args:
        sound: from -1 to 1.
        samples: s.
        augment: shares and decibels.
        another: gives another sound (t) where one is to be heard beneath.
        generator: all chance comes from it.
    """
    piece, start = cut(sound, samples, generator)
    lot = generator.random()
    if lot < augment.mix:
        beneath, _ = cut(another(), samples, generator)
        piece = over(piece, beneath, generator.uniform(*augment.snr))
    elif lot < augment.mix + augment.noise:
        beneath = noise(samples, generator.random() < 0.5, generator)
        piece = over(piece, beneath, generator.uniform(*augment.snr))
    factor = 10 ** (generator.uniform(-augment.gain, augment.gain) / 20)
    if augment.flip and generator.random() < 0.5:
        factor = -factor
    piece = piece * factor
    return piece / piece.abs().max().clamp_min(1), start
