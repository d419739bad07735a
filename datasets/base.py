"""What a reader is, and the functions that find the reader for a source.

Notable: readers are sequences, because a resumable training stream asks for any sample at any time; a sample that is
broken raises only when it is asked for. A source that is too large or too far away for that is streamed instead.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Protocol

from mm_memgpt.datasets.caption_json import read_caption_json
from mm_memgpt.datasets.encoded import Encoded
from mm_memgpt.datasets.flickr import read_flickr
from mm_memgpt.datasets.folder import FolderReader
from mm_memgpt.datasets.hub import SCHEME, HubReader, is_saved, stream_hub
from mm_memgpt.datasets.parquet import ParquetReader
from mm_memgpt.datasets.paths import Source, expand_braces, find_paths
from mm_memgpt.datasets.shards import ShardReader, stream_shards
from mm_memgpt.types import InputError, Sample


class Reader(Protocol):
    """A sequence of Samples that can be sent to another process."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Sample]:
        """All samples in order; after the InputError of a broken one, the iterator goes on with the next."""

    def __getitem__(self, index: int) -> Sample:
        """One sample. Raises InputError, which names the sample, where it is broken."""

    def texts(self) -> Iterator[str]:
        """All captions and texts, without opening a photo."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to take of a source."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Column to take for a role (image, sound, clip, captions, text, label), where it is not the one of that name."""
    split: str | None = None
    """The part to take, of a source that holds several."""
    images: Path | None = None
    """Folder of the photos, of a source that only lists them."""
    where: Mapping[str, Any] = field(default_factory=dict)
    """Value, or list of values, that a sample's column must hold."""


def _parquet(paths: list[Path], wanted: Wanted) -> Reader:
    return ParquetReader(paths, wanted.columns, wanted.where)


def _folder(paths: list[Path], wanted: Wanted) -> Reader:
    return FolderReader(paths, wanted.columns)


def _shards(paths: list[Path], wanted: Wanted) -> Reader:
    return ShardReader(paths, wanted.columns)


def _flickr(paths: list[Path], wanted: Wanted) -> Reader:
    return read_flickr(_only(paths), wanted.split, wanted.images)


def _caption_json(paths: list[Path], wanted: Wanted) -> Reader:
    return read_caption_json(_only(paths), wanted.split, wanted.images)


def _saved(paths: list[Path], wanted: Wanted) -> Reader:
    return HubReader(str(_only(paths)), wanted.columns, wanted.split)


FOLDER, SAVED = "folder", "saved dataset"
READERS: dict[str, Callable[[list[Path], Wanted], Reader]] = {
    ".parquet": _parquet,
    ".tar": _shards,
    ".json": _caption_json,
    ".txt": _flickr,
    ".token": _flickr,
    ".csv": _flickr,
    FOLDER: _folder,
    SAVED: _saved,
}
"""Readers by the ending of the files they read."""

KNOWN = (
    ".parquet, .tar (WebDataset), .json (COCO or Karpathy), .txt, .token or .csv (Flickr), a folder with metadata.csv "
    "or metadata.jsonl, a folder that datasets saved, or hub:owner/name"
)
TAKES = {
    "columns": {".parquet", ".tar", FOLDER, SAVED},
    "sound": {".parquet", FOLDER},
    "clip": {".parquet", FOLDER},
    "split": {".json", ".txt", ".token", ".csv", SAVED},
    "images": {".json", ".txt", ".token", ".csv"},
    "where": {".parquet"},
}
"""Which kinds of source have columns to name, sounds and clips among them, splits to choose from, photos elsewhere, and
columns to choose samples by."""


