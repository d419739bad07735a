"""Towers that hear, by name, "library/name": create one, read its map, fetch its weights. What trunk.py is to photos.

Notable: every adapter takes waveforms and makes of them what its towers want, spectrogram or waveform, so one model
hears the same whatever its trunk; a map is a picture with low frequencies on top and time from left to right.

x items   t samples   c trunk width   k width of the space shared with text
"""

from importlib import import_module
from pathlib import Path
from typing import Protocol

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn

from mm_memgpt.config import AudioConfig
from mm_memgpt.encoders.base import (
    HUB,
    TrunkOutput,
    drop_unused,
    first_line,
    keep_buffers,
    loading,
    place_of,
    read_weights,
)
from mm_memgpt.types import InputError

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


def split(trunk: str) -> tuple[str, str]:
    """Library and name of "library/name"; a name without a slash is timm's.

    Raises:
        ValueError: no adapter for that library.
    """
    library, slash, name = trunk.partition("/")
    if not slash:
        return "timm", trunk
    if library not in ADAPTERS:
        raise ValueError(f"trunk {trunk!r} is of an unknown library {library!r}; known: {', '.join(ADAPTERS)}")
    return library, name


def adapter(config: AudioConfig) -> AudioAdapter:
    """The adapter of the trunk's library; the library is imported here."""
    return import_module(ADAPTERS[split(config.trunk)[0]])


def resolve(config: AudioConfig) -> AudioConfig:
    """A config that stands alone: a saved model's folder or hub name becomes its kind and arguments.

    Raises:
        InputError: nothing to read there, or the hub is out of reach.
    """
    place = place_of(split(config.trunk)[1])
    if place is None:
        return config
    if not place.startswith(HUB) and not Path(place).is_dir():
        raise InputError(f"{place}: no such folder; give the folder of a saved model, or its name on the hub")
    with loading(config.trunk, True if place.startswith(HUB) else place):
        return adapter(config).read(place, config)


def create_trunk(config: AudioConfig, pretrained: bool | str = False) -> nn.Module:
    """The library's tower without what the map (and with `key="trunk"` the embedding) never uses.

    Args:
        config: names the trunk.
        pretrained: False for random weights; True for those of the name, from its hub or the folder it names; or the
            path of a file or folder: the library's own weights of the whole model, or those kept of a trunk of ours.

    Raises:
        ValueError: an unknown library or name (the message lists close ones), or a saved model without `resolve`.
        InputError: the weights cannot be fetched or are another tower's; the message has the ways out.
    """
    place = place_of(split(config.trunk)[1])
    if place is not None:
        if pretrained is False:
            raise ValueError(
                f"trunk {config.trunk!r} is a saved model; give resolve(config), which holds its kind and arguments"
            )
        return create_trunk(resolve(config), place if pretrained is True else pretrained)
    if pretrained is False:
        return _create(config, False)
    if isinstance(pretrained, str) and (file := Path(pretrained).expanduser()).is_file():
        trunk = _create(config, False)
        with loading(config.trunk, pretrained):
            weights = read_weights(file)
            if weights.keys() == trunk.state_dict().keys():
                trunk.load_state_dict(weights)
                return trunk
    with loading(config.trunk, pretrained):
        return _create(config, pretrained)


def _create(config: AudioConfig, weights: bool | str) -> nn.Module:
    _, name = split(config.trunk)
    try:
        trunk = adapter(config).create(name, config, weights)
    except (TypeError, StrictDataclassError) as error:
        raise ValueError(
            f"audio.trunk_args {config.trunk_args} do not fit {config.trunk!r} ({first_line(error)}); "
            "give arguments of its own constructor"
        ) from error
    keep_buffers(trunk)
    with torch.enable_grad():
        heard = probe(trunk, config)
    drop_unused(trunk, [heard.map] if config.key == "learned" or heard.embedding is None else list(heard))
    return trunk


def load_pretrained(trunk: nn.Module, config: AudioConfig, weights: bool | str = True) -> None:
    """Puts pretrained weights into a trunk that `create_trunk(config)` made, as `create_trunk` would have.

    Args:
        trunk: its parameters and buffers are overwritten.
        config: as it was made with, or as it was before `resolve`.
        weights: as `pretrained` of `create_trunk`.

    Raises:
        InputError: the weights cannot be fetched or are another tower's.
    """
    source = create_trunk(config, weights)
    with loading(config.trunk, weights):
        trunk.load_state_dict(source.state_dict())


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
