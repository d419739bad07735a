"""`mm-memgpt pretrain`: language models by a weighted mixture of objectives, from texts and captioned photos.

Notable: it is the one loop; what it keeps is a folder that transformers loads, and a backbone to fine-tune.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

from mm_memgpt.datasets.base import read
from mm_memgpt.encoders.image import pixel_statistics
from mm_memgpt.objectives.captioning import Captioning
from mm_memgpt.objectives.mixture import Mixture
from mm_memgpt.objectives.sentence_contrast import SentenceContrast
from mm_memgpt.training.corpus import Document, cut, read_documents, read_texts
from mm_memgpt.training.examples import CaptionExample, PadText, SentenceExample
from mm_memgpt.training.pretrain_examples import (
    Captioned,
    CausalText,
    Maker,
    MaskedText,
    Mixed,
    Reading,
    SentencePair,
    Views,
)
from mm_memgpt.training.pretrain_recipe import PretrainRecipe
from mm_memgpt.training.pretrain_start import Start, start_fresh, start_from
from mm_memgpt.training.recipe import Augment, Source, read_recipe
from mm_memgpt.training.run import run
from mm_memgpt.training.skipped import Skipped
from mm_memgpt.training.stream import FixedSamples, SampleStream
from mm_memgpt.training.task import Task
from mm_memgpt.types import Sample

SPARED = 20
"""Without `val`, one in so many pieces, and always of the photos beside texts, is kept for validation."""

MEASURED = 200
"""Sentences of which the tokens are counted, to know how many characters a piece may have."""


def pretrain(recipe: PretrainRecipe, resume: bool = False) -> dict[str, float]:
    """Runs a recipe to its end and keeps the best weights; returns the last validation figures.

    Raises:
        InputError: data or a backbone that cannot be used, objectives that do not fit it, or as `run` says.
        ImportError: a package that only training needs is not installed; the message names the extra.
    """
    return run(recipe, partial(build, recipe), resume)


def pretrain_file(path: str | Path, overrides: list[str] | None = None, resume: bool = False) -> dict[str, float]:
    """As `pretrain`, of a YAML recipe."""
    return pretrain(read_recipe(path, overrides, PretrainRecipe), resume)


def build(recipe: PretrainRecipe, skipped: Skipped) -> tuple[Task, SampleStream, FixedSamples]:
    """What the recipe trains, and the samples of training and validation."""
    start = start_from(recipe) if recipe.backbone is not None else None
    documents = read_documents(listed(recipe.train), recipe.text, skipped) if recipe.reads_text else []
    if start is None:
        start = start_fresh(recipe, (sentence for document in documents for sentence in document.sentences))
    reading = Reading(start.tokenizer, recipe.longest, types=getattr(start.model.config, "type_vocab_size", 0) > 1)
    material = material_of(recipe, documents, reading, skipped)
    learning, checking = (Mixed(makers_of(recipe, start, reading, material, part)) for part in (0, 1))
    objectives = {
        "captioning": Captioning(recipe.smoothing),
        "sentence_contrast": SentenceContrast(recipe.temperature, start.read_sentence, recipe.pair is not None),
    }
    mixture = Mixture(recipe.learned, objectives)
    train, val = material.samples
    settings = recipe.optimiser
    stream = SampleStream([train], [Source(path="train")], settings.epochs, recipe.seed, learning, skipped)
    fixed = FixedSamples(val, recipe.val_samples, checking, skipped)
    measure = partial(parts_of, start.model, mixture, fixed, checking, settings.batch)
    return (
        Task(start.model, mixture, None, learning.collate, start.save, given="examples", measure=measure),
        stream,
        fixed,
    )


class Material(NamedTuple):
    """What is learned from and what is validated on, each a pair."""

    samples: tuple[Sequence[Any], Sequence[Any]]
    """Pieces of text; photos where there is no text."""
    photos: tuple[Sequence[Sample], Sequence[Sample]] | None = None
    """Photos beside texts."""
    pairs: tuple[Sequence[tuple[str, ...]], Sequence[tuple[str, ...]]] = ((), ())
    """Texts that belong together, where they are given."""


def material_of(recipe: PretrainRecipe, documents: Sequence[Document], reading: Reading, skipped: Skipped) -> Material:
    """Texts, photos and pairs of a recipe.

    Raises:
        InputError: a file cannot be read, lacks a column, or has nothing to learn from.
    """
    if not recipe.reads_text:
        if recipe.val is None:
            return Material(parted(photos_of(recipe, listed(recipe.photos or recipe.train))))
        return Material(
            (photos_of(recipe, listed(recipe.photos or recipe.train)), photos_of(recipe, listed(recipe.val)))
        )
    characters = fitting(documents, reading)
    corpus = cut(documents, characters)
    if recipe.val is None:
        texts = corpus.parted(SPARED)
    else:
        texts = corpus, cut(read_documents(listed(recipe.val), recipe.text, skipped), characters)
    photos = None if recipe.photos is None else parted(photos_of(recipe, listed(recipe.photos)))
    return Material(texts, photos, pairs_of(recipe, skipped))


def fitting(documents: Sequence[Document], reading: Reading) -> int:
    """How many characters of these texts are about as many tokens as the model is to read."""
    step = max(1, len(documents) // MEASURED)
    found = [sentence for document in documents[::step] for sentence in document.sentences[:MEASURED]][:MEASURED]
    tokens = sum(len(ids) for ids in reading.tokenizer(found, add_special_tokens=False)["input_ids"])
    return max(1, round((reading.longest - 3) * sum(map(len, found)) / max(1, tokens)))


def photos_of(recipe: PretrainRecipe, files: Sequence[str]) -> Sequence[Sample]:
    """The photos of files, with their sentences."""
    return ConcatDataset([read(file, image=recipe.image, captions=recipe.captions) for file in files])


def pairs_of(recipe: PretrainRecipe, skipped: Skipped) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Texts of a row that belong together; none where the recipe names no column for the second."""
    if recipe.pair is None:
        return [], []
    columns = {"text": recipe.text, "pair": recipe.pair}
    found, held = (
        [tuple(texts) for file in listed(files) for _, texts in read_texts(file, columns, skipped)]
        for files in (recipe.train, recipe.val or [])
    )
    return (found, held) if held else ([pair for n, pair in enumerate(found) if n % SPARED], found[::SPARED])


