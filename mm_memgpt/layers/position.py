"""Where a token stands in its sentence, as a wave of each frequency: fixed, so a sentence may be of any length."""

import torch
from torch import Tensor

LONGEST_WAVE = 10_000.0
"""Wavelength of the slowest wave, over 2 pi (arXiv:1706.03762 §3.5)."""


def sinusoidal_positions(length: int, width: int, device: torch.device | None = None) -> Tensor:
    """(length, width) float32: sin and cos of place / 10000^(2i/width), i from 0 to width/2 (arXiv:1706.03762 §3.5)."""
    place = torch.arange(length, device=device, dtype=torch.float32).unsqueeze(1)
    exponent = torch.arange(0, width, 2, device=device, dtype=torch.float32) / width
    angle = place / LONGEST_WAVE**exponent  # (length, width / 2, rounded up)
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :width]
