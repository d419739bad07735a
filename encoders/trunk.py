"""Image towers by name, "library/name": create one, read its map, fetch its weights (`towers`).

b batch   h w pixels   c trunk width
"""

import torch
from torch import Tensor, nn

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.base import PixelStatistics, TrunkOutput, first_line
from mm_memgpt.encoders.towers import Towers

ADAPTERS = {
    "timm": "mm_memgpt.encoders.timm_trunk",
    "open_clip": "mm_memgpt.encoders.open_clip_trunk",
    "torchvision": "mm_memgpt.encoders.torchvision_trunk",
    "transformers": "mm_memgpt.encoders.transformers_trunk",
}
"""The adapter module of each library. One of your own is one more row: see `mm_memgpt.encoders.base.Adapter`."""


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


def _black(trunk: nn.Module, config: ImageConfig) -> TrunkOutput:
    return probe(trunk, pixel_statistics(config).size, split(config.trunk)[0])


_towers = Towers("image", ADAPTERS, _black, check=pixel_statistics)
split, adapter, resolve = _towers.split, _towers.adapter, _towers.resolve
create_trunk, load_pretrained = _towers.create, _towers.load_pretrained