def parted(samples: Dataset) -> tuple[Subset, Subset]:
    """All but one in SPARED samples, and these, from the first on."""
    numbers = range(len(samples))
    return Subset(samples, [number for number in numbers if number % SPARED]), Subset(samples, numbers[::SPARED])


def listed(files: str | list[str] | None) -> list[str]:
    """Files as a list."""
    return [files] if isinstance(files, str) else files or []


def makers_of(
    recipe: PretrainRecipe, start: Start, reading: Reading, material: Material, part: int
) -> dict[str, Maker]:
    """What makes the examples of each objective of the recipe, for training (part 0) or validation (1).

    Raises:
        InputError: the texts have no two sentences in a row, and next sentences are to be told.
    """
    causal = CausalText(reading)
    makers = {
        "masked_language": lambda: MaskedText(reading, recipe.masked),
        "next_sentence": lambda: SentencePair(reading, material.samples[part], material.samples[0]),
        "causal_language": lambda: causal,
        "sentence_contrast": lambda: Views(causal.read if start.causal else reading, reading.pad, material.pairs[part]),
        "captioning": lambda: captioned(recipe, start, material, part),
    }
    return {name: makers[name]() for name in recipe.learned}


def captioned(recipe: PretrainRecipe, start: Start, material: Material, part: int) -> Captioned:
    """What makes photos with sentences for one of this project's own models."""
    statistics = pixel_statistics(start.model.config.image)
    sentences = SentenceExample(start.tokenizer, start.model.begin(1).item(), 1, recipe.longest)
    example = CaptionExample(sentences, statistics, Augment() if part == 0 else None)
    photos = None if material.photos is None else material.photos[part]
    return Captioned(example, PadText(start.tokenizer.pad_token_id), photos)


@torch.no_grad()
def parts_of(model: nn.Module, mixture: Mixture, samples: Dataset, mixed: Mixed, batch: int) -> dict[str, float]:
    """The mean of each part of the mixture over samples, in evaluation."""
    from accelerate.utils import send_to_device

    training, device = model.training, next(model.parameters()).device
    model.eval()
    found = [
        mixture(model, send_to_device(each, device)) for each in DataLoader(samples, batch, collate_fn=mixed.collate)
    ]
    model.train(training)
    return {name: torch.stack([each[name] for each in found]).mean().item() for name in found[0] if name != "loss"}
