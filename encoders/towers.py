"""Towers of one sense by name, "library/name": which library's they are, how one is created, and its weights fetched.

Notable: each library has one adapter file, imported only when a name asks for it; a name without a library is timm's;
a saved model elsewhere is first resolved into the config, so that a model's own folder never points to another.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn

from mm_memgpt.config import AudioConfig, ImageConfig
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

Config = TypeVar("Config", ImageConfig, AudioConfig)


class Towers(Generic[Config]):
    """The towers that see, or those that hear.

    Args:
        sense: the key of such a config in the model's, as errors call it.
        adapters: the adapter module of each library.
        probe: what a trunk says of one empty item.
        check: refuses a config of an unknown name, before anything is fetched for it; None where creating does.
    """

    def __init__(
        self,
        sense: str,
        adapters: Mapping[str, str],
        probe: Callable[[nn.Module, Config], TrunkOutput],
        check: Callable[[Config], object] | None = None,
    ) -> None:
        self.sense = sense
        self.adapters = adapters
        self.probe = probe
        self.check = check

    def split(self, trunk: str) -> tuple[str, str]:
        """Library and name of "library/name"; a name without a slash is timm's.

        Raises:
            ValueError: no adapter for that library.
        """
        library, slash, name = trunk.partition("/")
        if not slash:
            return "timm", trunk
        if library not in self.adapters:
            known = ", ".join(self.adapters)
            raise ValueError(f"trunk {trunk!r} is of an unknown library {library!r}; known: {known}")
        return library, name

    def adapter(self, library: str) -> ModuleType:
        """The adapter of a library; the library is imported here."""
        return import_module(self.adapters[library])

    def resolve(self, config: Config) -> Config:
        """A config that stands alone: a saved model's folder or hub name becomes its kind and arguments.

        Raises:
            InputError: nothing to read there, or the hub is out of reach.
        """
        library, name = self.split(config.trunk)
        place = place_of(name)
        if place is None:
            return config
        if not place.startswith(HUB) and not Path(place).is_dir():
            raise InputError(f"{place}: no such folder; give the folder of a saved model, or its name on the hub")
        with loading(config.trunk, True if place.startswith(HUB) else place):
            return self.adapter(library).read(place, config)

    def create(self, config: Config, pretrained: bool | str = False) -> nn.Module:
        """The library's tower without what the map (and with `key="trunk"` the embedding) never uses.

        Args:
            config: names the trunk.
            pretrained: False for random weights; True for those of the name, from its hub or the folder it names; or
                the path of a file or folder: the library's own weights of the whole model, or those kept of a trunk of
                ours.

        Raises:
            ValueError: an unknown library or name (the message lists close ones), or a saved model without `resolve`.
            InputError: the weights cannot be fetched or are another tower's; the message has the ways out.
        """
        place = place_of(self.split(config.trunk)[1])
        if place is not None:
            if pretrained is False:
                raise ValueError(
                    f"trunk {config.trunk!r} is a saved model; give resolve(config), which holds its kind and arguments"
                )
            return self.create(self.resolve(config), place if pretrained is True else pretrained)
        if pretrained is False:
            return self._create(config, False)
        if isinstance(pretrained, str) and (file := Path(pretrained).expanduser()).is_file():
            trunk = self._create(config, False)
            with loading(config.trunk, pretrained):
                weights = read_weights(file)
                if weights.keys() == trunk.state_dict().keys():
                    trunk.load_state_dict(weights)
                    return trunk
        if self.check is not None:
            self.check(config)
        with loading(config.trunk, pretrained):
            return self._create(config, pretrained)

    def _create(self, config: Config, weights: bool | str) -> nn.Module:
        library, name = self.split(config.trunk)
        try:
            trunk = self.adapter(library).create(name, config, weights)
        except (TypeError, StrictDataclassError) as error:
            raise ValueError(
                f"{self.sense}.trunk_args {config.trunk_args} do not fit {config.trunk!r} ({first_line(error)}); "
                "give arguments of its own constructor"
            ) from error
        keep_buffers(trunk)
        with torch.enable_grad():
            said = self.probe(trunk, config)
        drop_unused(trunk, [said.map] if config.key == "learned" or said.embedding is None else list(said))
        return trunk

    def load_pretrained(self, trunk: nn.Module, config: Config, weights: bool | str = True) -> None:
        """Puts pretrained weights into a trunk that `create(config)` made, as `create` would have.

        Args:
            trunk: its parameters and buffers are overwritten.
            config: as it was made with, or as it was before `resolve`.
            weights: as `pretrained` of `create`.

        Raises:
            InputError: the weights cannot be fetched or are another tower's.
        """
        source = self.create(config, weights)
        with loading(config.trunk, weights):
            trunk.load_state_dict(source.state_dict())
