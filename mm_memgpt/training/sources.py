"""Where a recipe's sources lie, and their readers."""

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Subset

from mm_memgpt.datasets.base import is_hub, is_remote, read
from mm_memgpt.training.recipe import Source
from mm_memgpt.types import Sample


def reader_of(root: str, source: Source) -> Sequence[Sample]:
    """The reader of a recipe's source."""
    images = None if source.images is None else Path(root) / source.images
    rows = read(place(root, source.path), split=source.split, images=images, where=source.where, **source.columns)
    if source.spare is None and source.spared is None:
        return rows
    numbers = range(0, len(rows), source.spared or 1)
    return Subset(rows, [row for row in numbers if source.spare is None or row % source.spare])


def place(root: str, path: str) -> str | Path:
    """A path below `root`; an address or the name of a hub dataset as it is."""
    return path if is_hub(path) or is_remote(path) else Path(root) / path
