"""Every kind of task adapter on TREC: accuracy, parameters that learn, and seconds, over one backbone.

    python benchmarks/adapters.py --data ../shared/data

Notable: the backbone is frozen, so that the adapters are what differs; the last row is the recipe as it stands, where
the backbone learns too. Validation chooses the checkpoint of each; test is read once a row.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from mm_memgpt.datasets.table import read_table
from mm_memgpt.tasks.adapters import ADAPTERS, AdapterConfig
from mm_memgpt.tasks.model import read_task_model
from mm_memgpt.training.finetune import finetune, predict_all
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.training.recipe import read_recipe

RECIPE = Path(__file__).parents[1] / "recipes" / "trec.yaml"
EPOCHS = 10


def rows(arguments: argparse.Namespace) -> dict[str, FinetuneRecipe]:
    """The runs, by name."""
    data = arguments.data / "text" / "trec"
    recipe = replace(read_recipe(RECIPE, None, FinetuneRecipe), train=str(data / "train.parquet"))
    frozen = replace(recipe, tuning="frozen", epochs=EPOCHS, rate=None, checkpoints=2)
    kinds = {f"{kind}, frozen": replace(frozen, adapter=AdapterConfig(kind=kind)) for kind in ADAPTERS}
    kinds["linear, lora"] = replace(recipe, tuning="lora", rate=None, checkpoints=2)
    kinds["linear, full"] = replace(recipe, checkpoints=2)
    return {name: replace(run, output=str(arguments.output / name.replace(", ", "_"))) for name, run in kinds.items()}


def measured(run: FinetuneRecipe, test: Path) -> dict[str, float]:
    """A run's figures; one that was measured before is not run again."""
    kept = Path(run.output) / "measured.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    started = time.process_time()
    validated = finetune(run)["eval_accuracy"]
    seconds = time.process_time() - started
    model, table = read_task_model(run.output), read_table(test)
    examples = [model.task.example(table, row) for row in range(len(table))]
    accuracy = model.task.score(predict_all(model, model.task, examples), examples).values["accuracy"]
    learned = [*model.adapter.parameters(), *model.head.parameters()]
    figures = {
        "validation": validated,
        "test": accuracy.value,
        "low": accuracy.low,
        "high": accuracy.high,
        "parameters": sum(value.numel() for value in learned),
        "core_seconds": round(seconds),
    }
    kept.write_text(json.dumps(figures))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("runs/adapters"), help="default: %(default)s")
    arguments = parser.parse_args()
    print("| adapter | validation | test (95 % interval) | parameters of adapter and output | training, core-seconds |")
    print("|---|---:|---:|---:|---:|")
    for name, run in rows(arguments).items():
        figures = measured(run, arguments.data / "text" / "trec" / "test.parquet")
        interval = f"{figures['test']:.3f} ({figures['low']:.3f} to {figures['high']:.3f})"
        print(
            f"| {name} | {figures['validation']:.3f} | {interval} | {figures['parameters']:,} "
            f"| {figures['core_seconds']} |"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
