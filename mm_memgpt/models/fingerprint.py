"""The fingerprint of what perceives: two models with one fingerprint make the same items of the same input.

Notable: it is of the encoders' settings and weights and of the bank's sizes, not of what fuses and writes, so a model
whose decoder was trained further still reads the memories that it made before.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

import torch

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration

PARTS = ("image", "audio", "motion", "text", "memory")
"""Parts of the config that say how items are made and kept."""

SENSES = ("image_encoder", "audio_encoder", "motion_encoder", "text_encoder")
"""Modules whose weights make items; the text encoder reads the decoder's embeddings too."""

ONLY_IN_TRAINING = ("dropout", "rerank")
"""Settings of those parts that no item depends on."""


def fingerprint(model: MMMemGPTForConditionalGeneration) -> str:
    """32 hexadecimal digits. Weights count as float32, so the device and the precision they are kept in do not."""
    config = model.config
    found = hashlib.sha256(json.dumps(_settings(config), sort_keys=True).encode())
    for name in SENSES:
        if (module := getattr(model, name)) is not None:
            for key, tensor in sorted(module.state_dict().items()):
                _feed(found, f"{name}.{key}", tensor)
    if model.text_encoder is not None:
        _feed(found, "embeddings", model.get_input_embeddings().weight)
    return found.hexdigest()[:32]


def _settings(config: Any) -> dict[str, Any]:
    parts = {name: getattr(config, name) for name in PARTS}
    settings = {name: None if part is None else asdict(part) for name, part in parts.items()}
    for part in settings.values():
        for name in ONLY_IN_TRAINING:
            (part or {}).pop(name, None)
    return settings | {"width": config.width, "key_width": config.key_width}


def _feed(found: Any, name: str, tensor: torch.Tensor) -> None:
    found.update(f"{name}{tuple(tensor.shape)}".encode())
    found.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
