"""`mm-memgpt pretrain`: a language model from texts, and captioned photos, or a reader of long text, by a recipe."""

from argparse import Namespace
from contextlib import suppress
from pathlib import Path

import yaml

from mm_memgpt.training.long_text import train_file
from mm_memgpt.training.pretrain import pretrain_file


def run(arguments: Namespace) -> int:
    """Runs the recipe and prints the last validation figures.

    Raises:
        InputError: a bad recipe, data or backbone, or an output folder that holds another run.
        ImportError: a package that only training needs is not installed.
    """
    begin = train_file if reads_long_text(arguments.recipe) else pretrain_file
    figures = begin(arguments.recipe, arguments.set, arguments.resume)
    print(" ".join(f"{name}={value:.4g}" for name, value in figures.items()))
    return 0


def reads_long_text(path: str) -> bool:
    """Whether a recipe says how long text is read; what is wrong with one is said when it is read."""
    with suppress(OSError, ValueError, yaml.YAMLError):
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return isinstance(values, dict) and "reads" in values
    return False
