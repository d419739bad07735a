"""A reader of long text begun from a model of ours, and kept in a folder.

Notable: of the start only the language model is taken, its words and its tokenizer; how photos are read stays behind.
"""

import copy
import json
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from mm_memgpt.config import DecoderConfig, TextConfig
from mm_memgpt.models.decoder import build_decoder
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.models.long_text import LongText
from mm_memgpt.models.long_text_config import LongTextConfig
from mm_memgpt.models.seam import stock_state
from mm_memgpt.types import InputError

WEIGHTS, ABOUT = "model.safetensors", "long_text.json"


class Reader(NamedTuple):
    """A model and its tokenizer."""

    model: LongText
    tokenizer: PreTrainedTokenizerBase


def start(name: str, config: LongTextConfig) -> Reader:
    """A reader with the language model of one of our own models.

    Args:
        name: as `mm_memgpt.models.loading.find` takes it.
        config: how it is to read; its parts beside the language model begin anew.

    Raises:
        InputError: no such model, one that writes from a source text, or one that cannot read so.
    """
    base, processor = read_model(find(name))
    if base.writes_from_a_source:
        raise InputError(f"{name}: is an encoder-decoder; long text is read by a causal model, such as nano")
    try:
        model = _build(base.config.decoder, config, base.config.text)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    with torch.no_grad():
        weights = stock_state(base.decoder)
        for key, tensor in stock_state(model.decoder).items():
            tensor.copy_(weights[key])
    if config.writes == "encoder" and base.text_encoder is not None:
        own = model.writer.encoder.state_dict()
        given = base.text_encoder.state_dict()
        fits = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
        model.writer.encoder.load_state_dict(own | fits)
    return Reader(model, processor.tokenizer)


def save(reader: Reader, folder: str | PathLike) -> None:
    """Writes a reader into a folder, in fp16."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = reader.model
    text = model.writer.encoder_config if model.reads.writes == "encoder" else None
    about = {"decoder": asdict(model.decoder_config), "reads": asdict(model.reads)}
    about["text"] = None if text is None else asdict(text)
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    seen, weights = set(), {}
    for key, value in model.state_dict().items():
        if value.data_ptr() not in seen:  # the words' embeddings are tied to the output
            weights[key] = value.detach().half().contiguous() if value.is_floating_point() else value.contiguous()
        seen.add(value.data_ptr())
    save_file(weights, folder / WEIGHTS)
    reader.tokenizer.save_pretrained(folder)


def read_reader(folder: str | PathLike) -> Reader:
    """The reader that `save` wrote, in float32 and evaluation mode.

    Raises:
        InputError: the folder lacks a file, or its files do not fit together.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        text = None if about["text"] is None else TextConfig(**about["text"])
        model = _build(DecoderConfig(**about["decoder"]), LongTextConfig(**about["reads"]), text)
        weights = {key: value.float() if value.is_floating_point() else value for key, value in _weights(folder)}
        found = model.load_state_dict(weights, strict=False)
        tied = {name for name, value in model.state_dict().items() if name not in weights} & {"decoder.lm_head.weight"}
        if odd := sorted({*found.missing_keys} - tied | {*found.unexpected_keys}):
            raise InputError(f"{folder}: {odd[0]} is missing or unknown; give a folder that long-text training wrote")
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, KeyError, TypeError, json.JSONDecodeError, SafetensorError, RuntimeError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: no reader of long text ({why}); give a folder that its training wrote") from None
    return Reader(model.eval(), tokenizer)


def _weights(folder: Path) -> list[tuple[str, torch.Tensor]]:
    return list(load_file(folder / WEIGHTS).items())


def _build(decoder: DecoderConfig, config: LongTextConfig, text: TextConfig | None) -> LongText:
    """A reader with random weights. Raises ValueError for parts that do not fit together."""
    width = decoder.language_model().hidden_size
    layers = config.reading_layers(decoder.language_model().num_hidden_layers)
    reads = replace(copy.deepcopy(decoder), layers=layers, gate=0.0, reads="after", output_std=None)
    reads = replace(reads, dropout=0.0)
    model = LongText(build_decoder(reads, width if config.writes == "encoder" else 2 * width), config, text)
    model.decoder_config = reads
    if config.writes == "encoder":
        model.writer.encoder_config = text or TextConfig()
    return model
