"""Where a recipe's sources lie, and their readers."""

from pathlib import Path

from mm_memgpt.datasets.base import Reader, is_hub, is_remote, read
from mm_memgpt.training.recipe import Source


def reader_of(root: str, source: Source) -> Reader:
    """The reader of a recipe's source."""
    images = None if source.images is None else Path(root) / source.images
    return read(place(root, source.path), split=source.split, images=images, where=source.where, **source.columns)


def place(root: str, path: str) -> str | Path:
    """A path below `root`; an address or the name of a hub dataset as it is."""
    return path if is_hub(path) or is_remote(path) else Path(root) / path
