"""`mm-memgpt evaluate TASK`: how right a model of finetune is on a table with known answers.

Notable: a row that cannot be used, and a label that training had not, are said on standard error and make the exit
status 1; such a label counts as wrong, because it was.
"""

import json
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.output import results
from mm_memgpt.commands.predict import cut_line
from mm_memgpt.commands.predictions import Said, as_json, plain
from mm_memgpt.datasets.table import read_table
from mm_memgpt.evaluation.figures import write_confusion, write_per_class
from mm_memgpt.evaluation.plots import figure_class
from mm_memgpt.evaluation.tables import as_table, per_class_table
from mm_memgpt.task_pipeline import Measured, TaskPipeline, load_task
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Predicts and scores; the figures go to standard output.

    Raises:
        InputError: a model of another task, a table that cannot be read, or no row of it.
    """
    if arguments.plots is not None:
        figure_class()
    model = load_task(arguments.model, arguments.device)
    if model.task.name != arguments.task:
        name = model.task.name
        raise InputError(f"{arguments.model}: a model of {name}; say mm-memgpt evaluate {name}")
    started = time.monotonic()
    found = model.measure(
        read_table(arguments.data, split=arguments.split, encoding=arguments.encoding), arguments.batch
    )
    seconds = round(time.monotonic() - started, 1)
    say_odd(model, found)
    print(json.dumps(figures(found, seconds)) if arguments.format == "json" else table(found, seconds))
    if arguments.predictions is not None:
        write_predictions(arguments.predictions, found)
    if arguments.plots is not None:
        write_plots(arguments.plots, found)
    return 1 if found.skipped or found.unseen else 0


def say_odd(model: TaskPipeline, found: Measured) -> None:
    """A line on standard error for each row that was skipped, and for what else the figures rest on."""
    for error in found.skipped:
        print(error_line(error), file=sys.stderr)
    if found.skipped:
        rows = len(found.skipped) + len(found.examples)
        print(f"skipped {len(found.skipped)} of {rows} rows; the figures are of the others", file=sys.stderr)
    if found.unseen:
        labels = ", ".join(sorted(found.unseen)[:10]) + (", ..." if len(found.unseen) > 10 else "")
        rows = f"{found.unseen.total()} of {len(found.examples)} rows"
        print(error_line(f"{rows} have a label that training had not ({labels}); they count as wrong"), file=sys.stderr)
    if cut := sum("left_out" in prediction.details for prediction in found.predictions):
        print(cut_line(model, cut), file=sys.stderr)


def figures(found: Measured, seconds: float) -> dict[str, Any]:
    """Each figure as {value, low, high}, then those of each class, and the counts."""
    said: dict[str, Any] = {name: score._asdict() for name, score in found.scores.values.items()}
    if found.scores.per_class is not None:
        said["per_class"] = plain(found.scores.per_class)
    if found.scores.matrix is not None:
        said |= {"labels": list(found.scores.per_class), "confusion_matrix": found.scores.matrix.tolist()}
    return said | {"rows": len(found.examples), "skipped": len(found.skipped), "seconds": seconds}


def table(found: Measured, seconds: float) -> str:
    """The figures with their intervals, then those of each class, then the counts."""
    parts = [as_table(found.scores.values)]
    if found.scores.per_class is not None:
        parts.append(per_class_table(found.scores.per_class))
    return "\n\n".join([*parts, f"{len(found.examples)} rows, {seconds} s"])


def write_predictions(path: str, found: Measured) -> None:
    """A JSON line a row: where it stands, what is right and what was said."""
    with results(
        "json", path, {"json": lambda stream: lambda row: print(json.dumps(row, ensure_ascii=False), file=stream)}
    ) as write:
        for example, prediction in zip(found.examples, found.predictions, strict=True):
            write(as_json(Said(example.place, prediction)) | {"target": plain(example.target)})


def write_plots(folder: str, found: Measured) -> None:
    """The pictures that the task's figures can be drawn as."""
    scores, written = found.scores, []
    if scores.matrix is not None:
        written.append(write_confusion(Path(folder), scores.matrix, list(scores.per_class)))
    if scores.per_class:
        written += write_per_class(Path(folder), scores.per_class)
    for path in written:
        print(f"wrote {path}", file=sys.stderr)
    if not written:
        print("nothing to plot: this task has no classes", file=sys.stderr)
