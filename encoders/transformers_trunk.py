"""transformers' image towers by model type: CLIP and SigLIP with the space they share with text, ViT, DINOv2, Swin, ...

Notable: the arguments are the tower's own config, so what `resolve` makes of a saved model holds all of it but its
weights; towers that can interpolate their positions always may, so photos can have any size; `image_mean` and
`image_std` among the arguments are the pixel statistics, as a saved model's preprocessor has them.

b batch   h w pixels   c trunk width   t tokens   k width of the shared space
"""

from dataclasses import replace
from functools import cache
from inspect import signature
from math import ceil
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, MODEL_MAPPING, AutoConfig, PreTrainedConfig
from transformers.image_utils import (
    IMAGENET_DEFAULT_MEAN,
    IMAGENET_DEFAULT_STD,
    IMAGENET_STANDARD_MEAN,
    IMAGENET_STANDARD_STD,
    OPENAI_CLIP_MEAN,
    OPENAI_CLIP_STD,
)
from transformers.models.auto.image_processing_auto import get_image_processor_config
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.base import HUB, PixelStatistics, TrunkOutput, lay_out, read_weights, unknown, weight_file
from mm_memgpt.types import InputError

SHARED = {"clip_vision_model": "CLIPVisionModelWithProjection", "siglip_vision_model": "SiglipVisionModel"}
"""Towers with a space shared with text, and the class that ends in it."""

KNOWN = sorted({*SHARED, *MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES} - {"clip", "siglip", "siglip2", "metaclip_2"})
"""Types offered where a name is unknown; those taken out read text too."""

HALF = (IMAGENET_STANDARD_MEAN, IMAGENET_STANDARD_STD)
STATISTICS = {
    "clip_vision_model": (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD),
    "siglip_vision_model": HALF,
    "vit": HALF,
    "beit": HALF,
}
"""Mean and deviation of towers that are not trained with ImageNet's."""

PIXEL_KEYS = ("image_mean", "image_std")
BOOKKEEPING = ("model_type", "transformers_version", "architectures", "dtype", "torch_dtype", "_name_or_path")
"""Keys of a saved config that say nothing about the tower."""


def create(name: str, config: ImageConfig, weights: bool | str) -> nn.Module:
    """The tower of a model type, with its arguments.

    Raises:
        ValueError: transformers does not know the type, or it does not read photos; or an unknown argument.
    """
    settings = _settings(name, config)
    kind = getattr(transformers, SHARED[name]) if name in SHARED else MODEL_MAPPING[type(settings)]
    if kind.main_input_name != "pixel_values":
        raise ValueError(f"transformers' {name!r} reads {kind.main_input_name}, not photos; try clip_vision_model")
    if weights is False:
        return kind(settings)
    if weights is True:
        raise InputError(
            f"transformers/{name} names a kind of tower, not a saved one; name one, such as "
            "transformers/openai/clip-vit-base-patch32, or give a local file or folder: pretrained='PATH'"
        )
    whole = weights.startswith(HUB) or Path(weights).is_dir()
    place, source = (weights.removeprefix(HUB), None) if whole else (None, read_weights(weight_file(weights)))
    trunk, found = kind.from_pretrained(
        place, config=settings, state_dict=source, dtype=torch.get_default_dtype(), output_loading_info=True
    )
    if lacking := [*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])]:
        raise ValueError(f"{sorted(lacking)[0]} is missing or of another shape")
    return trunk


def statistics(name: str, config: ImageConfig) -> PixelStatistics:
    """Size of the tower's config; mean and deviation of the arguments, else what such towers are trained with."""
    own = getattr(_settings(name, config), "image_size", 224)
    own = own if isinstance(own, int) else max(own)
    defaults = STATISTICS.get(name, (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
    mean, std = (tuple(config.trunk_args.get(key, default)) for key, default in zip(PIXEL_KEYS, defaults, strict=True))
    return PixelStatistics(config.size or own, mean, std)


def perceive(trunk: nn.Module, pixels: Tensor) -> TrunkOutput:
    """The last hidden state as a map, and the embedding of CLIP and SigLIP."""
    any_size = {"interpolate_pos_encoding": True} if _interpolates(type(trunk)) else {}
    seen = trunk(pixel_values=pixels, **any_size)
    features = seen.last_hidden_state
    if features.ndim == 3:
        features = lay_out(features, *_grid(trunk.config, pixels))
    if trunk.config.model_type not in SHARED:
        return TrunkOutput(features, None)
    return TrunkOutput(features, seen.image_embeds if "image_embeds" in seen else seen.pooler_output)


def read(place: str, config: ImageConfig) -> ImageConfig:
    """The type, config and pixel statistics of a saved image tower, or of the image half of a saved CLIP or SigLIP."""
    where = place.removeprefix(HUB)
    settings = AutoConfig.from_pretrained(where)
    saved = getattr(settings, "vision_config", settings)
    arguments = {key: value for key, value in saved.to_diff_dict().items() if key not in BOOKKEEPING}
    if getattr(settings, "projection_dim", None) is not None and saved is not settings:
        arguments["projection_dim"] = settings.projection_dim  # of the whole CLIP, which decides
    processor = get_image_processor_config(where)
    arguments |= {key: list(processor[key]) for key in PIXEL_KEYS if key in processor}
    return replace(config, trunk=f"transformers/{saved.model_type}", trunk_args={**arguments, **config.trunk_args})


def _settings(name: str, config: ImageConfig) -> PreTrainedConfig:
    if name not in CONFIG_MAPPING or CONFIG_MAPPING[name] not in MODEL_MAPPING:
        raise unknown("transformers", name, KNOWN, tuple(SHARED))
    arguments = {key: value for key, value in config.trunk_args.items() if key not in PIXEL_KEYS}
    known = CONFIG_MAPPING[name]()
    if odd := [key for key in arguments if not hasattr(known, key)]:
        raise ValueError(
            f"unknown key {odd[0]!r} in image.trunk_args of transformers/{name}; see {type(known).__name__}"
        )
    return CONFIG_MAPPING[name].from_dict(arguments)


@cache
def _interpolates(kind: type) -> bool:
    return "interpolate_pos_encoding" in signature(kind.forward).parameters


def _grid(settings: PreTrainedConfig, pixels: Tensor) -> tuple[int, int]:
    """Rows and columns of the tokens: patches, halved after each stage but the last where the tower has stages."""
    patch = settings.patch_size
    sides = zip(pixels.shape[-2:], (patch, patch) if isinstance(patch, int) else patch, strict=True)
    if not hasattr(settings, "depths"):
        return tuple(side // step for side, step in sides)
    return tuple(ceil(side / (step * 2 ** (len(settings.depths) - 1))) for side, step in sides)
