"""What does a piece of sound cost to learn from, trunk by trunk: core-milliseconds, and what a budget allows.

    python -m benchmarks.sound_cost mobilenetv4_conv_small_050@64 lcnet_050@64      names and mel bands

Notable: times are a core's own, user and system, so other work on the machine changes them little; sounds are decoded
before the clock starts, because a run decodes each of them once; nothing is trained to any end.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mm_memgpt.config import AudioConfig
from mm_memgpt.encoders.audio import AudioEncoder
from mm_memgpt.encoders.audio_trunk import probe
from mm_memgpt.presets import PRESETS
from mm_memgpt.training.recipe import Recipe, read_recipe
from mm_memgpt.training.task import Task
from mm_memgpt.training.tasks import build_task
from mm_memgpt.training.trainer import parameter_groups
from mm_memgpt.types import InputError, Sample

ROWS, BATCHES, TIMED = 8, 6, 100
"""Samples of each source that are heard, batches, and times that the teacher is asked."""

HEAD = (
    "| trunk | mel bands | its map | its parameters / the encoder's, M | example, ms | of it the teacher | step, ms "
    "| together | pieces |",
    "|---|---:|---|---:|---:|---:|---:|---:|---:|",
)


def milliseconds(work: Callable[[], Any], times: int = 1) -> float:
    """Core time of one of `times` calls."""
    before = time.process_time()
    for _ in range(times):
        work()
    return 1000 * (time.process_time() - before) / times


def hear(task: Task, recipe: Recipe) -> tuple[list[dict], float, float]:
    """Batches of augmented pieces, the median cost of a piece, and that of the teacher alone."""
    task.readers[:] = [[reader[row] for row in range(min(ROWS, len(reader)))] for reader in task.readers]  # decoded
    example, size, generator = task.transform(recipe.augment), recipe.optimiser.batch, random.Random(recipe.seed)
    made: list[dict] = []

    def gather() -> None:
        drawn: list[Sample] = [generator.choice(generator.choice(task.readers)) for _ in range(size)]
        made.append(task.collate([example(sample, generator) for sample in drawn]))

    costs = [milliseconds(gather) / size for _ in range(BATCHES)]  # the first opens the teacher
    piece = made[0]["input_values"][0].numpy()
    return made, statistics.median(costs[1:]), milliseconds(lambda: example.teacher(piece), TIMED)


def learn(task: Task, recipe: Recipe, made: Sequence[dict]) -> float:
    """Median cost of learning from one piece: forward, backward and the weights' move, as in the training loop."""
    model = task.model.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(parameter_groups(model, recipe.optimiser), lr=recipe.optimiser.rate)

    def step(batch: dict) -> None:
        optimiser.zero_grad()
        task.objective(model, batch)["loss"].backward()
        nn.utils.clip_grad_norm_(model.parameters(), recipe.optimiser.clip)
        optimiser.step()

    costs = [milliseconds(lambda batch=batch: step(batch)) / len(batch["labels"]) for batch in made]
    return statistics.median(costs[1:])


def measure(name: str, bins: int, given: argparse.Namespace) -> str:
    """A row of the table.

    Raises:
        InputError: no data.
        ValueError: no such trunk.
    """
    recipe = read_recipe(given.recipe, [f"data.root={given.data}"])
    recipe.audio = replace(AudioConfig() if recipe.audio is None else recipe.audio, trunk=name, bins=bins)
    task, preset = build_task(recipe), PRESETS[recipe.preset]()
    made, example, teacher = hear(task, recipe)
    step = learn(task, recipe, made)
    encoder = AudioEncoder(recipe.audio, preset.width, preset.key_width)
    sizes = " / ".join(
        f"{sum(map(nn.Parameter.numel, part.parameters())) / 1e6:.2f}" for part in (encoder.trunk, encoder)
    )
    with torch.no_grad():
        shape = " x ".join(map(str, probe(encoder.trunk, recipe.audio).map.shape[1:]))
    pieces = given.minutes * 60_000 / (example + step)
    costs = " | ".join(f"{each:.2f}" for each in (example, teacher, step, example + step))
    return f"| {name} | {bins} | {shape} | {sizes} | {costs} | {pieces:,.0f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("trunks", nargs="+", help="name@mel bands, as in lcnet_050@64")
    parser.add_argument("--minutes", type=float, default=15, help="of one core, for the last column")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/ears.yaml"), help="how the ears learn")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for trunk in given.trunks:
        name, _, bins = trunk.rpartition("@")
        try:
            if not name or not bins.isdecimal() or int(bins) < 1:
                raise InputError(f"{trunk}: give a name, an @ and how many mel bands, as in lcnet_050@64")
            rows.append(measure(name, int(bins), given))
        except (ValueError, ImportError) as error:
            print(f"error: {error}", file=sys.stderr)
    print("\n".join([*HEAD, *rows]))
    return 0 if len(rows) == len(given.trunks) else 1


if __name__ == "__main__":
    sys.exit(main())
