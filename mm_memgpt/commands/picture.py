"""Where a command draws to: an SVG file.

Notable: the place is looked at before anything is asked, so that no answer is lost to a slip in a path.
"""

from pathlib import Path

from mm_memgpt.types import InputError


def svg_at(path: str) -> Path:
    """The file that a picture goes into.

    Raises:
        InputError: it is named otherwise, or cannot be in that place.
    """
    file = Path(path)
    if file.suffix.lower() != ".svg":
        raise InputError(f"{path}: the picture is an SVG; name it something.svg")
    if file.is_dir() or not file.parent.is_dir():
        what = "a folder" if file.is_dir() else f"no folder {file.parent}"
        raise InputError(f"{path}: {what}; name a file in a folder that is there")
    return file
