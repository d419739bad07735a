"""The folder of a trained task: the file that says what it is."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from mm_memgpt.types import InputError

TASK_FILE = "task.json"
VERSION = 1


def is_task_folder(place: str | PathLike) -> bool:
    """Whether a model of a task was saved there."""
    return (Path(place) / TASK_FILE).is_file()


def read_said(folder: Path) -> dict[str, Any]:
    """What the file of a folder says.

    Raises:
        InputError: it is not there, no JSON, or of another version.
    """
    path = folder / TASK_FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a folder that finetune wrote") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); train the model again") from None
    if not isinstance(said, dict) or said.get("version") != VERSION:
        version = said.get("version") if isinstance(said, dict) else None
        raise InputError(f"{path}: version {version} where {VERSION} is due; train it again")
    return said


def write_said(folder: Path, said: Mapping[str, Any]) -> None:
    """Writes the file of a folder."""
    text = json.dumps({"version": VERSION, **said}, indent=2, ensure_ascii=False) + "\n"
    (folder / TASK_FILE).write_text(text, encoding="utf-8")
