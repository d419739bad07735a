"""`mm-memgpt train`: a part of a model, or vectors of entities, by a recipe."""

from argparse import Namespace
from contextlib import suppress
from pathlib import Path

import yaml

from mm_memgpt.training.entities import train_file
from mm_memgpt.training.run import train


def run(arguments: Namespace) -> int:
    """Runs the recipe and prints the last validation figures.

    Raises:
        InputError: a bad recipe or data, or an output folder that holds another run.
        ImportError: a package that only training needs is not installed.
    """
    begin = train_file if learns_entities(arguments.recipe) else train
    figures = begin(arguments.recipe, arguments.set, arguments.resume)
    print(" ".join(f"{name}={value:.4g}" for name, value in figures.items()))
    return 0


def learns_entities(path: str) -> bool:
    """Whether a recipe names a model of entities; what is wrong with one is said when it is read."""
    with suppress(OSError, ValueError, yaml.YAMLError):
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return isinstance(values, dict) and "model" in values
    return False
