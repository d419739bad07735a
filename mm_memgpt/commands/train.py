"""`mm-memgpt train`: a part of a model, vectors of entities, or a reader of graph questions, by a recipe."""

from argparse import Namespace
from contextlib import suppress
from pathlib import Path

import yaml

from mm_memgpt.training import entities, paths
from mm_memgpt.training.entities_recipe import EntitiesRecipe
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.training.run import train

KINDS = {"questions": (paths.PathsRecipe, paths.train), "model": (EntitiesRecipe, entities.train)}
"""The recipe that has a key, and what runs it; the first that fits."""


def run(arguments: Namespace) -> int:
    """Runs the recipe and prints the last validation figures.

    Raises:
        InputError: a bad recipe or data, or an output folder that holds another run.
        ImportError: a package that only training needs is not installed.
    """
    keys = keys_of(arguments.recipe)
    found = next((kind for key, kind in KINDS.items() if key in keys), None)
    if found is None:
        figures = train(arguments.recipe, arguments.set, arguments.resume)
    else:
        kind, begin = found
        figures = begin(read_recipe(arguments.recipe, arguments.set, kind), arguments.resume)
    print(" ".join(f"{name}={value:.4g}" for name, value in figures.items()))
    return 0


def keys_of(path: str) -> set[str]:
    """The keys of a recipe; what is wrong with one is said when it is read."""
    with suppress(OSError, ValueError, yaml.YAMLError):
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return set(values) if isinstance(values, dict) else set()
    return set()
