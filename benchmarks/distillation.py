"""A student of few layers with a teacher and without: accuracy over seeds, what is kept, and what the teacher adds.

    python -m benchmarks.distillation --alone epochs=6 --write
    python -m benchmarks.distillation --alone epochs=6 --write --resume         goes on after a stop

Notable: both students begin with the same layers and differ in the teacher and, if it has one, its transfer set, in
whose place the student without may pass over its rows more often (`--alone`); validation chooses each one's checkpoint,
and test is read once a run; what the teacher adds is measured on the same sentences, so its interval is a paired one.

n test rows   s seeds
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from benchmarks.errors import tells_errors
from mm_memgpt.datasets.table import read_table
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.tasks.model import TaskModel, read_task_model
from mm_memgpt.training.finetune import finetune, predict_all
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.training.run import last_checkpoint

RECIPE = Path(__file__).parents[1] / "recipes" / "sst2_student.yaml"
TEACHER, TAUGHT, ALONE = "teacher", "taught", "alone"
NAMES = {TEACHER: "teacher", TAUGHT: "student with the teacher", ALONE: "the same student without"}
TIMED = 200
"""Test rows whose reading is timed, one at a time."""


def runs_of(given: argparse.Namespace) -> dict[str, FinetuneRecipe]:
    """The runs, by name: of each seed one with the teacher and one without."""
    taught, alone = (read_recipe(given.recipe, [*given.set, *more], FinetuneRecipe) for more in ([], given.alone))
    data = {"train": str(given.train or taught.train), "val": str(given.val or taught.val)}
    teacher = replace(taught.teacher, model=str(given.teacher))
    found = {}
    for seed in given.seeds:
        for name, recipe, who in ((TAUGHT, taught, teacher), (ALONE, alone, None)):
            key = f"{name}-{seed}"
            found[key] = replace(recipe, seed=seed, teacher=who, output=str(given.output / key), **data)
    return found


def tested(model: TaskModel, test: Path) -> dict:
    """What a model gets right of each test row, its size, and the milliseconds a row takes on one core."""
    table = read_table(test)
    examples = [model.task.example(table, row) for row in range(len(table))]
    said = predict_all(model, model.task, examples)
    started = time.process_time()
    for example in examples[:TIMED]:
        predict_all(model, model.task, [example])
    milliseconds = 1000 * (time.process_time() - started) / len(examples[:TIMED])
    return {
        "right": [int(one.value == example.target) for one, example in zip(said, examples, strict=True)],
        "parameters": sum(value.numel() for value in model.parameters()),
        "milliseconds": round(milliseconds, 2),
    }


def measured(name: str, run: FinetuneRecipe, test: Path, resume: bool) -> dict:
    """A run's figures; with `resume`, one that is done is not run again, and one that was stopped goes on."""
    output = Path(run.output)
    kept = output / "measured.json"
    if resume and kept.is_file():
        return json.loads(kept.read_text())
    started = time.process_time()
    validated = finetune(run, resume=resume and last_checkpoint(output) is not None)["eval_accuracy"]
    seconds = round(time.process_time() - started)
    figures = {"validation": validated, "core_seconds": seconds, **tested(read_task_model(output), test)}
    kept.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    print(f"{name}: validation {validated:.3f}, {seconds} core-seconds", file=sys.stderr, flush=True)
    return figures


def measure(given: argparse.Namespace) -> dict[str, dict]:
    """The teacher's figures and those of each run."""
    runs = runs_of(given)
    test = given.test or Path(next(iter(runs.values())).train).with_name("test.parquet")
    found = {TEACHER: tested(read_task_model(given.teacher), test)}
    return found | {name: measured(name, run, test, given.resume) for name, run in runs.items()}


def right(found: dict[str, dict], name: str) -> np.ndarray:
    """(n) how often each test row was right, of all seeds."""
    return np.mean([figures["right"] for key, figures in found.items() if key.partition("-")[0] == name], axis=0)


def kept(found: dict[str, dict], name: str) -> Score:
    """The share of the teacher's accuracy that students keep."""
    columns = np.column_stack([right(found, name), right(found, TEACHER)])
    return bootstrap(columns, lambda sums: sums[:, :1] / np.maximum(sums[:, 1:], 1))[0]


def added(found: dict[str, dict]) -> Score:
    """The accuracy that the teacher adds to a student."""
    ahead = right(found, TAUGHT) - right(found, ALONE)
    return bootstrap(np.column_stack([ahead, np.ones(len(ahead))]), lambda sums: sums[:, :1] / sums[:, 1:])[0]


def table(found: dict[str, dict]) -> list[str]:
    """The rows of the page, and two sentences."""
    lines = [
        "| model | parameters, M | ms a row, one core | training, core-seconds | validation | test, each seed | mean |"
    ]
    lines += ["|---|---:|---:|---:|---:|---:|---:|"]
    for name, title in NAMES.items():
        runs = [figures for key, figures in found.items() if key.partition("-")[0] == name]
        trained = [figures for figures in runs if "validation" in figures]
        cells = [
            title,
            f"{runs[0]['parameters'] / 1e6:.1f}",
            f"{mean(figures['milliseconds'] for figures in runs):.1f}",
            f"{mean(figures['core_seconds'] for figures in trained):.0f}" if trained else "see its recipe",
            ", ".join(f"{figures['validation']:.3f}" for figures in trained),
            ", ".join(f"{mean(figures['right']):.3f}" for figures in runs),
            f"{right(found, name).mean():.3f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    share, gain = kept(found, TAUGHT), added(found)
    lines += [
        "",
        f"The student with the teacher keeps {share.value:.1%} of its accuracy ({share.low:.1%} to {share.high:.1%}).",
    ]
    return [
        *lines,
        f"The teacher adds {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) to it, of the same rows.",
    ]


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--teacher", type=Path, default=Path("runs/sst2"), help="what recipes/sst2.yaml wrote")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="of the student with its teacher")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes a key of the recipe")
    parser.add_argument(
        "--alone", action="append", default=[], metavar="KEY=VALUE", help="likewise, of the student without a teacher"
    )
    parser.add_argument("--train", type=Path, help="rows to learn from; those of the recipe unless given")
    parser.add_argument("--val", type=Path, help="rows that choose the checkpoint, likewise")
    parser.add_argument("--test", type=Path, help="rows to measure; test.parquet beside the training rows unless given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[2026, 2027, 2028], help="default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("runs/distillation"), help="default: %(default)s")
    parser.add_argument("--resume", action="store_true", help="keep what is done, and go on with what was stopped")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    parser.add_argument(
        "--page", type=Path, default=Path("docs/benchmarks_distillation.md"), help="default: %(default)s"
    )
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lines = table(measure(given))
    print("\n".join(lines), flush=True)
    if given.write:
        replace_sections(given.page, {"distillation": "\n".join(lines)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
