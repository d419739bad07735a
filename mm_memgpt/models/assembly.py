"""A model put together by name: a preset's shape, with another image tower, other ears or another language model.

Notable: its config holds all it needs, so what was put together from folders or hubs is saved and loaded without them;
a part is random unless pretrained weights are asked for, and gates stand closed before a language model by name.
"""

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from mm_memgpt.config import AudioConfig, DecoderConfig, ImageConfig, MMMemGPTConfig
from mm_memgpt.encoders.audio import load_pretrained as load_pretrained_ears
from mm_memgpt.encoders.audio import resolve as resolve_audio
from mm_memgpt.encoders.image import load_pretrained, resolve
from mm_memgpt.models.auto import model_class
from mm_memgpt.models.decoder import decoder_config, load_decoder_weights
from mm_memgpt.models.loading import SHIPPED
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.presets import PRESETS
from mm_memgpt.types import InputError

LONGEST_CAPTION = 32
"""Tokens a written caption may have unless the caller says otherwise; the longest training caption has more."""


class Pretrained(NamedTuple):
    """Where a preset's own pretrained parts are to be had."""

    decoder: str
    """Hub name of its language model; its trunk's weights are found by the trunk's name."""


PRETRAINED = {"small": Pretrained("openai-community/gpt2"), "base": Pretrained("HuggingFaceTB/SmolLM2-360M")}


def put_together(
    preset: str = "nano",
    *,
    trunk: str | ImageConfig | None = None,
    ears: str | AudioConfig | None = None,
    decoder: str | PathLike | DecoderConfig | None = None,
    tokenizer: str | PathLike | PreTrainedTokenizerFast | None = None,
    pretrained: bool | str = False,
) -> tuple[MMMemGPTForConditionalGeneration, MMMemGPTProcessor]:
    """The model of a preset, with its parts exchanged, in evaluation mode on the CPU; and its processor.

    Args:
        preset: tiny, nano, small or base.
        trunk: an image tower by name ("timm/resnet18"), or a whole ImageConfig.
        ears: a tower that hears, by name ("transformers/ast", or the folder or hub name of a saved one behind its
            library), or a whole AudioConfig; None leaves the preset's.
        decoder: a language model by folder or hub name, or a whole DecoderConfig.
        tokenizer: a tokenizer or the folder of one; the language model's own where it has one, else nano's.
        pretrained: whether the towers and the language model start from their pretrained weights, by the same names; a
            file or folder has the image tower's weights where its hub cannot be reached.

    Raises:
        InputError: an unknown preset, or a part that cannot be had, with the ways out.
        ValueError: parts that do not fit together.
    """
    if preset not in PRESETS:
        raise InputError(f"preset {preset!r} is unknown; known: {', '.join(PRESETS)}")
    if pretrained and decoder is None and preset in PRETRAINED:
        decoder = PRETRAINED[preset].decoder
    named = decoder_config(decoder) if isinstance(decoder, (str, PathLike)) else decoder
    tokens = _tokenizer(tokenizer, decoder)
    shape = PRESETS[preset](vocab_size=len(tokens))
    image = shape.image if trunk is None else with_tower(trunk, shape.image)
    audio = shape.audio if ears is None else with_ears(ears)
    config = MMMemGPTConfig(
        width=shape.width,
        key_width=shape.key_width,
        image=resolve(image),
        audio=None if audio is None else resolve_audio(audio),
        text=shape.text,
        memory=shape.memory,
        fusion=shape.fusion,
        decoder=_begun_by(tokens, shape.decoder) if named is None else named,
    )
    model = model_class(config)(config).eval()
    model.generation_config.max_new_tokens = LONGEST_CAPTION
    if pretrained:
        load_pretrained(model.image_encoder.trunk, image, pretrained)
        if ears is not None:
            load_pretrained_ears(model.audio_encoder.trunk, audio)
        if isinstance(decoder, (str, PathLike)):
            load_decoder_weights(model.decoder, decoder)
    return model, MMMemGPTProcessor.build(config, tokens)


def with_tower(trunk: str | ImageConfig, shape: ImageConfig) -> ImageConfig:
    """The preset's grid and heads around another tower, at that tower's own size; it looks at each photo once."""
    if isinstance(trunk, ImageConfig):
        return trunk
    return replace(shape, trunk=trunk, trunk_args={}, size=None, key="learned", mirrored=False)


def with_ears(ears: str | AudioConfig) -> AudioConfig:
    """The defaults around a tower that hears."""
    return ears if isinstance(ears, AudioConfig) else AudioConfig(trunk=ears)


def _begun_by(tokens: PreTrainedTokenizerFast, shape: DecoderConfig) -> DecoderConfig:
    """The preset's language model, with the tokenizer's numbers for where a text begins and ends."""
    special = {name: getattr(tokens, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return replace(shape, model=shape.model | special)


def _tokenizer(
    tokenizer: str | PathLike | PreTrainedTokenizerFast | None, decoder: str | PathLike | DecoderConfig | None
) -> PreTrainedTokenizerFast:
    """The tokenizer given, or the language model's own, or nano's; padding is the end of a text where it has none."""
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        place = tokenizer
        if place is None:
            place = decoder if isinstance(decoder, (str, PathLike)) else SHIPPED / "nano"
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=Path(place).is_dir())
        except (OSError, ValueError, KeyError) as error:
            said = " ".join(str(error).split())[:200]
            raise InputError(f"{place}: no tokenizer there ({said}); name a folder that has one: tokenizer") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
