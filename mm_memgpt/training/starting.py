"""The model that a recipe starts from: a trained one, or a fresh one of a preset, with the recipe's parts.

Notable: ears and fusion are exchanged in both the same way, and every weight that fits is kept.
"""

from dataclasses import replace
from pathlib import Path

from mm_memgpt.config import ImageConfig
from mm_memgpt.models.assembly import put_together, with_tower
from mm_memgpt.models.growing import grow
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.presets import PRESETS
from mm_memgpt.training.recipe import Recipe
from mm_memgpt.training.weights import load_trunk
from mm_memgpt.types import InputError


def caption_model(recipe: Recipe) -> tuple[MMMemGPTForConditionalGeneration, MMMemGPTProcessor]:
    """The model of the recipe's `start`, or a fresh one of its preset; with the recipe's parts, and their weights.

    Raises:
        InputError: the model, the tokenizer or a part is missing or does not fit.
    """
    model, processor = fresh_model(recipe) if recipe.start is None else read_model(find(recipe.start))
    try:
        model = grow(model, recipe.audio, recipe.fusion, recipe.motion)
    except InputError:
        raise
    except ValueError as error:  # parts that do not fit together
        raise InputError(f"{recipe.start or recipe.preset}: {error}; change audio, motion or fusion") from None
    if recipe.trunk is not None:
        load_trunk(model.image_encoder.trunk, Path(recipe.trunk))
    if recipe.audio_trunk is not None:
        if model.audio_encoder is None:
            raise InputError(
                f"{recipe.audio_trunk}: the model hears nothing; add the key 'audio', {{}} for its defaults"
            )
        load_trunk(model.audio_encoder.trunk, Path(recipe.audio_trunk), "audio_trunk", "hearing run")
    if recipe.motion_encoder is not None:
        if model.motion_encoder is None:
            raise InputError(
                f"{recipe.motion_encoder}: the model sees no motion; add the key 'motion', {{}} for its defaults"
            )
        load_trunk(model.motion_encoder, Path(recipe.motion_encoder), "motion_encoder", "lipreading run")
    return model, processor


def fresh_model(recipe: Recipe) -> tuple[MMMemGPTForConditionalGeneration, MMMemGPTProcessor]:
    """A model of the recipe's preset, seeing, reading and writing as the recipe says.

    Raises:
        InputError: the tokenizer or a part is missing, or they do not fit together.
    """
    folder = None if recipe.tokenizer is None else Path(recipe.tokenizer)
    if folder is not None and not (folder / "tokenizer.json").is_file():
        raise InputError(f"{folder}: no tokenizer.json in it; write one with mm-memgpt tokenizer --output {folder}")
    try:
        return put_together(
            recipe.preset,
            trunk=image_config(recipe),
            decoder=recipe.decoder,
            tokenizer=folder,
            pretrained=recipe.pretrained,
        )
    except InputError:
        raise
    except ValueError as error:  # parts that do not fit together
        raise InputError(f"preset {recipe.preset}: {error}; change tower, size or decoder") from None


def image_config(recipe: Recipe) -> ImageConfig | None:
    """The tower and size that a recipe names in place of its preset's; None where it names neither."""
    if recipe.tower is None and recipe.size is None:
        return None
    shape = PRESETS[recipe.preset]().image
    if recipe.tower is not None:
        shape = with_tower(recipe.tower, shape)
    return shape if recipe.size is None else replace(shape, size=recipe.size)
