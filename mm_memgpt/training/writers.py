"""The model that a fine-tuning run of a writing task starts from: one of a folder, or a fresh one of a family.

Notable: a fresh model's tokenizer is trained on the texts it will read and write, and what the task puts ahead of a
text (a language's tag) is one token of it.
"""

from collections.abc import Iterator, Sequence

import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedModel, PreTrainedTokenizerBase

from mm_memgpt.backbones.layers import with_layers
from mm_memgpt.datasets.table import Table
from mm_memgpt.models.language_writer import read_language_writer
from mm_memgpt.models.loading import find
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.tasks.writing import WritingTask
from mm_memgpt.tasks.writing_model import LONGEST, WritingModel
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.training.language_models import fresh_config, read_tokenizer
from mm_memgpt.training.vocabulary import train_vocabulary
from mm_memgpt.types import InputError


def writing_model(recipe: FinetuneRecipe, task: WritingTask, table: Table, rows: Sequence[int]) -> WritingModel:
    """The model that a recipe begins with; what only sees or hears stays as it is.

    Raises:
        InputError: no such backbone or family, or one that writes nothing, or no text to make a vocabulary of.
    """
    if recipe.tuning == "frozen":
        raise InputError(f"task {task.name} learns nothing of a frozen backbone; set tuning to full or lora")
    if recipe.config is None:
        model, tokenizer = read_language_writer(find(recipe.backbone))
        if recipe.layers is not None:
            model = _with_layers(model, recipe)
    else:
        model, tokenizer = _fresh(recipe, task, table, rows)
    for sense in ("image_encoder", "audio_encoder", "motion_encoder"):
        if (part := getattr(model, sense, None)) is not None:
            part.requires_grad_(False)
    return WritingModel(model, tokenizer, task, LONGEST if recipe.longest is None else recipe.longest)


def _with_layers(model: PreTrainedModel, recipe: FinetuneRecipe) -> PreTrainedModel:
    if isinstance(model, MMMemGPTForConditionalGeneration):
        raise InputError(f"{recipe.backbone}: writes with layers that belong together; leave out 'layers'")
    try:
        return with_layers(model, recipe.layers, ("encoder", "decoder"))
    except ValueError as error:
        raise InputError(f"{recipe.backbone}: {error}") from None


def _fresh(
    recipe: FinetuneRecipe, task: WritingTask, table: Table, rows: Sequence[int]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if recipe.tokenizer is not None:
        tokenizer = read_tokenizer(recipe.tokenizer, masked=False)
    else:
        tokenizer = train_vocabulary(_texts(task, table, rows), recipe.vocabulary)
    tokenizer.add_tokens(list(task.tags))
    config = fresh_config(recipe.config, tokenizer)
    if config.is_encoder_decoder:
        config.decoder_start_token_id, config.forced_eos_token_id = tokenizer.bos_token_id, None
    torch.manual_seed(recipe.seed)
    try:
        return (AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM).from_config(
            config
        ), tokenizer
    except (ValueError, KeyError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"config: {config.model_type} writes no text ({said}); try bart, marian or gpt2") from None


def _texts(task: WritingTask, table: Table, rows: Sequence[int]) -> Iterator[str]:
    """What is read and what is written; a tag ahead of a text is not part of it."""
    tags = {*task.tags}
    for row in rows:
        try:
            example = task.example(table, row)
        except InputError:  # it is said when the row is learned from
            continue
        written = "" if example.target is None else task.learned(example.target)
        for text in (example.further.text, *example.further.memory, written):
            first, _, rest = text.partition(" ")
            yield rest if first in tags else text
