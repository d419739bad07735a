"""The language model that writes: any of transformers', by config, by folder or by hub name, with the seam in it.

Notable: a family is tried at construction, on tensors without numbers, and refused where it drops the memory; the
config read from a folder stands alone, so a saved model never points to another; pretrained weights are loaded whole
or not at all.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from math import gcd
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    PreTrainedConfig,
    PreTrainedModel,
)

from mm_memgpt.config import DecoderConfig
from mm_memgpt.encoders.base import first_line
from mm_memgpt.models.quiet import quiet
from mm_memgpt.models.seam import reached, stock_state, wrap
from mm_memgpt.types import InputError

FAMILIES = (
    "llama",
    "qwen3",
    "mistral",
    "gemma3_text",
    "phi3",
    "smollm3",
    "olmo2",
    "gpt_neox",
    "gpt2",
    "opt",
    "t5",
    "bart",
    "marian",
    "mbart",
)
"""Families tested to pass the memory on, the last four encoder-decoders; others may, and a trial run tells."""

INCIDENTAL = {f.name for f in fields(PreTrainedConfig)} - {"is_encoder_decoder"} | {"use_cache", "output_attentions"}
"""Keys of a saved config that say how it was saved and used, not what the model is."""

HUB_NAME = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*")
WAYS_OUT = (
    "give the folder of a saved model (with config.json and model.safetensors), or a hub name (owner/model) where the "
    "hub can be reached"
)


def build_decoder(config: DecoderConfig, memory_width: int) -> PreTrainedModel:
    """The language model of the config, its chosen layers wrapped to read the memory; weights are random.

    Raises:
        ValueError: the family drops the memory on its way to the layers, cannot be built, or a chosen layer does not
            exist.
    """
    seam = {"memory_width": memory_width, "heads": config.heads, "layers": config.layers, "reads": config.reads}
    _try_out(config, seam)
    model = _stock(config.language_model())
    wrap(model, gate=config.gate, dropout=config.dropout, **seam)
    return model


def decoder_config(name: str | PathLike, **settings: Any) -> DecoderConfig:
    """The language model saved at a folder or under a hub name, as a config that stands alone.

    Args:
        name: a folder that save_pretrained wrote, or a hub name (owner/model).
        settings: further fields of DecoderConfig: layers, heads (its own attention heads where not given), gate,
            dropout.

    Raises:
        InputError: neither a folder nor the hub has it, or it is no language model.
    """
    with _reading(name) as place:
        config = AutoConfig.from_pretrained(place)
    if _auto_class(config) is None:
        raise InputError(
            f"{name}: a {config.model_type!r} is no text-only language model that transformers can build; "
            f"give one of a family such as {', '.join(FAMILIES)}"
        )
    model = {key: value for key, value in config.to_dict().items() if key not in INCIDENTAL and key[0] != "_"}
    settings.setdefault("heads", gcd(config.hidden_size, config.num_attention_heads))
    return DecoderConfig(model=model, **settings)


def load_decoder_weights(decoder: PreTrainedModel, name: str | PathLike) -> None:
    """Puts the weights saved at a folder or under a hub name into a decoder that `build_decoder` made.

    What reads the memory stays as it is. Only safetensors are read.

    Args:
        decoder: its stock parameters are overwritten, all of them.
        name: as in `decoder_config`.

    Raises:
        InputError: neither a folder nor the hub has them, or they are not exactly this decoder's.
    """
    with _reading(name) as place:
        source, found = _auto_class(decoder.config).from_pretrained(
            place,
            config=decoder.config,
            dtype=decoder.dtype,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    sizes = {f"{key} {tuple(here)} where {tuple(due)} is due" for key, here, due in found["mismatched_keys"]}
    faults = {"missing": found["missing_keys"], "unknown": found["unexpected_keys"], "wrongly sized": sizes}
    for what, keys in faults.items():
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise InputError(
                f"{name}: {what} {min(keys)}{more}; these are not the weights of this {decoder.config.model_type!r}; "
                "build it by the decoder_config of the same place"
            )
    weights = source.state_dict()
    with torch.no_grad():
        for key, tensor in stock_state(decoder).items():
            tensor.copy_(weights[key])


def _auto_class(config: PreTrainedConfig) -> type | None:
    """The Auto class that builds a language model of this config; None where none does."""
    if config.get_text_config() is not config and not config.is_encoder_decoder:
        return None  # a model of several modalities
    if config.is_encoder_decoder:
        return AutoModelForSeq2SeqLM if type(config) in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING else None
    return AutoModelForCausalLM if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING else None


def _stock(config: PreTrainedConfig) -> PreTrainedModel:
    auto = _auto_class(config)
    if auto is None:
        raise ValueError(
            f"decoder model_type {config.model_type!r} is no text-only language model that transformers can build; "
            f"try one of the families {', '.join(FAMILIES)}"
        )
    return auto.from_config(config)


def _try_out(config: DecoderConfig, seam: dict[str, Any]) -> None:
    """Raises ValueError unless a memory given to the family's forward reaches every wrapped layer."""
    with FakeTensorMode(), torch.device("cpu"):
        twin = _stock(config.language_model())
        chosen = wrap(twin, **seam)
        try:
            found = reached(twin)
        except Exception as error:  # a border to models that each raise their own kinds
            raise ValueError(
                f"{type(twin).__name__} cannot be tried with a memory ({first_line(error)}); "
                f"try a decoder of one of the families {', '.join(FAMILIES)}"
            ) from error
    if missed := [number for index, number in enumerate(chosen) if index not in found]:
        raise ValueError(
            f"{type(twin).__name__} does not pass the memory to its layers {missed}; "
            f"try a decoder of one of the families {', '.join(FAMILIES)}"
        )


@contextmanager
def _reading(name: str | PathLike) -> Iterator[str]:
    """The place that a name means; what goes wrong while it is read becomes one line with the ways out."""
    folder = Path(name).expanduser()
    if not folder.is_dir() and not HUB_NAME.fullmatch(str(name)):
        raise InputError(f"{name}: no such folder; {WAYS_OUT}")
    try:
        with quiet():
            yield str(folder) if folder.is_dir() else str(name)
    except Exception as error:  # a border to libraries that each raise their own kinds
        raise InputError(f"{name}: no language model to be read there ({first_line(error)}); {WAYS_OUT}") from error
