"""The pictures that `caption --explain` writes: a strip a photo, in a folder made where it is missing.

Notable: a strip is called after its photo and the digest of the photo's full path, so that photos of one name from
several folders cannot meet, and a second run replaces its own strips alone.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from mm_memgpt.datasets.files import reason
from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.explain.overlay import strip
from mm_memgpt.kinds import kind_of
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.types import Caption, InputError

DIGITS = 12
"""Hexadecimal digits of the path's digest: among a million photos, two meet once in 560 runs."""
LONGEST = 60
"""Letters of the photo's own name at most: a file name has an end."""


def make_folder(folder: str, inputs: Sequence[str]) -> Path:
    """The folder for the strips, made with those above it where it is missing.

    Raises:
        InputError: it cannot be made, is a file, or lies where the next run would take the strips for photos.
    """
    for captioned in filter(os.path.isdir, inputs):
        if Path(folder).resolve().is_relative_to(Path(captioned).resolve()):
            raise InputError(f"{folder}: lies in {captioned}, whose photos are captioned; name a folder beside it")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: no folder can be made there ({reason(error)}); name another") from None
    return Path(folder)


def strip_path(folder: Path, path: str) -> Path:
    """Where the strip of the photo at `path` goes."""
    digest = hashlib.sha256(os.fsencode(os.path.abspath(path))).hexdigest()[:DIGITS]
    stem = re.sub(r"[^\w.-]", "_", Path(path).stem, flags=re.ASCII)[:LONGEST]
    return folder / f"{stem}-{digest}.png"


def write_strip(model: Pipeline, folder: Path, path: str, caption: Caption) -> InputError | None:
    """Explains a photo's caption and writes the strip, or says why it could not."""
    if (kind := kind_of(path)) != "photo":
        return InputError(f"{path}: a {kind}, and only photos are explained; leave out --explain for the others")
    target = strip_path(folder, path)
    try:
        strip(as_photo(path), model.explain(path, caption)).save(target)
    except InputError as error:
        return error
    except OSError as error:
        return InputError(f"{target}: cannot be written ({reason(error)}); name another folder")
    return None
