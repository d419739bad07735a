"""`mm-memgpt finetune`: a table to a model of a task, by a recipe."""

import sys
from argparse import Namespace

from mm_memgpt.training.finetune import finetune
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.training.recipe import read_recipe


def run(arguments: Namespace) -> int:
    """Runs the recipe and prints the last validation figures.

    Raises:
        InputError: a bad recipe, data or backbone, or an output folder that holds another run.
        ImportError: a package that only training needs is not installed.
    """
    recipe = read_recipe(arguments.recipe, arguments.set, FinetuneRecipe)
    figures = finetune(recipe, arguments.resume)
    print(" ".join(f"{name}={value:.4g}" for name, value in figures.items()))
    print(f"the model is in {recipe.output}; try mm-memgpt predict INPUT --model {recipe.output}", file=sys.stderr)
    return 0
