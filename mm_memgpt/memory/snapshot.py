"""A memory as a file: the tensors of its state in safetensors, with the geometry of the bank they belong to.

Notable: a file is written beside its place and renamed into it, so a reader finds the old memory or the new one and
never half of one; only safetensors are read, because unpickling runs code.
"""

import os
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from mm_memgpt.memory.geometry import Geometry
from mm_memgpt.memory.whole_file import written_whole
from mm_memgpt.types import InputError, MemoryState

FORMAT = {"format": "mm_memgpt memory", "version": "1"}
"""What marks a file as a memory. The version rises when older files can no longer be read as they are."""

PICKLES = (b"\x80", b"PK")
"""First bytes of a pickle and of the zip archives that PyTorch puts pickles in."""


def write_snapshot(path: str | os.PathLike, state: MemoryState, geometry: Geometry) -> None:
    """Writes a state to a file, whole or not at all.

    Raises:
        InputError: the file cannot be written; one that was there before is as it was.
    """
    path = Path(path)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state._asdict().items()}
    content = save(tensors, FORMAT | {name: str(value) for name, value in asdict(geometry).items()})
    try:
        with written_whole(path) as file:
            file.write(content)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); give a file in a folder you may write to, with room left"
        ) from error


def read_snapshot(path: str | os.PathLike, geometry: Geometry) -> MemoryState:
    """The state in a file, on the CPU.

    Raises:
        InputError: no such file, no memory in it, a memory of another version or of a bank of another geometry, or
            a tensor that is missing, left over or not of the shape and dtype due.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            first = file.read(2)
        with safe_open(path, framework="pt") as file:
            _check_header(path, file.metadata() or {}, set(file.keys()), geometry)
            state = MemoryState(**{name: file.get_tensor(name).clone() for name in MemoryState._fields})
        geometry.check_state(state)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file that save wrote") from error
    except SafetensorError as error:  # asked only now: a header's length may begin with the same bytes as a pickle
        if first.startswith(PICKLES):
            raise InputError(
                f"{path}: a pickle, which can run code; only safetensors are read, so save the memory again"
            ) from error
        raise InputError(f"{path}: truncated, or not a safetensors file ({error}); restore or rebuild it") from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    return state


def _check_header(path: Path, metadata: dict[str, str], names: set[str], geometry: Geometry) -> None:
    if metadata.get("format") != FORMAT["format"]:
        raise InputError(f"{path}: safetensors, but not a memory; give a file that save wrote")
    if metadata.get("version") != FORMAT["version"]:
        raise InputError(
            f"{path}: format version {metadata.get('version')}, where {FORMAT['version']} is read; "
            "read it with the mm_memgpt that wrote it"
        )
    saved = ", ".join(f"{name}={metadata.get(name)}" for name in asdict(geometry))
    if saved != str(geometry):
        raise InputError(f"{path}: of a bank with {saved}, where this one has {geometry}; build the bank alike")
    for what, odd in (("missing", set(MemoryState._fields) - names), ("unknown", names - set(MemoryState._fields))):
        if odd:
            raise InputError(f"{path}: {what} tensor {', '.join(sorted(odd))}; restore or rebuild the file")
