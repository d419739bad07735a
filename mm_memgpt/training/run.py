"""A recipe to a trained part, by the one loop: `mm-memgpt train`, `pretrain` and `finetune`.

Notable: the best checkpoint by validation is what is kept, by its loss unless the task measures something better; a run
that was killed while it wrote a checkpoint resumes from the one before.
"""

import json
import math
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import TrainingArguments, set_seed

from mm_memgpt.datasets.base import stream as open_stream
from mm_memgpt.training.mixture import Examples
from mm_memgpt.training.recipe import Optimiser, Recipe, read_recipe
from mm_memgpt.training.rows import RowExamples
from mm_memgpt.training.skipped import Skipped
from mm_memgpt.training.sources import place, reader_of
from mm_memgpt.training.stream import FixedSamples, SampleStream, StreamedSamples, Transform
from mm_memgpt.training.task import Task
from mm_memgpt.training.tasks import build_task
from mm_memgpt.training.trainer import RecipeTrainer
from mm_memgpt.types import InputError, Sample


def train(recipe_path: str | Path, overrides: list[str] | None = None, resume: bool = False) -> dict[str, float]:
    """Runs a recipe to its end and keeps the best weights; returns the last validation figures.

    Raises:
        InputError: a bad recipe, missing or broken data, nothing to resume, or an output folder that holds another run.
        ImportError: a package that only training needs is not installed; the message names the extra.
    """
    recipe = read_recipe(recipe_path, overrides)

    def build(skipped: Skipped) -> tuple[Task, Samples, Samples]:
        task = build_task(recipe)
        return task, *(samples_of(recipe, task, skipped) if task.examples is None else task.examples(skipped))

    return run(recipe, build, resume)


class Running(Protocol):
    """What a recipe of any kind says of its run."""

    output: str
    seed: int
    checkpoints: int
    workers: int

    @property
    def optimiser(self) -> Optimiser: ...


Samples = SampleStream | StreamedSamples | FixedSamples | Examples | RowExamples
"""What is learned from, or validated on."""