def read(
    source: Source | Sequence[Source],
    *,
    image: str | None = None,
    sound: str | None = None,
    clip: str | None = None,
    captions: str | None = None,
    text: str | None = None,
    label: str | None = None,
    split: str | None = None,
    images: Source | None = None,
    where: Mapping[str, Any] | None = None,
) -> Reader:
    """The reader of a source, by its kind; see KNOWN for the kinds.

    Args:
        source: a file, a folder, a pattern ("*.parquet", "{000..009}.tar"), a list of these, all of one kind, or a
            dataset as "hub:owner/name".
        image: the column or member to take for the photo, where it is not the one of that name.
        sound: likewise; "audio" is taken too.
        clip: likewise; "video" is taken too.
        captions: likewise.
        text: likewise.
        label: likewise.
        split: the part to take, of a source that holds several.
        images: folder of the photos, of a source that only lists them.
        where: column to the value, or list of values, that a sample must hold in it; the others are left out.

    Raises:
        InputError: nothing there, several kinds, an unknown kind, or what the reader finds wrong.
        ImportError: an optional package that the kind needs is not installed; the message names the extra.
    """
    named = {"image": image, "sound": sound, "clip": clip, "captions": captions, "text": text, "label": label}
    columns = {role: column for role, column in named.items() if column is not None}
    wanted = Wanted(
        columns=columns, split=split, images=None if images is None else Path(images), where=dict(where or {})
    )
    if is_hub(source):
        if where:
            raise InputError(f"{source}: a hub dataset takes no where; leave it out")
        return HubReader(source, columns, split)
    paths = find_paths(source)
    kinds = {_kind(path): path for path in paths}
    if unknown := sorted(kinds.keys() - READERS.keys()):
        raise InputError(f"{kinds[unknown[0]]}: no reader for {unknown[0] or 'a name without ending'}; give {KNOWN}")
    if len(kinds) > 1:
        raise InputError(f"{source}: both {' and '.join(map(str, kinds.values()))}; read one kind at a time")
    kind, path = kinds.popitem()
    for name, takers in TAKES.items():
        if (columns.get(name) or getattr(wanted, name, None)) and kind not in takers:
            raise InputError(f"{path}: a {kind} takes no {name}; leave it out")
    return READERS[kind](paths, wanted)


def stream(
    source: Source | Sequence[Source], *, split: str | None = None, shuffle: Callable | None = None, **columns: str
) -> Iterator[Encoded | InputError]:
    """The samples of tar shards or of a hub dataset from first to last, still encoded, without loading the whole.

    Args:
        source: shards (paths, patterns, addresses that webdataset opens, "pipe:command"), or "hub:owner/name".
        split: the part of a hub dataset.
        shuffle: called with the list of shards before they are opened, to put them in another order.
        columns: as `read` takes image, captions, text and label.

    Raises:
        InputError: no shard is there, or the dataset cannot be loaded. A broken sample comes as an InputError in its
            place.
    """
    if is_hub(source):
        return stream_hub(source, columns, split)
    shards = shard_list(source)
    if shuffle is not None:
        shuffle(shards)
    return stream_shards(shards, columns)


def shard_list(source: Source | Sequence[Source]) -> list[str]:
    """The shards that a pattern, an address or a list of these stands for."""
    if not isinstance(source, (str, PathLike)):
        return [shard for one in source for shard in shard_list(one)]
    if is_remote(source):
        return expand_braces(fspath(source))
    return [str(path) for path in find_paths(source)]


def samples(reader: Reader) -> Iterator[Sample | InputError]:
    """All samples in order, with the InputError of a broken one in its place."""
    for index in range(len(reader)):
        try:
            yield reader[index]
        except InputError as error:
            yield error


def is_hub(source: object) -> bool:
    """Whether a source is a dataset for Hugging Face `datasets`."""
    return isinstance(source, str) and source.startswith(SCHEME)


def is_remote(source: object) -> bool:
    """Whether a source is an address rather than a path."""
    return isinstance(source, str) and ("://" in source or source.startswith("pipe:"))


def _kind(path: Path) -> str:
    if path.is_dir():
        return SAVED if is_saved(path) else FOLDER
    return path.suffix.lower()


def _only(paths: list[Path]) -> Path:
    if len(paths) > 1:
        raise InputError(f"{paths[1]}: a second list of captions; read one at a time")
    return paths[0]
