"""`mm-memgpt train`: a recipe to a trained part, by the one loop.

Notable: a new kind of run is a new `Task` row in sight below (what to build, how to read a sample, what to keep),
never a second loop; the best checkpoint by validation loss is what is kept.
"""

import copy
import json
import math
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import default_collate
from transformers import PreTrainedTokenizerFast, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from mm_memgpt.datasets.base import read
from mm_memgpt.encoders.image import create_trunk, pixel_statistics
from mm_memgpt.knowledge.teacher import ImageTeacher
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.objectives.captioning import Captioning
from mm_memgpt.objectives.distillation import Distillation, TrunkDistillation
from mm_memgpt.presets import PRESETS
from mm_memgpt.training.examples import CaptionExample, DistillationExample, PadText
from mm_memgpt.training.recipe import Augment, Recipe, read_recipe
from mm_memgpt.training.stream import FixedSamples, SampleStream, Transform
from mm_memgpt.training.trainer import Objective, RecipeTrainer
from mm_memgpt.types import InputError


class Task(NamedTuple):
    """What an objective trains, feeds and keeps."""

    model: nn.Module
    objective: Objective
    transform: Callable[[Augment | None], Transform]
    """Sample to model inputs: with an augmentation for training, None for validation."""
    collate: Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]
    keep: Callable[[Path], None]
    """Writes the result of the run into its folder."""


def train(recipe_path: str | Path, overrides: list[str] | None = None, resume: bool = False) -> dict[str, float]:
    """Runs a recipe to its end and keeps the best weights; returns the last validation figures.

    Raises:
        InputError: a bad recipe, missing data, nothing to resume, or an output folder that holds another run.
    """
    recipe = read_recipe(recipe_path, overrides)
    set_seed(recipe.seed)
    output = Path(recipe.output)
    last = get_last_checkpoint(str(output)) if output.is_dir() else None
    if resume and last is None:
        raise InputError(f"{output}: no checkpoint to resume; leave out --resume")
    if last is not None and not resume:
        raise InputError(f"{output}: holds checkpoints of an earlier run; add --resume or --set output=ANOTHER")
    root = Path(recipe.data.root)
    task = build_task(recipe)
    stream = SampleStream(
        [read(root / source.path) for source in recipe.data.train],
        recipe.data.train,
        recipe.optimiser.epochs,
        recipe.seed,
        task.transform(recipe.augment),
    )
    val = FixedSamples(read(root / recipe.data.val), recipe.data.val_samples, task.transform(None))
    trainer = RecipeTrainer(
        task.model,
        training_arguments(recipe, len(stream)),
        data_collator=task.collate,
        train_dataset=stream,
        eval_dataset=val,
        objective=task.objective,
        settings=recipe.optimiser,
    )
    started = time.monotonic()
    task.model.to(memory_format=torch.channels_last)  # convolves faster on a CPU, and on a GPU in half precision
    trainer.train(resume_from_checkpoint=last if resume else None)
    figures = trainer.evaluate()
    task.model.to("cpu", memory_format=torch.contiguous_format)
    output.mkdir(parents=True, exist_ok=True)
    task.keep(output)
    report = figures | {"samples": len(stream), "seconds": round(time.monotonic() - started), "resumed": resume}
    report |= {"hardware": f"{platform.machine()}, {torch.get_num_threads()} threads, {trainer.args.device.type}"}
    (output / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return figures


def training_arguments(recipe: Recipe, samples: int) -> TrainingArguments:
    """The recipe in the Trainer's words: one pass over the stream, which already holds all epochs."""
    settings = recipe.optimiser
    steps = max(1, math.ceil(samples / (settings.batch * settings.accumulate)))
    every = max(1, steps // recipe.checkpoints)
    return TrainingArguments(
        output_dir=recipe.output,
        num_train_epochs=1,
        per_device_train_batch_size=settings.batch,
        per_device_eval_batch_size=settings.batch,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.rate,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        lr_scheduler_type="cosine",
        warmup_steps=round(settings.warmup * steps),
        bf16=settings.precision == "bf16",
        seed=recipe.seed,
        data_seed=recipe.seed,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=max(1, min(50, every)),
        report_to=["tensorboard"],
        dataloader_num_workers=recipe.workers,
        dataloader_persistent_workers=recipe.workers > 0,
        remove_unused_columns=False,
        prediction_loss_only=True,
        label_names=["teacher_logits"] if recipe.objective == "distillation" else ["input_ids"],
    )


def build_task(recipe: Recipe) -> Task:
    """The task of the recipe's objective."""
    tasks = {"distillation": distillation_task, "captioning": captioning_task}
    return tasks[recipe.objective](recipe)


def distillation_task(recipe: Recipe) -> Task:
    """A trunk that answers like the teacher on the same crop; keeps trunk.safetensors."""
    config = PRESETS[recipe.preset]().image
    path = Path(recipe.data.root) / recipe.teacher
    teacher = ImageTeacher(path)
    trunk, statistics = create_trunk(config), pixel_statistics(config)
    model = TrunkDistillation(trunk, statistics.size, teacher.size, teacher.map_shapes, teacher.classes)

    def keep(output: Path) -> None:
        save_file(trunk.state_dict(), output / "trunk.safetensors")

    def example(augment: Augment | None) -> DistillationExample:
        return DistillationExample(path, statistics, model.grids, augment)

    return Task(model, Distillation(), example, default_collate, keep)


def captioning_task(recipe: Recipe) -> Task:
    """The whole model, end to end; keeps it as a model folder in fp16."""
    model, processor = caption_model(recipe)
    if recipe.optimiser.trunk_rate == 0:
        model.image_encoder.freeze()
    statistics = pixel_statistics(model.config.image)

    def example(augment: Augment | None) -> CaptionExample:
        return CaptionExample(processor.tokenizer, statistics, augment, recipe.captions)

    def keep(output: Path) -> None:
        copy.deepcopy(model).half().save_pretrained(output)
        processor.save_pretrained(output)

    return Task(model, Captioning(recipe.smoothing), example, PadText(processor.tokenizer.pad_token_id), keep)


def caption_model(recipe: Recipe) -> tuple[MMMemGPTForConditionalGeneration, MMMemGPTProcessor]:
    """The model of the recipe's `start`, or a fresh one of its preset with the recipe's trunk."""
    if recipe.start is not None:
        model = MMMemGPTForConditionalGeneration.from_pretrained(recipe.start, dtype=torch.float32)
        return model, MMMemGPTProcessor.from_pretrained(recipe.start)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(recipe.tokenizer)
    model = MMMemGPTForConditionalGeneration(PRESETS[recipe.preset](vocab_size=len(tokenizer)))
    if recipe.trunk is not None:
        model.image_encoder.trunk.load_state_dict(load_file(recipe.trunk))
    return model, MMMemGPTProcessor.build(model.config, tokenizer)