def run(
    recipe: Running, build: Callable[[Skipped], tuple[Task, Samples, Samples]], resume: bool = False
) -> dict[str, float]:
    """Runs a task to its end and keeps the best weights; returns the last validation figures.

    Args:
        recipe: where it goes and how long it takes.
        build: the task, with the samples of training and validation; it is told whom to tell of broken samples.
        resume: whether to go on from the last checkpoint.

    Raises:
        InputError: nothing to resume, an output folder that holds another run, or what `build` finds wrong.
        ImportError: a package that only training needs is not installed; the message names the extra.
    """
    require_packages()
    set_seed(recipe.seed)
    output = Path(recipe.output)
    last = last_checkpoint(output)
    if resume and last is None:
        raise InputError(f"{output}: no checkpoint to resume; leave out --resume")
    if last is not None and not resume:
        raise InputError(f"{output}: holds checkpoints of an earlier run; add --resume or --set output=ANOTHER")
    skipped = Skipped(output / "skipped.jsonl")
    if not resume:
        skipped.path.unlink(missing_ok=True)  # of a run that ended before its first checkpoint
    task, stream, val = build(skipped)
    trainer = RecipeTrainer(
        task.model,
        training_arguments(recipe, len(stream), task.given, task.best),
        data_collator=task.collate,
        train_dataset=stream,
        eval_dataset=val,
        objective=task.objective,
        settings=recipe.optimiser,
        measure=task.measure,
    )
    started = time.monotonic()
    task.model.to(memory_format=torch.channels_last)  # convolves faster on a CPU, and on a GPU in half precision
    # sentences are short: on a CPU the plain kernel costs 49 core-milliseconds a photo, the fused one 70
    kernel = nullcontext() if torch.accelerator.is_available() else sdpa_kernel(SDPBackend.MATH)
    try:
        with kernel:
            trainer.train(resume_from_checkpoint=None if last is None else str(last))
    except InputError as error:  # from a worker process it comes wrapped in that one's traceback
        raise InputError(str(error).rstrip().rpartition("InputError: ")[2]) from error
    figures = trainer.evaluate()
    task.model.to("cpu", memory_format=torch.contiguous_format)
    output.mkdir(parents=True, exist_ok=True)
    task.keep(output)
    report = figures | {"samples": len(stream), "seconds": round(time.monotonic() - started), "resumed": resume}
    report |= {"skipped": skipped.all()}
    report |= {"hardware": f"{platform.machine()}, {torch.get_num_threads()} threads, {trainer.args.device.type}"}
    (output / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if report["skipped"]:
        print(f"skipped {counted(report['skipped'])}; see {output / 'report.json'}", file=sys.stderr)
    return figures


def samples_of(recipe: Recipe, task: Task, skipped: Skipped) -> tuple[SampleStream | StreamedSamples, FixedSamples]:
    """The samples of training and validation, as the task takes them."""
    stream = training_samples(recipe, task.transform(recipe.augment), skipped, task.readers)
    reader = reader_of(recipe.data.root, recipe.data.val)
    return stream, FixedSamples(reader, recipe.data.val_samples, task.transform(None), skipped)


def training_samples(
    recipe: Recipe, transform: Transform, skipped: Skipped, readers: Sequence[Sequence[Sample]] | None = None
) -> SampleStream | StreamedSamples:
    """The samples of the whole run, from readers or from streams; `readers` are those that a task has opened itself.

    Raises:
        InputError: a source is not there, or is not of its kind.
    """
    data, epochs = recipe.data, recipe.optimiser.epochs
    if not data.train[0].streaming:
        if readers is None:
            readers = [reader_of(data.root, source) for source in data.train]
        return SampleStream(readers, data.train, epochs, recipe.seed, transform, skipped)
    streams = [
        partial(open_stream, place(data.root, source.path), split=source.split, **source.columns)
        for source in data.train
    ]
    length = round(epochs * sum(source.samples for source in data.train))
    buffer = max(source.buffer for source in data.train)
    return StreamedSamples(streams, buffer, length, recipe.seed, transform, skipped)


def counted(skipped: list[str]) -> str:
    """How many samples were skipped, and the first of them."""
    more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return f"{len(skipped)} {'sample' if len(skipped) == 1 else 'samples'}: {'; '.join(skipped[:3])}{more}"


def training_arguments(recipe: Running, samples: int, given: str, best: str = "loss") -> TrainingArguments:
    """The recipe in the Trainer's words: one pass over the stream, which already holds all epochs."""
    settings = recipe.optimiser
    steps = max(1, math.ceil(samples / (settings.batch * settings.accumulate)))
    log_every, save_every = rhythm(steps, recipe.checkpoints)
    accelerated = torch.accelerator.is_available()
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
        use_cpu=not accelerated,  # otherwise bf16 is refused where there is no GPU
        seed=recipe.seed,
        data_seed=recipe.seed,
        eval_strategy="steps",
        eval_steps=save_every,
        save_strategy="steps",
        save_steps=save_every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{best}",
        greater_is_better=best != "loss",
        logging_steps=log_every,
        disable_tqdm=False,
        report_to=["tensorboard"],
        dataloader_num_workers=recipe.workers,
        dataloader_persistent_workers=recipe.workers > 0,
        dataloader_pin_memory=accelerated,
        remove_unused_columns=False,
        prediction_loss_only=True,
        label_names=[given],  # without a label that every batch has, the Trainer measures no loss
    )


def rhythm(steps: int, checkpoints: int) -> tuple[int, int]:
    """Every how many steps to log, at most 50, and to save.

    Each save falls on a log: a logged loss is the mean since the log before, and a resumed run would begin it anew.
    """
    every = max(1, steps // checkpoints)
    logs = math.ceil(every / 50)
    return every // logs, every // logs * logs


def last_checkpoint(output: Path) -> Path | None:
    """The newest checkpoint that was written to its end; trainer_state.json is what the Trainer writes last."""
    steps = {folder: folder.name.removeprefix("checkpoint-") for folder in output.glob("checkpoint-*")}
    numbered = {folder: int(step) for folder, step in steps.items() if step.isdecimal()}
    for folder in sorted(numbered, key=numbered.get, reverse=True):
        try:
            json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return folder
    return None


def require_packages() -> None:
    """Raises ImportError, which names the extra, unless the packages of the training loop are installed."""
    try:
        import accelerate  # noqa: F401
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise ImportError(f'training needs {error.name}: pip install "mm-memgpt[train]"') from error
