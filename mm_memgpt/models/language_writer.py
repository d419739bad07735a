"""Any model that writes texts, from a folder: one of ours, or a causal model or an encoder-decoder of transformers.

Notable: a model of transformers is taken as it is, without a seam; one that has no padding token pads with its end.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from mm_memgpt.encoders.base import first_line
from mm_memgpt.models.loading import is_own, read_model
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.models.quiet import quiet
from mm_memgpt.types import InputError


def read_language_writer(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase | MMMemGPTProcessor]:
    """The model of a folder, ours or of transformers, with its processor or tokenizer.

    Raises:
        InputError: it cannot be read, or writes no text.
    """
    if is_own(folder):
        return read_model(folder)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
            model = kind.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{folder}: no model that writes ({first_line(error)}); give the folder of a causal language model or an "
            "encoder-decoder, with its tokenizer, or nano"
        ) from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer
