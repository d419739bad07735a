"""The language model that a pre-training run starts from: one of a folder or the hub, or a fresh one of a family.

Notable: what a family can learn follows from transformers' own tables: a model that fills in masked words reads both
ways, any other that writes reads from left to right; objectives that do not fit are refused before anything is loaded.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from mm_memgpt.models.loading import find
from mm_memgpt.models.quiet import quiet
from mm_memgpt.objectives.next_sentence import NextSentenceHead
from mm_memgpt.types import InputError

BOTH_WAYS = ("masked_language", "next_sentence")
"""Objectives of models that read both ways."""


def read_config(folder: Path) -> PreTrainedConfig:
    """The config of a model's folder.

    Raises:
        InputError: there is none, or transformers does not know the family.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no config.json, so no backbone; give a folder that save_pretrained wrote")
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: config.json cannot be read ({_line(error)}); save the model again") from None


def fresh_config(values: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """The config of a family with sizes of one's own; vocabulary and special tokens are the tokenizer's.

    Raises:
        InputError: an unknown family or size.
    """
    family = values.get("model_type")
    if family not in CONFIG_MAPPING:
        raise InputError(f"config.model_type {family!r} is no family that transformers knows; try bert or gpt2")
    kind = CONFIG_MAPPING[family]
    known = set(kind().to_dict()) | set(kind.attribute_map)
    if unknown := sorted(str(key) for key in values if key not in known):
        raise InputError(f"config: {family} has no {unknown[0]!r}; see the documentation of {kind.__name__}")
    tokens = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id}
    tokens |= {"eos_token_id": tokenizer.eos_token_id, "vocab_size": len(tokenizer)}
    try:
        return kind(**{key: value for key, value in values.items() if key != "model_type"} | tokens)
    except (ValueError, TypeError) as error:
        raise InputError(f"config: {_line(error)}") from None


def reads_both_ways(config: PreTrainedConfig) -> bool:
    """Whether a family fills in masked words, so reads both ways; any other reads from left to right."""
    return type(config) in MODEL_FOR_MASKED_LM_MAPPING


def model_class(config: PreTrainedConfig, objectives: Iterable[str], name: str) -> type:
    """The auto class that a model of this config is loaded by, for these objectives.

    Raises:
        InputError: the family is no language model, or an objective does not fit it; `name` is what it is called.
    """
    family, objectives = config.model_type, list(objectives)
    if config.is_encoder_decoder:
        raise InputError(f"{name}: {family} is an encoder-decoder; pre-training takes an encoder or a decoder")
    if reads_both_ways(config):
        if "causal_language" in objectives:
            raise InputError(f"{name}: {family} reads both ways, causal_language from left to right; take a decoder")
        return AutoModelForMaskedLM
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise InputError(f"{name}: {family} is no language model; give an encoder such as bert or a decoder like gpt2")
    if odd := [objective for objective in objectives if objective in BOTH_WAYS]:
        raise InputError(f"{name}: {family} reads from left to right, {odd[0]} both ways; take an encoder")
    return AutoModelForCausalLM


def read_language_model(
    start: Path | PreTrainedConfig, objectives: Iterable[str], tokenizer: PreTrainedTokenizerBase, name: str
) -> PreTrainedModel:
    """The model of a folder, or a fresh one of a config, with a head for each objective that needs one.

    Raises:
        InputError: as `model_class`; weights that cannot be read; a tokenizer of more tokens than the model has.
    """
    objectives = list(objectives)
    config = read_config(start) if isinstance(start, Path) else start
    kind = model_class(config, objectives, name)
    try:
        with quiet():
            if isinstance(start, Path):
                model = kind.from_pretrained(
                    start, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True
                )
            else:
                model = kind.from_config(config)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{name}: cannot be loaded ({_line(error)})") from None
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise InputError(f"{name}: {rows} tokens, its tokenizer {len(tokenizer)}; give the one it was trained with")
    if "next_sentence" in objectives:
        model.next_sentence = NextSentenceHead(config.hidden_size)
    return model


def read_tokenizer(name: str, masked: bool) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub name.

    Raises:
        InputError: there is none, or it has no mask token though one is needed.
    """
    folder = find(name)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name}: no tokenizer to be read ({_line(error)}); name one under tokenizer") from None
    if masked and tokenizer.mask_token_id is None:
        raise InputError(f"{name}: its tokenizer has no mask token, masked_language needs one; give one that has")
    return tokenizer


def check_length(model: PreTrainedModel, longest: int, name: str) -> None:
    """Raises InputError where the model cannot read so many tokens; they are tried, as families count differently."""
    try:
        with torch.no_grad():
            model.base_model(input_ids=torch.full((1, longest), model.config.vocab_size - 1))
    except (IndexError, RuntimeError, ValueError):
        most = getattr(model.config, "max_position_embeddings", "fewer")
        raise InputError(f"{name}: longest {longest} is more than it can read ({most}); set longest to less") from None


def save_language_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, output: Path) -> None:
    """Writes model and tokenizer as `from_pretrained` takes them; what only pre-training needed is left out."""
    kept = {name: value for name, value in model.state_dict().items() if not name.startswith("next_sentence.")}
    with quiet():
        model.save_pretrained(output, state_dict=kept)
        tokenizer.save_pretrained(output)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
