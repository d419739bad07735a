"""What a user hands to a memory: what kind it is, what it is called, and the digest that tells it from what it was.

Notable: a file is called by its resolved path, so one file has one name wherever the user stands; what has no path and
no name is called by its content; the digest is read a block at a time, so a file may be of any length.
"""

import hashlib
import io
import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mm_memgpt.datasets.clip_source import is_live
from mm_memgpt.datasets.document import DOCUMENT_SUFFIXES
from mm_memgpt.kinds import is_sound_pair, kind_of
from mm_memgpt.types import InputError, Text

BLOCK = 1 << 20
"""Bytes of a file that are digested at a time."""

PREVIEW = 160
"""Longest side of a preview, in pixels."""

QUALITY = 75
"""Of a preview's JPEG."""

WHOLE = "."
"""Stands behind the digest of an item that was committed with the last of its source: all of the source is there."""


class Given(NamedTuple):
    """An input, known by its name and content."""

    value: Any
    kind: str
    """"photo", "sound", "clip", "text" or "document"."""
    name: str
    digest: str
    """Of its content; "" for a live stream, which is another each time, and for a text, which may be said again."""
    its_own: bool
    """Whether the name is the input's own, so that something else under it is another state of the same file."""


def given(value: Any, name: str | None = None) -> Given:
    """An input as `Memory.add` takes it, once what it is called and holds is known.

    Raises:
        InputError: a file that cannot be read.
    """
    kind, path = _kind(value), _path(value)
    if kind == "text":
        return Given(value, kind, name or f"note {digest([value.text.encode()])[:12]}", "", name is None)
    if isinstance(path, str) and is_live(path):
        return Given(value, kind, name or path, "", name is None)
    if path is not None:
        return Given(value, kind, name or called(path), digest(_blocks(path)), name is None)
    of_content = digest(_content(value))
    return Given(value, kind, name or f"{kind} {of_content[:12]}", of_content, name is None)


def called(path: str | PathLike[str]) -> str:
    """The name of a file as a source: its resolved path."""
    return str(Path(path).expanduser().resolve())


def single(value: Any) -> bool:
    """Whether this is one input, and no collection of inputs."""
    one = (str, PathLike, bytes, bytearray, memoryview, np.ndarray, Image.Image, Text, InputError)
    return isinstance(value, one) or is_sound_pair(value) or hasattr(value, "read") or not isinstance(value, Iterable)


def digest(blocks: Iterable[bytes]) -> str:
    """32 hexadecimal digits of the content."""
    found = hashlib.sha256()
    for block in blocks:
        found.update(block)
    return found.hexdigest()[:32]


def preview(photo: Image.Image) -> bytes:
    """A photo as a small JPEG."""
    small, content = photo.convert("RGB"), io.BytesIO()
    small.thumbnail((PREVIEW, PREVIEW))
    small.save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def _kind(value: Any) -> str:
    path = _path(value)
    if path is not None and Path(path).suffix.lower() in DOCUMENT_SUFFIXES:
        return "document"
    return kind_of(value)


def _path(value: Any) -> str | None:
    return os.fsdecode(value) if isinstance(value, (str, PathLike)) else None


def _blocks(path: str) -> Iterable[bytes]:
    if os.path.isdir(path):  # a folder of frames: its reader says whether it is one
        for file in sorted(Path(path).iterdir()):
            yield f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}".encode()
        return
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                yield block
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        said = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be opened ({said}); check the path and who may read it") from None


def _content(value: Any) -> Iterable[bytes]:
    """The content of what is no file."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        yield bytes(value)
    elif isinstance(value, Image.Image):
        yield f"{value.mode} {value.size}".encode()
        yield value.tobytes()
    elif is_sound_pair(value):
        samples = np.ascontiguousarray(value[0])
        yield f"{samples.dtype} {samples.shape} {value[1]}".encode()
        yield samples.tobytes()
    elif hasattr(value, "read"):
        begin = value.tell()
        yield value.read()
        value.seek(begin)
    else:
        array = np.ascontiguousarray(value)
        yield f"{array.dtype} {array.shape}".encode()
        yield array.tobytes()
