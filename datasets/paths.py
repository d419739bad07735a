"""The files that a source stands for: a path, a pattern, names in braces, or a list of these.

Notable: a pattern's files come sorted, a list's in the order given, so that rows keep their numbers.
"""

from collections.abc import Sequence
from glob import glob, has_magic
from os import PathLike
from pathlib import Path

from mm_memgpt.types import InputError

Source = str | PathLike[str]


def find_paths(source: Source | Sequence[Source]) -> list[Path]:
    """The files and folders that a source stands for, at least one.

    Raises:
        InputError: an empty list, no such file, or no file of the pattern.
        ImportError: names in braces, without webdataset.
    """
    if not isinstance(source, (str, PathLike)):
        if paths := [path for one in source for path in find_paths(one)]:
            return paths
        raise InputError("an empty list of data files; give at least one")
    path = Path(source)
    if path.exists():
        return [path]
    if "{" in str(path):
        return [found for one in expand_braces(str(path)) for found in find_paths(one)]
    if not has_magic(str(path)):
        raise InputError(f"{path}: no such file or folder; check the path")
    if paths := [Path(match) for match in sorted(glob(str(path), recursive=True))]:
        return paths
    raise InputError(f"{path}: no file matches this pattern; check it")


def expand_braces(pattern: str) -> list[str]:
    """The names that braces stand for: three of "{000..002}.tar"."""
    try:
        from braceexpand import UnbalancedBracesError, braceexpand
    except ImportError as error:
        raise ImportError(f'{pattern}: names in braces need webdataset: pip install "mm-memgpt[train]"') from error
    try:
        names = list(braceexpand(pattern))
    except UnbalancedBracesError as error:
        raise InputError(f"{pattern}: {error}; write it as {{000..009}}") from None
    if names == [pattern] and "{" in pattern:
        raise InputError(f"{pattern}: no such file or folder; check the path")
    return names
