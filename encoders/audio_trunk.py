"""Towers that hear, by name, "library/name": create one, read its map, fetch its weights (`towers`).

Notable: every adapter takes waveforms and makes of them what its towers want, spectrogram or waveform, so one model
hears the same whatever its trunk; a map is a picture with low frequencies on top and time from left to right.

x items   t samples   c trunk width   k width of the space shared with text
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from mm_memgpt.config import AudioConfig
from mm_memgpt.encoders.base import TrunkOutput, first_line
from mm_memgpt.encoders.towers import Towers

ADAPTERS = {
    "timm": "mm_memgpt.encoders.audio_timm",
    "transformers": "mm_memgpt.encoders.audio_transformers",
    "torchaudio": "mm_memgpt.encoders.audio_torchaudio",
}
"""The adapter module of each library. One of your own is one more row: see `AudioAdapter`."""


class AudioAdapter(Protocol):
    """The functions of a library's adapter module."""

    def create(self, name: str, config: AudioConfig, weights: bool | str) -> nn.Module:
        """The library's tower: random (False), with its pretrained weights by name (True), or those of a file, a folder
        or a hub repository (`hf-hub:OWNER/NAME`)."""

    def perceive(self, trunk: nn.Module, waveforms: Tensor, config: AudioConfig) -> TrunkOutput:
        """Waveforms (x, t) from -1 to 1 at `config.rate` through the tower: map (x, c, bands, times), and (x, k)."""

    def read(self, place: str, config: AudioConfig) -> AudioConfig:
        """`config` with the name and arguments of the saved model at a folder or `hf-hub:OWNER/NAME`."""


def adapter(config: AudioConfig) -> AudioAdapter:
    """The adapter of the trunk's library; the library is imported here."""
    return _towers.adapter(_towers.split(config.trunk)[0])


def probe(trunk: nn.Module, config: AudioConfig) -> TrunkOutput:
    """What the trunk says of one silent item (1, t), in evaluation mode; it is left as it was.

    Raises:
        ValueError: it has no map of an item of that length.
    """
    training = trunk.training
    waveforms = torch.zeros(1, config.samples, device=next(trunk.parameters()).device)
    try:
        return adapter(config).perceive(trunk.eval(), waveforms, config)
    except Exception as error:  # a border to libraries that each raise their own kinds
        raise ValueError(
            f"trunk {config.trunk!r} gives no map of {config.seconds:g} seconds ({first_line(error)}); "
            "try another length or trunk"
        ) from error
    finally:
        trunk.train(training)


_towers = Towers("audio", ADAPTERS, probe)
resolve, create_trunk, load_pretrained = _towers.resolve, _towers.create, _towers.load_pretrained
