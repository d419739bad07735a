"""The measured parts of a model card: what the model is made of, what training it took, what it can do and what not.

n photos
"""

import json
from pathlib import Path

import numpy as np
from torch import nn

from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.types import InputError

EXAMPLES = 6
"""Captions shown of the best, and as many of the worst."""


def parts_table(model: nn.Module) -> str:
    """Parameters of each part of the model, and of the whole."""
    rows = [
        (name.replace("_", " "), sum(parameter.numel() for parameter in part.parameters()))
        for name, part in model.named_children()
    ]
    rows.append(("all", sum(parameter.numel() for parameter in model.parameters())))
    return "\n".join(["| part | parameters |", "|---|---|", *(f"| {name} | {count:,} |" for name, count in rows)])


def runs_table(reports: list[Path]) -> str:
    """What each training run took, from the report.json that it left; the run is called as its folder.

    Raises:
        InputError: a file is missing or is no report.
    """
    lines = ["| run | samples | seconds | validation loss | hardware |", "|---|---|---|---|---|"]
    for path in reports:
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            figures = (report["samples"], report["seconds"], report["eval_loss"], report["hardware"])
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{path}: not a training run's report.json ({error}); name those of the runs") from None
        lines.append("| {} | {:,} | {:,} | {:.3f} | {} |".format(path.resolve().parent.name, *figures))
    return "\n".join(lines)


def figures_table(figures: dict[str, Score], notes: list[str]) -> str:
    """Each figure with its 95% interval, and notes under the table."""
    rows = [f"| {name} | {value:.3f} | {low:.3f} to {high:.3f} |" for name, (value, low, high) in figures.items()]
    return "\n".join(["| figure | value | 95 % interval |", "|---|---|---|", *rows, "", *notes])


def examples_table(sources: list[str], captions: list[str], confidence: np.ndarray, quality: np.ndarray) -> str:
    """The best and the worst captions by their quality (n,), side by side with how sure the model was of each."""
    order = np.argsort(-quality, kind="stable")
    lines = ["| photo | caption | confidence | CIDEr |", "|---|---|---|---|"]
    for row in [*order[:EXAMPLES], *order[-EXAMPLES:]]:
        lines.append(f"| {sources[row]} | {captions[row]} | {confidence[row]:.2f} | {quality[row]:.2f} |")
    return "\n".join(lines)
