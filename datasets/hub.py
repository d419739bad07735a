"""Any dataset that Hugging Face `datasets` can load: by hub name, saved to disk, or in a folder it knows how to read.

Notable: the only file that imports that library; photos leave it encoded, so that they are decoded where every other
photo is, after the pixel limit; columns are taken by name, or by the names captions and photos usually have.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_memgpt.datasets.encoded import Encoded, strings
from mm_memgpt.datasets.files import reason
from mm_memgpt.types import InputError, Sample

if TYPE_CHECKING:
    from datasets import Dataset, Features, IterableDataset

SCHEME = "hub:"
"""What a dataset's name begins with here: "hub:owner/name", "hub:owner/name:configuration", "hub:./folder"."""

USUAL = {
    "image": ("image", "img", "photo", "picture", "jpg", "png"),
    "captions": ("captions", "caption", "sentences", "sentence", "raw", "txt"),
    "text": ("text",),
    "label": ("label", "labels", "fine_label"),
}
"""Names that a column of each role usually has; the first that is there is taken."""


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


class HubReader:
    """One split of a dataset as a sequence of Samples; rows count from 0.

    Raises:
        InputError: no such dataset or split, several splits and none chosen, or no column to read.
        ImportError: Hugging Face datasets is not installed.
    """

    def __init__(self, name: str, columns: Mapping[str, str] | None = None, split: str | None = None) -> None:
        self.name = name
        self.rows, self.columns = _load(name, columns or {}, split, streaming=False)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        row = range(len(self))[index]
        return _encoded(f"{self.name}:{row}", self.rows[row], self.columns).open()

    def texts(self) -> Iterator[str]:
        """All captions and texts. No photo is read."""
        wanted = {role: column for role, column in self.columns.items() if role in ("captions", "text")}
        for number, row in enumerate(self.rows.select_columns(list(wanted.values()))):
            encoded = _encoded(f"{self.name}:{number}", row, wanted)
            yield from encoded.captions
            yield from [] if encoded.text is None else [encoded.text]


def stream_hub(name: str, columns: Mapping[str, str], split: str | None) -> Iterator[Encoded | InputError]:
    """The rows of a dataset from its first on, without loading it whole."""
    rows, columns = _load(name, columns, split, streaming=True)
    for number, row in enumerate(rows):
        try:
            yield _encoded(f"{name}:{number}", row, columns)
        except InputError as error:
            yield error


def _load(
    name: str, columns: Mapping[str, str], split: str | None, streaming: bool
) -> "tuple[Dataset | IterableDataset, dict[str, str]]":
    rows = load_rows(name, split, streaming)
    return rows, _columns(name, rows.features, columns)


def load_rows(name: str, split: str | None = None, streaming: bool = False) -> "Dataset | IterableDataset":
    """The rows of one split as they are; photos and sounds stay encoded, as {bytes, path}.

    Raises:
        InputError: no such dataset or split, or several splits and none chosen.
        ImportError: Hugging Face datasets is not installed.
    """
    try:
        from datasets import Audio, Image, get_dataset_split_names, load_dataset, load_from_disk
    except ImportError as error:
        raise ImportError(f'reading {name} needs Hugging Face datasets: pip install "mm-memgpt[train]"') from error
    place, _, configuration = name.removeprefix(SCHEME).partition(":")
    try:
        if is_saved(Path(place)):
            rows = load_from_disk(place)
            splits = list(rows) if isinstance(rows, dict) else []
            chosen = _chosen(name, splits, split)
            rows = rows if chosen is None else rows[chosen]
            rows = rows.to_iterable_dataset() if streaming else rows
        else:
            splits = get_dataset_split_names(place, configuration or None)
            chosen = _chosen(name, splits, split)
            rows = load_dataset(place, configuration or None, split=chosen, streaming=streaming)
    except InputError:
        raise
    except Exception as error:  # the library has no common ground for what a builder, a file or a network may raise
        ways = "give a folder that is here, or a hub name (hub:owner/name) where the hub can be reached"
        raise InputError(f"{name}: cannot be loaded ({reason(error)[:200]}); {ways}") from None
    for column, kind in (rows.features or {}).items():
        if isinstance(kind, (Audio, Image)):
            rows = rows.cast_column(column, type(kind)(decode=False))
    return rows


def _chosen(name: str, splits: list[str], split: str | None) -> str | None:
    known = ", ".join(splits)
    if split is not None and split not in splits:
        has = f"it has {known}" if splits else "it has none: leave the split out"
        raise InputError(f"{name}: no split {split!r}; {has}")
    if split is None and len(splits) > 1:
        raise InputError(f"{name}: has the splits {known}; choose one: split")
    return split or (splits[0] if splits else None)


def _columns(name: str, features: "Features | None", named: Mapping[str, str]) -> dict[str, str]:
    """Role to column, for the roles that the dataset fills."""
    names = list(features or {})
    if unknown := sorted(named.keys() - USUAL.keys()):
        raise InputError(f"{name}: no column can be {unknown[0]!r}; known: {', '.join(USUAL)}")
    if missing := [column for column in named.values() if column not in names]:
        raise InputError(f"{name}: no column {missing[0]!r}; it has {', '.join(names)}")
    columns = {role: next((u for u in usual if u in names), None) for role, usual in USUAL.items()} | dict(named)
    found = {role: column for role, column in columns.items() if column is not None}
    if found.keys() <= {"label"}:
        raise InputError(f"{name}: no column for image, captions or text; it has {', '.join(names)}: name one of these")
    return found


def _encoded(source: str, row: Mapping[str, Any], columns: Mapping[str, str]) -> Encoded:
    values = {role: row[column] for role, column in columns.items()}
    text, label = values.get("text"), values.get("label")
    return Encoded(
        source=source,
        photo=_photo(source, values.get("image")),
        captions=strings(values.get("captions"), source),
        text=text if isinstance(text, str) else None,
        label=label if isinstance(label, int) else None,
    )


def _photo(source: str, value: Any) -> bytes | None:
    if not isinstance(value, dict):
        return value
    if value.get("bytes") is not None or value.get("path") is None:
        return value.get("bytes")
    try:
        return Path(os.fspath(value["path"])).read_bytes()
    except OSError as error:
        raise InputError(f"{source}: its photo cannot be read ({reason(error)}); check the dataset's files") from None
