"""Cells as what models take: text, words, numbers, labels, photos and sounds; each says where it cannot be one.

Notable: text stays as it is, to the last combining mark; labels are text, whatever they were, so that a class has one
name in a CSV, a JSON and a Parquet file.

t samples
"""

import json
import math
import unicodedata
from collections.abc import Sequence
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from mm_memgpt.datasets import sound
from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.types import InputError

_SEEN = frozenset("LNPS")
"""Unicode's letters, numbers, punctuation and symbols; marks, separators and controls alone cannot be read."""


def as_text(value: Any, place: str, column: str) -> str:
    """A string as it is, or a number as text.

    Raises:
        InputError: nothing there, no text, no character to be seen, or half a character.
    """
    text = value if isinstance(value, str) else _scalar(value, place, column, "text")
    if not any(unicodedata.category(character)[0] in _SEEN for character in text):
        raise InputError(f"{place}: empty text in {column}; write one, or leave the row out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise InputError(f"{place}: half a character ({half}) in {column}; write the text again, as UTF-8") from None
    return text


def as_texts(value: Any, place: str, column: str) -> tuple[str, ...]:
    """A list of strings; in a cell of text, a JSON list or one string; none where the cell is empty.

    Raises:
        InputError: as `as_text`, for any of them.
    """
    values = _list(value) if isinstance(value, str) else value
    if values is None:
        return ()
    values = values if isinstance(values, (list, tuple)) else [values]
    return tuple(as_text(one, place, column) for one in values)


def as_words(value: Any, place: str, column: str) -> tuple[str, ...]:
    """A list of strings, or a string split at white space.

    Raises:
        InputError: nothing there, or not these.
    """
    if value is None:
        raise _missing(place, column)
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        raise InputError(f"{place}: {_short(value)} in {column} is no list of words; give a list of strings")
    if wrong := [word for word in words if not isinstance(word, str) or not word]:
        raise InputError(f"{place}: {_short(wrong[0])} in {column} is no word; give a list of strings")
    if not words:
        raise InputError(f"{place}: no word in {column}; write some, or leave the row out")
    return tuple(words)


def check_tags(words: Sequence[str], tags: Sequence[str], place: str) -> None:
    """Checks that each word has a tag. Raises InputError with both numbers."""
    if len(words) != len(tags):
        raise InputError(f"{place}: {len(words)} words and {len(tags)} tags; give each word one tag")


def as_number(value: Any, place: str, column: str) -> float:
    """A number, or one that a text spells.

    Raises:
        InputError: nothing there, no number, or one that is not finite.
    """
    if value is None or value == "":
        raise _missing(place, column)
    try:
        if isinstance(value, bool) or not isinstance(value, (str, Real)):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise InputError(f"{place}: {_short(value)} in {column} is no number; write it as 4.5") from None
    if not math.isfinite(number):
        raise InputError(f"{place}: {number} in {column} is not finite; give a number, or leave the row out")
    return number


def as_label(value: Any, place: str, column: str) -> str:
    """The name of a class: 1 is "1", True "true", " pos" "pos".

    Raises:
        InputError: nothing there, or a list or the like.
    """
    label = _scalar(value, place, column, "label").strip()
    if not label:
        raise _missing(place, column)
    return label


def as_image(value: Any, place: str, column: str, folder: Path | None) -> Image.Image:
    """Bytes, a struct {bytes, path}, or a path from the folder on, as an RGB image, upright.

    Raises:
        InputError: nothing there, or a photo that cannot be used.
    """
    content, name = _content(value, place, column, folder)
    return as_photo(content, name)


def as_sound(value: Any, place: str, column: str, folder: Path | None) -> Tensor:  # (t,)
    """Bytes, a struct {bytes, path}, or a path from the folder on, as mono samples at 16 kHz.

    Raises:
        InputError: nothing there, or a sound that cannot be used.
    """
    content, name = _content(value, place, column, folder)
    return sound.as_sound(content, name=name)


def _content(value: Any, place: str, column: str, folder: Path | None) -> tuple[Any, str]:
    """What a cell's photo or sound is read from, and what an error calls it."""
    if isinstance(value, dict):
        value = value.get("path") if value.get("bytes") is None else value["bytes"]
    if value is None or value == "":
        raise _missing(place, column)
    if not isinstance(value, (str, PathLike)):
        return value, place
    path = Path(value)
    if folder is None and not path.is_absolute():
        raise InputError(f"{place}: {str(path)!r} in {column} starts from no folder; give a full path")
    return path if folder is None else folder / path, f"{place}, {path}"


def _scalar(value: Any, place: str, column: str, role: str) -> str:
    """A single value as text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise _missing(place, column)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, Real)):
        return str(value)
    raise InputError(f"{place}: {_short(value)} in {column} is no {role}; give a string or a number")


def _list(text: str) -> Any:
    """The list that a cell of text spells in JSON, or the text; None where it is empty."""
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text if text.strip() else None


def _missing(place: str, column: str) -> InputError:
    return InputError(f"{place}: nothing in {column}; fill it in, or leave the row out")


def _short(value: Any) -> str:
    """A value for a message, cut where it is long."""
    said = repr(value)
    return said if len(said) <= 40 else f"{said[:37]}..."
