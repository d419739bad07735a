"""timm's image towers, over a thousand: convolutional, windowed (channels last) and ViT.

Notable: the map is timm's own last intermediate with its final norm, which timm lays out as channels first for every
family; a ViT or Swin is built at the config's size, other towers take any. A tag after a dot names the weights.

b batch   h w pixels   c trunk width
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import timm
from huggingface_hub import hf_hub_download
from timm.models import get_pretrained_cfg
from torch import Tensor, nn

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.base import HUB, PixelStatistics, TrunkOutput, unknown, weight_file

USUAL = ("mobilenetv4_conv_small", "resnet18", "vit_small_patch16_224")


def create(name: str, config: ImageConfig, weights: bool | str) -> nn.Module:
    """The timm model; with random weights it never has a classifier.

    Raises:
        ValueError: timm does not know the name, or the tower gives no map.
    """
    settings = _settings(name, config)
    arguments = {key: value for key, value in config.trunk_args.items() if key != "pretrained_cfg_overlay"}
    if config.size is not None and settings.get("fixed_input_size"):
        arguments = {"img_size": config.size, **arguments}
    overlay = dict(config.trunk_args.get("pretrained_cfg_overlay", {}))
    if isinstance(weights, str):
        hub = weights.startswith(HUB)
        source = {"source": "hf-hub", "hf_hub_id": weights.removeprefix(HUB)} if hub else {"source": "file"}
        overlay |= source if hub else {**source, "file": str(weight_file(weights)), "custom_load": False}
    if not weights:
        arguments = {**arguments, "num_classes": 0}
    trunk = timm.create_model(name, pretrained=bool(weights), pretrained_cfg_overlay=overlay or None, **arguments)
    if not hasattr(trunk, "forward_intermediates"):
        raise ValueError(f"timm's {name!r} offers no maps; try one of {', '.join(USUAL)}")
    return trunk


def statistics(name: str, config: ImageConfig) -> PixelStatistics:
    """Size, mean and deviation of the weights that the name stands for."""
    data = timm.data.resolve_data_config({}, pretrained_cfg=_settings(name, config))
    size = config.trunk_args.get("img_size") or data["input_size"][-1]
    return PixelStatistics(config.size or size, tuple(data["mean"]), tuple(data["std"]))


def perceive(trunk: nn.Module, pixels: Tensor) -> TrunkOutput:
    """The last map, with the tower's final norm; timm's towers share no space with text."""
    [last] = trunk.forward_intermediates(pixels, indices=1, norm=True, intermediates_only=True)
    return TrunkOutput(last, None)


def read(place: str, config: ImageConfig) -> ImageConfig:
    """The architecture, arguments and pixel statistics of the `config.json` that timm saves."""
    hub = place.startswith(HUB)
    file = hf_hub_download(place.removeprefix(HUB), "config.json") if hub else Path(place) / "config.json"
    saved = json.loads(Path(file).read_text())
    settings = saved.get("pretrained_cfg", {})
    overlay = {key: settings[key] for key in ("mean", "std", "input_size", "num_classes") if key in settings}
    arguments = {**saved.get("model_args", {}), "pretrained_cfg_overlay": overlay}
    return replace(config, trunk=f"timm/{saved['architecture']}", trunk_args={**arguments, **config.trunk_args})


def _settings(name: str, config: ImageConfig) -> dict[str, Any]:
    if not timm.is_model(name):
        raise unknown("timm", name, timm.list_models(), USUAL)
    known = get_pretrained_cfg(name)  # None for a model that its user registered without one
    own = {"architecture": name} if known is None else known.to_dict()
    return own | config.trunk_args.get("pretrained_cfg_overlay", {})
