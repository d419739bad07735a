"""open_clip's image towers: CLIP, SigLIP and their kin, with the space they share with text.

Notable: only the image tower is built, never the text tower; arguments are those of open_clip's model config
(`embed_dim`, `vision_cfg`, `quick_gelu`), merged over the named one, and `pretrained` the tag of the weights, which is
only a name until weights are asked for.

b batch   h w pixels   c trunk width   k width of the shared space
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip
from open_clip.factory import load_state_dict, resize_pos_embed
from open_clip.model import _build_vision_tower
from open_clip.pretrained import download_pretrained, download_pretrained_from_hf
from torch import Tensor, nn

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.base import HUB, PixelStatistics, TrunkOutput, unknown, weight_file
from mm_memgpt.types import InputError

CONFIG = "open_clip_config.json"
MODEL_KEYS = ("embed_dim", "vision_cfg", "quick_gelu")
OWN_KEYS = (*MODEL_KEYS, "pretrained", "preprocess_cfg")
SAVED = "saved"
"""Name of a tower whose arguments are all in the config."""
TOWER = "visual."
"""Where the image tower lies in a whole model's weights."""


def create(name: str, config: ImageConfig, weights: bool | str) -> nn.Module:
    """The image tower.

    Raises:
        ValueError: open_clip does not know the name, or an argument.
    """
    settings = _settings(name, config)
    vision, size = dict(settings["vision_cfg"]), config.size
    adaptable = "timm_model_name" in vision  # timm's tower is built at its own size, and resized with its weights
    if size is not None and not adaptable:
        vision["image_size"] = size
    vision["timm_model_pretrained"] = False
    trunk = _build_vision_tower(settings["embed_dim"], vision, settings.get("quick_gelu", False))
    if weights:
        state = load_state_dict(str(_file(name, config, weights)), device="cpu")
        whole = nn.Module()
        whole.visual = trunk
        if hasattr(trunk, "grid_size"):
            resize_pos_embed(state, whole)
        trunk.load_state_dict({k.removeprefix(TOWER): v for k, v in state.items() if k.startswith(TOWER)})
    if adaptable and size is not None and size != vision.get("image_size", size):
        trunk.set_input_size(size)
    return trunk


def statistics(name: str, config: ImageConfig) -> PixelStatistics:
    """Size of the model's config; mean and deviation of its weights."""
    settings = _settings(name, config)
    data = {**(_tagged(name, config) or {}), **config.trunk_args.get("preprocess_cfg", {})}
    mean = data.get("mean") or open_clip.OPENAI_DATASET_MEAN
    std = data.get("std") or open_clip.OPENAI_DATASET_STD
    return PixelStatistics(config.size or settings["vision_cfg"].get("image_size", 224), tuple(mean), tuple(std))


def perceive(trunk: nn.Module, pixels: Tensor) -> TrunkOutput:
    """The last map and the embedding, in one pass."""
    normed = getattr(trunk, "attn_pool", None) is None  # else the last norm belongs behind the pooling
    seen = trunk.forward_intermediates(pixels, indices=1, normalize_intermediates=normed)
    return TrunkOutput(seen["image_intermediates"][-1], seen["image_features"])


def read(place: str, config: ImageConfig) -> ImageConfig:
    """The image tower's part of an `open_clip_config.json`."""
    hub = place.startswith(HUB)
    file = download_pretrained_from_hf(place.removeprefix(HUB), filename=CONFIG) if hub else Path(place) / CONFIG
    saved = json.loads(Path(file).read_text())
    arguments = {key: saved["model_cfg"][key] for key in MODEL_KEYS if key in saved["model_cfg"]}
    preprocess = {key: saved.get("preprocess_cfg", {}).get(key) for key in ("mean", "std")}
    arguments["preprocess_cfg"] = {key: value for key, value in preprocess.items() if value is not None}
    return replace(config, trunk=f"open_clip/{SAVED}", trunk_args={**arguments, **config.trunk_args})


def _settings(name: str, config: ImageConfig) -> dict[str, Any]:
    """The named model config with the arguments merged over it; arguments alone may be one too."""
    arguments = config.trunk_args
    if odd := sorted(set(arguments) - set(OWN_KEYS)):
        raise ValueError(f"unknown key {odd[0]!r} in image.trunk_args of open_clip; known keys: {', '.join(OWN_KEYS)}")
    named = open_clip.get_model_config(name) if name in open_clip.list_models() else {}
    if not named and not {"embed_dim", "vision_cfg"} <= set(arguments):
        raise unknown("open_clip", name, open_clip.list_models(), ("ViT-B-32", "ViT-B-16-SigLIP"))
    gelu = (_tagged(name, config) or {}).get("quick_gelu") or named.get("quick_gelu", False)
    vision = {**named.get("vision_cfg", {}), **arguments.get("vision_cfg", {})}
    return {**named, "quick_gelu": gelu, **arguments, "vision_cfg": vision}


def _tagged(name: str, config: ImageConfig) -> dict[str, Any] | None:
    """What open_clip knows of the weights of the config's tag, or of the model's only one."""
    tags, tag = open_clip.list_pretrained_tags_by_model(name), config.trunk_args.get("pretrained")
    if tag is not None and tag not in tags:
        raise ValueError(f"open_clip has no weights {tag!r} of {name!r}; known: {', '.join(tags) or 'none'}")
    if tag is None and len(tags) > 1:
        return None
    return open_clip.get_pretrained_cfg(name, tag or tags[0]) if tags else None


def _file(name: str, config: ImageConfig, weights: bool | str) -> Path | str:
    if isinstance(weights, str):
        hub = weights.startswith(HUB)
        return download_pretrained_from_hf(weights.removeprefix(HUB)) if hub else weight_file(weights)
    tagged = _tagged(name, config)
    if tagged is None:
        tags = open_clip.list_pretrained_tags_by_model(name)
        raise InputError(
            f"open_clip/{name}: its weights must be chosen; set image.trunk_args pretrained to one of "
            f"{', '.join(tags) or '(none known)'}, or give a local file or folder: pretrained='PATH'"
        )
    return download_pretrained(tagged)
