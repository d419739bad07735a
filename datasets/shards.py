"""WebDataset shards: tar files in which the members of one sample (0001.jpg, 0001.txt, 0001.json) stand together.

Notable: a shard on disk is indexed once, from its headers, so that a training run may ask for any sample; a shard that
is far away or too many is read front to back by the webdataset library (`stream_shards`), and opened photo by photo.
"""

import json
import re
import tarfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from mm_memgpt.datasets.encoded import Encoded, strings
from mm_memgpt.datasets.files import open_file, reason
from mm_memgpt.datasets.photo import PHOTO_SUFFIXES
from mm_memgpt.types import InputError, Sample

PHOTOS = tuple(sorted(suffix.removeprefix(".") for suffix in PHOTO_SUFFIXES))
CAPTIONS = ("captions", "caption", "txt", "text")
"""Members, or keys of the member json, that hold captions; a text file holds one a line."""

LABELS = ("cls", "label")

_NAME = re.compile(r"(?P<key>(?:.*/)?[^./][^./]*)\.(?P<ending>[^/]+)")


class Member(NamedTuple):
    """Where a member lies in its shard."""

    start: int
    size: int


class ShardReader:
    """The samples of one or several uncompressed tar files, as a sequence.

    `columns` maps "image", "captions", "text" or "label" to the ending of another member, or a key of the member json.

    Raises:
        InputError: a shard is missing, broken, cut short, compressed, or holds no sample.
    """

    def __init__(self, paths: Sequence[Path], columns: Mapping[str, str] | None = None) -> None:
        self.paths, self.columns = list(paths), dict(columns or {})
        self.samples = [index(path) for path in self.paths]
        self.ends = list(accumulate(map(len, self.samples)))

    def __len__(self) -> int:
        return self.ends[-1]

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, position: int) -> Sample:
        return self._encoded(range(len(self))[position]).open()

    def texts(self) -> Iterator[str]:
        """All captions and texts. Photos are skipped over, not read."""
        for position in range(len(self)):
            encoded = self._encoded(position, photo=False)
            yield from encoded.captions
            yield from [] if encoded.text is None else [encoded.text]

    def _encoded(self, position: int, photo: bool = True) -> Encoded:
        number = bisect_right(self.ends, position)
        key, members = self.samples[number][position - self.ends[number] + len(self.samples[number])]
        with open_file(self.paths[number]) as file:
            content = {}
            for ending, member in members.items():
                if photo or ending not in (self.columns.get("image"), *PHOTOS):
                    file.seek(member.start)
                    content[ending] = file.read(member.size)
        return encoded(f"{self.paths[number]}:{key}", content, self.columns)


def index(path: Path) -> list[tuple[str, dict[str, Member]]]:
    """Every sample's key with its members by ending, from the headers alone."""
    samples: list[tuple[str, dict[str, Member]]] = []
    with open_file(path) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                size = path.stat().st_size
                for info in tar:
                    if info.offset_data + info.size > size:
                        raise tarfile.ReadError(f"{info.name} is cut short")
                    match = _NAME.fullmatch(info.name)
                    if not info.isreg() or match is None:
                        continue
                    if not samples or samples[-1][0] != match["key"]:
                        samples.append((match["key"], {}))
                    samples[-1][1][match["ending"].lower()] = Member(info.offset_data, info.size)
                if size - tar.offset < tarfile.BLOCKSIZE:
                    raise tarfile.ReadError("its end mark is missing")
        except (tarfile.TarError, OSError, EOFError) as error:
            way_out = "copy or download it again (compressed shards can only be streamed)"
            raise InputError(f"{path}: not a tar file, or one cut short ({reason(error)}); {way_out}") from None
    if not samples:
        raise InputError(f"{path}: holds no sample; its files should be called 0001.jpg, 0001.txt, ...")
    return samples


def stream_shards(urls: Sequence[str], columns: Mapping[str, str]) -> Iterator[Encoded | InputError]:
    """The samples of shards in order, each shard read once from front to back; a broken shard costs what is behind.

    Args:
        urls: paths, or what the webdataset library opens: http://, s3://, "pipe:command".
        columns: as `ShardReader` takes them.

    Raises:
        ImportError: the webdataset library is not installed.
    """
    try:
        from webdataset.tariterators import group_by_keys, tar_file_expander, url_opener
    except ImportError as error:
        raise ImportError('streaming shards needs webdataset: pip install "mm-memgpt[train]"') from error
    for url in urls:
        try:
            for sample in group_by_keys(tar_file_expander(url_opener([{"url": url}]))):
                content = {name: value for name, value in sample.items() if isinstance(value, bytes)}
                yield attempt(f"{url}:{sample['__key__']}", content, columns)
        except (tarfile.TarError, OSError, EOFError, ValueError) as error:
            said = str(error.args[0] if error.args else type(error).__name__).partition(" @ ")[0]  # then what was open
            yield InputError(f"{url}: cannot be read on ({' '.join(said.split())}); check it, or copy it again")


def attempt(source: str, content: dict[str, bytes], columns: Mapping[str, str]) -> Encoded | InputError:
    """The sample, or what is wrong with it."""
    try:
        return encoded(source, content, columns)
    except InputError as error:
        return error


def encoded(source: str, content: dict[str, bytes], columns: Mapping[str, str]) -> Encoded:
    """The members of one sample, given their meaning.

    Raises:
        InputError: text is not UTF-8, json is not an object, a label no number, or a named member is not there.
    """
    try:
        fields = json.loads(content["json"]) if "json" in content else {}
        found = {**fields, **{ending: content[ending] for ending in content if ending != "json"}}
        if missing := sorted(set(columns.values()) - found.keys()):
            raise InputError(f"{source}: no member {missing[0]!r}; it has {', '.join(map(str, found))}")
        photo = next((found[name] for name in _names("image", PHOTOS, columns) if name in found), None)
        captions = next((_lines(found[name]) for name in _names("captions", CAPTIONS, columns) if name in found), None)
        text = next((_decoded(found[name]) for name in _names("text", (), columns)), None)
        label = next((int(found[name]) for name in _names("label", LABELS, columns) if name in found), None)
    except (ValueError, TypeError) as error:
        raise InputError(f"{source}: a member cannot be read ({reason(error)}); write the sample again") from None
    return Encoded(source, photo, strings(captions, source), text, label)


def _names(role: str, usual: tuple[str, ...], columns: Mapping[str, str]) -> tuple[str, ...]:
    return (columns[role],) if role in columns else usual


def _decoded(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _lines(value: Any) -> Any:
    return value.decode("utf-8").splitlines() if isinstance(value, bytes) else value
