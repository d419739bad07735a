"""What a pre-training run starts from: a language model of transformers, or one of this project's own models.

Notable: both are trained by the same objectives; they differ in how a sentence becomes one vector, and in how they are
kept.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mm_memgpt.backbones.build import MINILM, minilm
from mm_memgpt.config import MMMemGPTConfig
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.objectives.sentence_contrast import Read, mean_of_hidden_states
from mm_memgpt.training.language_models import (
    check_length,
    fresh_config,
    model_class,
    read_config,
    read_language_model,
    read_tokenizer,
    reads_both_ways,
    save_language_model,
)
from mm_memgpt.training.pretrain_recipe import PretrainRecipe
from mm_memgpt.training.task import keeper
from mm_memgpt.training.vocabulary import train_vocabulary
from mm_memgpt.types import InputError

OWN = ("causal_language", "captioning", "sentence_contrast")
"""Objectives that this project's own models can learn."""


class Start(NamedTuple):
    """A model to train, and how it reads and is kept."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    save: Callable[[Path], None]
    causal: bool
    """Whether it reads from left to right."""
    read_sentence: Read = mean_of_hidden_states


def start_from(recipe: PretrainRecipe) -> Start:
    """The recipe's backbone.

    Raises:
        InputError: it is not there or no language model, or an objective does not fit it.
    """
    folder = Path(minilm()) if recipe.backbone == MINILM else find(recipe.backbone)
    config = read_config(folder)
    if isinstance(config, MMMemGPTConfig):
        start = own_model(recipe, folder)
    else:
        model_class(config, recipe.learned, recipe.backbone)
        tokenizer = read_tokenizer(recipe.tokenizer or str(folder), "masked_language" in recipe.learned)
        start = language_model(recipe, folder, tokenizer, recipe.backbone)
    if "sentence_contrast" in recipe.learned and recipe.pair is None and not has_dropout(start.model):
        one = "has no dropout, so a sentence has but one view"
        raise InputError(f"{recipe.backbone}: {one}; sentence_contrast needs a column of second texts: pair")
    return start


def start_fresh(recipe: PretrainRecipe, sentences: Iterable[str]) -> Start:
    """A fresh model of the recipe's config; its tokenizer is trained on the sentences where none is named.

    Raises:
        InputError: an unknown family or size, or an objective does not fit the family.
    """
    masked = "masked_language" in recipe.learned
    if recipe.tokenizer is not None:
        tokenizer = read_tokenizer(recipe.tokenizer, masked)
    else:
        tokenizer = train_vocabulary(sentences, recipe.vocabulary)
    config = fresh_config(recipe.config, tokenizer)
    return language_model(recipe, config, tokenizer, f"config {config.model_type}")


def language_model(recipe: PretrainRecipe, start: object, tokenizer: PreTrainedTokenizerBase, name: str) -> Start:
    """A model of transformers, from a folder or a config.

    Raises:
        InputError: it cannot be loaded or does not fit the recipe.
    """
    if "captioning" in recipe.learned:
        raise InputError(f"{name}: sees no photos, so it cannot learn captioning; take nano, or a model folder of ours")
    model = read_language_model(start, recipe.learned, tokenizer, name)
    check_length(model, recipe.longest, name)
    save = partial(save_language_model, model, tokenizer)
    return Start(model, tokenizer, save, causal=not reads_both_ways(model.config))


def own_model(recipe: PretrainRecipe, folder: Path) -> Start:
    """One of this project's own models; what no objective teaches stays as it is.

    Raises:
        InputError: an objective that it cannot learn, an encoder-decoder, or a tokenizer in place of its own.
    """
    name = recipe.backbone
    if odd := [objective for objective in recipe.learned if objective not in OWN]:
        raise InputError(f"{name}: cannot learn {odd[0]}, only {', '.join(OWN)}; take an encoder such as bert")
    if recipe.tokenizer is not None:
        raise InputError(f"{name}: brings its own tokenizer; leave out 'tokenizer'")
    model, processor = read_model(folder)
    if model.writes_from_a_source:
        raise InputError(f"{name}: writes from a source text; pre-training takes a causal model")
    if "sentence_contrast" in recipe.learned and model.text_encoder is None:
        raise InputError(f"{name}: has no text encoder, so it cannot learn sentence_contrast; leave the objective out")
    if "captioning" not in recipe.learned:
        for part in (model.image_encoder, model.audio_encoder, model.motion_encoder, model.fuser):
            if part is not None:
                part.requires_grad_(False)
    if "sentence_contrast" not in recipe.learned and model.text_encoder is not None:
        model.text_encoder.requires_grad_(False)
    return Start(model, processor.tokenizer, keeper(model, processor), causal=True, read_sentence=key_of_text)


def key_of_text(model: nn.Module, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The retrieval keys (b, k) of sentences, by a model's own text encoder."""
    return model.read_text(input_ids, attention_mask.bool()).key.squeeze(1)


def has_dropout(model: nn.Module) -> bool:
    """Whether two passes over a text differ in training."""
    return any(isinstance(part, nn.Dropout) and part.p > 0 for part in model.modules())
