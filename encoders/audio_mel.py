"""Waveforms as log-mel spectrograms, for the trunks that see sound as a picture.

Notable: the filters are constants made when first needed, no part of a model's saved state, and the spectrogram is
always float32, so a model kept in half precision hears the same.

x items   t samples   f mel bands   s frames
"""

from functools import cache

import torch
from torch import Tensor, nn
from torchaudio.transforms import MelSpectrogram

from mm_memgpt.config import AudioConfig

WINDOW = 0.025
"""Seconds a frame looks at."""

LOWEST = 60.0
"""Lowest frequency in Hz: below lies hum, and little else in recordings."""

FLOOR = 1e-6
"""Added to the power before the logarithm; digital silence is log(FLOOR) = -13.8."""


def log_mel(waveforms: Tensor, config: AudioConfig) -> Tensor:
    """(log(mel power + FLOOR) - config.mean) / config.std.

    Args:
        waveforms: (x, t) from -1 to 1 at `config.rate`.
        config: rate, bins, step, mean and deviation.

    Returns:
        (x, 1, f, s) float32, low frequencies first, a frame every `config.step` seconds from 0 on.
    """
    with torch.autocast(waveforms.device.type if waveforms.device.type != "meta" else "cpu", enabled=False):
        power = _mel(config.rate, config.bins, _hop(config), waveforms.device)(waveforms.float())  # (x, f, s)
        return ((power + FLOOR).log() - config.mean).div(config.std).unsqueeze(1)


def frames(config: AudioConfig) -> int:
    """How many frames the spectrogram of an item has."""
    return config.samples // _hop(config) + 1


def _hop(config: AudioConfig) -> int:
    """Samples from one frame to the next."""
    return round(config.step * config.rate)


@cache
def _mel(rate: int, bins: int, hop: int, device: torch.device) -> nn.Module:
    window = round(WINDOW * rate)
    with torch.device("cpu"), torch.inference_mode(False):
        mel = MelSpectrogram(
            rate,
            n_fft=2 ** (window - 1).bit_length(),  # finer than the window: no filter falls between its lines
            win_length=window,
            hop_length=hop,
            f_min=LOWEST,
            n_mels=bins,
            pad_mode="constant",
        )
        return mel.to(device)
