"""Image towers by name, "library/name": create one, read its map, fetch its weights.

Notable: each library has one adapter file, imported only when a name asks for it; a name without a library is timm's;
a saved model elsewhere is first resolved into the config, so that a model's own folder never points to another.

b batch   h w pixels   c trunk width
"""

from importlib import import_module
from pathlib import Path

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.base import (
    HUB,
    Adapter,
    PixelStatistics,
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
    "timm": "mm_memgpt.encoders.timm_trunk",
    "open_clip": "mm_memgpt.encoders.open_clip_trunk",
    "torchvision": "mm_memgpt.encoders.torchvision_trunk",
    "transformers": "mm_memgpt.encoders.transformers_trunk",
}
"""The adapter module of each library. One of your own is one more row: see `mm_memgpt.encoders.base.Adapter`."""


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


def adapter(library: str) -> Adapter:
    """The adapter of a library; the library is imported here."""
    return import_module(ADAPTERS[library])


def resolve(config: ImageConfig) -> ImageConfig:
    """A config that stands alone: a saved model's folder or hub name becomes its kind and arguments.

    Raises:
        InputError: nothing to read there, or the hub is out of reach.
    """
    library, name = split(config.trunk)
    place = place_of(name)
    if place is None:
        return config
    if not place.startswith(HUB) and not Path(place).is_dir():
        raise InputError(f"{place}: no such folder; give the folder of a saved model, or its name on the hub")
    with loading(config.trunk, True if place.startswith(HUB) else place):
        return adapter(library).read(place, config)


def create_trunk(config: ImageConfig, pretrained: bool | str = False) -> nn.Module:
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
    if isinstance(pretrained, str) and (file := Path(pretrained).expanduser()).is_file():
        trunk = _create(config, False)
        with loading(config.trunk, pretrained):
            weights = read_weights(file)
            if weights.keys() == trunk.state_dict().keys():
                trunk.load_state_dict(weights)
                return trunk
    if pretrained is False:
        return _create(config, False)
    pixel_statistics(config)  # an unknown name is refused before anything is fetched
    with loading(config.trunk, pretrained):
        return _create(config, pretrained)


def _create(config: ImageConfig, weights: bool | str) -> nn.Module:
    library, name = split(config.trunk)
    try:
        trunk = adapter(library).create(name, config, weights)
    except (TypeError, StrictDataclassError) as error:
        raise ValueError(
            f"image.trunk_args {config.trunk_args} do not fit {config.trunk!r} ({first_line(error)}); "
            "give arguments of its own constructor"
        ) from error
    keep_buffers(trunk)
    with torch.enable_grad():
        seen = probe(trunk, pixel_statistics(config).size, library)
    drop_unused(trunk, [seen.map] if config.key == "learned" or seen.embedding is None else list(seen))
    return trunk


def load_pretrained(trunk: nn.Module, config: ImageConfig, weights: bool | str = True) -> None:
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


def pixel_statistics(config: ImageConfig) -> PixelStatistics:
    """The trunk's own mean, standard deviation and size, the size overridden by `config.size` where it is given."""
    config = resolve(config)
    library, name = split(config.trunk)
    return adapter(library).statistics(name, config)


def feature_map(trunk: nn.Module, pixels: Tensor, library: str = "timm") -> Tensor:
    """(b, 3, h, w) normalised pixels to the last feature map (b, c, rows, columns) of a library's trunk."""
    return adapter(library).perceive(trunk, pixels).map


def probe(trunk: nn.Module, size: int, library: str = "timm") -> TrunkOutput:
    """What the trunk says of one black photo (1, 3, size, size), in evaluation mode; it is left as it was.

    Raises:
        ValueError: it has no map of a photo of that size.
    """
    parameter, training = next(trunk.parameters()), trunk.training
    pixels = torch.zeros(1, 3, size, size, device=parameter.device, dtype=parameter.dtype)
    try:
        return adapter(library).perceive(trunk.eval(), pixels)
    except Exception as error:  # a border to libraries that each raise their own kinds
        raise ValueError(
            f"{library}'s {type(trunk).__name__} gives no map of a {size}x{size} photo ({first_line(error)}); "
            "try another size or trunk"
        ) from error
    finally:
        trunk.train(training)


def map_shape(trunk: nn.Module, size: int, library: str = "timm") -> tuple[int, int, int]:
    """Channels, rows and columns of the trunk's map of a (size, size) photo, read from one forward pass."""
    with torch.no_grad():
        shape = probe(trunk, size, library).map.shape
    return shape[1], shape[2], shape[3]


def stage_maps(trunk: nn.Module, pixels: Tensor) -> list[Tensor]:
    """(b, 3, h, w) normalised pixels to the maps of all stages, from fine to coarse; the last is `feature_map`'s.

    Raises:
        ValueError: the trunk is not timm's.
    """
    if not hasattr(trunk, "feature_info"):
        raise ValueError(f"the stages of {type(trunk).__name__} are not known; take a trunk of timm")
    return trunk.forward_intermediates(pixels)[1]
