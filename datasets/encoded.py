"""A sample whose photo is still encoded: what a stream holds in its shuffle buffer and passes by without decoding."""

from typing import Any, NamedTuple

from mm_memgpt.datasets.photo import open_photo
from mm_memgpt.types import InputError, Sample


class Encoded(NamedTuple):
    """A Sample before its photo is decoded."""

    source: str
    photo: bytes | None
    captions: tuple[str, ...]
    text: str | None = None
    label: int | None = None

    def open(self) -> Sample:
        """The sample. Raises InputError, which names it, where its photo is broken."""
        photo = None if self.photo is None else open_photo(self.photo, self.source)
        return Sample(source=self.source, image=photo, captions=self.captions, text=self.text, label=self.label)


def strings(value: Any, source: str) -> tuple[str, ...]:
    """Captions as they stand in data: none, a string, strings, or objects that hold one under `raw` or `caption`.

    Raises:
        InputError: anything else.
    """
    values = value if isinstance(value, (list, tuple)) else [value]
    sentences = [one.get("raw", one.get("caption")) if isinstance(one, dict) else one for one in values]
    if wrong := [one for one in sentences if not isinstance(one, str | None)]:
        raise InputError(f"{source}: {wrong[0]!r} is no caption; give a string or a list of strings")
    return tuple(one.strip() for one in sentences if one and not one.isspace())
