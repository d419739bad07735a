"""`mm-memgpt pretrain`: a language model from texts, and captioned photos, by a recipe."""

from argparse import Namespace

from mm_memgpt.training.pretrain import pretrain_file


def run(arguments: Namespace) -> int:
    """Runs the recipe and prints the last validation figures.

    Raises:
        InputError: a bad recipe, data or backbone, or an output folder that holds another run.
        ImportError: a package that only training needs is not installed.
    """
    figures = pretrain_file(arguments.recipe, arguments.set, arguments.resume)
    print(" ".join(f"{name}={value:.4g}" for name, value in figures.items()))
    return 0
