"""timm's image towers on the log-mel spectrogram as a picture of one colour.

Notable: weights that were trained on photos fit, timm sums their colours; a ViT or Swin is built at the spectrogram's
own height and width, other towers take any.

x items   t samples   c trunk width
"""

from dataclasses import replace

from timm.models import get_pretrained_cfg
from torch import Tensor, nn

from mm_memgpt.config import AudioConfig, ImageConfig
from mm_memgpt.encoders import timm_trunk
from mm_memgpt.encoders.audio_mel import frames, log_mel
from mm_memgpt.encoders.base import TrunkOutput


def create(name: str, config: AudioConfig, weights: bool | str) -> nn.Module:
    """The timm model, with one channel and never a classifier where its weights are random.

    Raises:
        ValueError: timm does not know the name, or the tower gives no map.
    """
    given = _as_image(config)
    known = get_pretrained_cfg(name, allow_unregistered=True)
    sizes = {"img_size": (config.bins, frames(config))} if getattr(known, "fixed_input_size", False) else {}
    given.trunk_args = {**sizes, **given.trunk_args, "in_chans": 1}  # a saved model says 3
    return timm_trunk.create(name, given, weights)


def perceive(trunk: nn.Module, waveforms: Tensor, config: AudioConfig) -> TrunkOutput:
    """The last map, with the tower's final norm; timm's towers share no space with text."""
    spectrogram = log_mel(waveforms, config).to(next(trunk.parameters()).dtype)
    return timm_trunk.perceive(trunk, spectrogram)


def read(place: str, config: AudioConfig) -> AudioConfig:
    """The architecture and arguments of the `config.json` that timm saves."""
    saved = timm_trunk.read(place, _as_image(config))
    return replace(config, trunk=saved.trunk, trunk_args=saved.trunk_args)


def _as_image(config: AudioConfig) -> ImageConfig:
    return ImageConfig(trunk=config.trunk, trunk_args=dict(config.trunk_args))
