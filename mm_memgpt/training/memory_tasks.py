"""What trainings on memories train, feed and keep: memories of many items, and pairs in long texts."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from mm_memgpt.datasets.summaries import PROMPT
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.objectives.recalling import Recalling
from mm_memgpt.objectives.remembering import Remembering
from mm_memgpt.training.bunches import Bunches
from mm_memgpt.training.items import Texts
from mm_memgpt.training.knowing import check_fusion, facts_of
from mm_memgpt.training.library import Library
from mm_memgpt.training.memories import examples_of
from mm_memgpt.training.mixture import Examples
from mm_memgpt.training.recalling import PairsExample, Recalled, filler_of
from mm_memgpt.training.recipe import Recipe
from mm_memgpt.training.sources import reader_of
from mm_memgpt.training.starting import caption_model
from mm_memgpt.training.stream import Skip
from mm_memgpt.training.task import Task, keeper
from mm_memgpt.types import InputError


def remembering_task(recipe: Recipe) -> Task:
    """The whole model but its trunks, on memories of many items; keeps it as a model folder in fp16.

    What sees photos stays as it is, too, where a model is the start: what it says of them must not get worse.

    Raises:
        InputError: the model cannot hear or read, ears without weights, an encoder-decoder, or data that fall short.
    """
    model, processor = caption_model(recipe)
    if model.writes_from_a_source or model.text_encoder is None:
        raise InputError(f"{recipe.start or recipe.preset}: memories of many items need a causal model with text in it")
    if recipe.audio is not None and recipe.audio_trunk is None:
        raise InputError("audio: its trunk is not trained here; give the weights of one that can hear: audio_trunk")
    name = recipe.held_to or recipe.start
    before = None if name is None else read_model(find(name))[0].requires_grad_(False)
    mixture = recipe.remember
    library = Library(model, recipe.data.root, Path(mixture.maps))
    model.image_encoder.freeze()
    if recipe.start is not None:
        model.image_encoder.requires_grad_(False)
    model.audio_encoder.freeze()
    if model.audio_encoder.key is not None:
        model.audio_encoder.key.requires_grad_(mixture.sound_keys)
    model.config.summary = PROMPT if mixture.summaries > 0 else model.config.summary
    texts = Texts(processor.tokenizer, model.begin(1).item(), recipe.longest)
    bank = MemoryBank(**asdict(replace(model.bank.geometry, slots=mixture.slots, ring=mixture.ring)))
    if mixture.facts > 0:
        check_fusion(recipe.knowledge, model.config.fusion)
    half = recipe.optimiser.precision == "bf16"
    weights = (mixture.hold, mixture.looking, mixture.rehearsal, mixture.hold_keys)
    objective = Remembering(bank, recipe.smoothing, mixture.keys, half, before, *weights)
    collate = Bunches(processor.tokenizer.pad_token_id)
    tokens = model.config.tokens_per_item
    about = partial(facts_of, recipe, library, texts, before or model, processor) if mixture.facts > 0 else None
    examples = partial(examples_of, recipe, library, texts, model.config.motion, tokens, about=about)
    return Task(model, objective, None, collate, keeper(model, processor), given="examples", examples=examples)


def recalling_task(recipe: Recipe) -> Task:
    """What reads sentences into the memory, fuses and writes, on long texts; keeps it as a model folder in fp16.

    Raises:
        InputError: the model reads no sentences, an encoder-decoder, or sources without prose.
    """
    model, processor = caption_model(recipe)
    if model.writes_from_a_source or model.text_encoder is None:
        raise InputError(f"{recipe.start or recipe.preset}: recalling long texts needs a causal model with text in it")
    for part in (model.image_encoder, model.audio_encoder, model.motion_encoder):
        if part is not None:
            part.requires_grad_(False)
    how, root = recipe.recall, recipe.data.root
    texts = Texts(processor.tokenizer, model.begin(1).item(), recipe.longest)

    def examples(skip: Skip) -> tuple[Examples, Examples]:
        learned = [sample for source in recipe.data.train for sample in reader_of(root, source)]
        made = [
            PairsExample(filler_of(samples, how.characters), texts, how)
            for samples in (learned, reader_of(root, recipe.data.val))
        ]
        lengths = round(recipe.optimiser.epochs * how.samples), recipe.data.val_samples
        seeds = str(recipe.seed), "validation"
        train, val = (
            Examples({"pairs": make}, {"pairs": 1.0}, length, seed, skip)
            for make, length, seed in zip(made, lengths, seeds, strict=True)
        )
        return train, val

    objective = Recalling(how.keys, how.looking, how.slots, recipe.optimiser.precision == "bf16")
    collate = Recalled(processor.tokenizer.pad_token_id)
    return Task(model, objective, None, collate, keeper(model, processor), given="learned", examples=examples)
