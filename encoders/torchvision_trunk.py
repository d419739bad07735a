"""torchvision's image towers.

Notable: torchvision has no common way to a map, so the parts of each family that lead to it are listed here by name;
the argument `weights` names a set of weights (IMAGENET1K_V2), which is only a name until weights are asked for.

b batch   h w pixels   c trunk width   t tokens
"""

from collections.abc import Callable
from enum import Enum

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.vision_transformer import interpolate_embeddings

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.base import HUB, PixelStatistics, TrunkOutput, lay_out, read_weights, unknown, weight_file
from mm_memgpt.types import InputError

STAGES = ("layer1", "layer2", "layer3", "layer4")
PATHS = {
    "AlexNet": ("features",),
    "VGG": ("features",),
    "SqueezeNet": ("features",),
    "DenseNet": ("features",),
    "MobileNetV2": ("features",),
    "MobileNetV3": ("features",),
    "EfficientNet": ("features",),
    "ConvNeXt": ("features",),
    "SwinTransformer": ("features", "norm", "permute"),  # channels last until permuted
    "ResNet": ("conv1", "bn1", "relu", "maxpool", *STAGES),
    "RegNet": ("stem", "trunk_output"),
    "MNASNet": ("layers",),
    "ShuffleNetV2": ("conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"),
    "MaxVit": ("stem", "blocks"),
}
"""The parts of each family, in order, from pixels to the last map."""


def create(name: str, config: ImageConfig, weights: bool | str) -> nn.Module:
    """The torchvision classifier.

    Raises:
        ValueError: torchvision does not know the name, or it is no family with a map.
    """
    build = _builder(name)
    arguments = {key: value for key, value in config.trunk_args.items() if key != "weights"}
    if config.size is not None and name.startswith("vit_"):
        arguments.setdefault("image_size", config.size)
    if config.size is not None and name.startswith("maxvit"):
        arguments.setdefault("input_size", (config.size, config.size))
    trunk = build(weights=None, **arguments)
    if not isinstance(trunk, models.VisionTransformer) and _path(trunk) is None:
        known = ", ".join([*PATHS, "VisionTransformer"])
        raise ValueError(f"torchvision's {name!r} is a {type(trunk).__name__}, not one of {known}; try timm/{name}")
    if weights:
        state = _state(name, config, weights)
        if isinstance(trunk, models.VisionTransformer):
            state = interpolate_embeddings(trunk.image_size, trunk.patch_size, state)
        trunk.load_state_dict(state)
    return trunk


def statistics(name: str, config: ImageConfig) -> PixelStatistics:
    """Size, mean and deviation of the named weights, else of the model's default ones, else of ImageNet."""
    _builder(name)
    chosen = _weights(name, config)
    if chosen is None:
        own, mean, std = 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    else:
        transforms = chosen.transforms()
        own, mean, std = transforms.crop_size[0], transforms.mean, transforms.std
    own = config.trunk_args.get("image_size", own)
    return PixelStatistics(config.size or own, tuple(mean), tuple(std))


def perceive(trunk: nn.Module, pixels: Tensor) -> TrunkOutput:
    """The last map; torchvision's towers share no space with text."""
    if isinstance(trunk, models.VisionTransformer):
        patches = trunk._process_input(pixels)  # (b, t, c)
        first = trunk.class_token.expand(len(patches), -1, -1)
        tokens = trunk.encoder(torch.cat([first, patches], dim=1))
        rows, columns = (side // trunk.patch_size for side in pixels.shape[-2:])
        return TrunkOutput(lay_out(tokens, rows, columns), None)
    seen = pixels
    for part in _path(trunk):
        module = getattr(trunk, part)
        for each in module if isinstance(module, nn.ModuleList) else [module]:
            seen = each(seen)
    return TrunkOutput(seen, None)


def read(place: str, config: ImageConfig) -> ImageConfig:
    """torchvision saves weights only, so there is nothing to read.

    Raises:
        InputError: always; the message has the way out.
    """
    raise InputError(
        f"{place.removeprefix(HUB)}: torchvision has no model folders; name the trunk (torchvision/resnet50) and "
        "give the file of weights: pretrained='PATH'"
    )


def _builder(name: str) -> Callable[..., nn.Module]:
    known = models.list_models(module=models)
    if name not in models.list_models():
        raise unknown("torchvision", name, known, ("resnet50", "mobilenet_v3_large", "vit_b_16"))
    return models.get_model_builder(name)


def _path(trunk: nn.Module) -> tuple[str, ...] | None:
    names = [each.__name__ for each in type(trunk).__mro__]
    return next((PATHS[name] for name in names if name in PATHS), None)


def _weights(name: str, config: ImageConfig) -> Enum | None:
    """The named set of weights, else the default one; None for a model of the user's own."""
    if name not in models.list_models(module=models):
        return None
    kinds = models.get_model_weights(name)
    chosen = config.trunk_args.get("weights", "DEFAULT")
    if chosen != "DEFAULT" and chosen not in kinds.__members__:
        raise ValueError(f"torchvision has no weights {chosen!r} of {name!r}; known: {', '.join(kinds.__members__)}")
    return kinds[chosen]


def _state(name: str, config: ImageConfig, weights: bool | str) -> dict[str, Tensor]:
    if isinstance(weights, str):
        return read_weights(weight_file(weights))
    chosen = _weights(name, config)
    if chosen is None:
        raise InputError(f"torchvision/{name}: torchvision has no weights of it; give a local file: pretrained='PATH'")
    return chosen.get_state_dict(progress=False)
