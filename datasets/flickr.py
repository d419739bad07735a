"""Flickr8k and Flickr30k as published: a folder of photos, and a token file or CSV with five captions for each.

Notable: three forms are read, each told by its first line: `name.jpg#0<TAB>caption` (Flickr8k.token.txt,
results_20130124.token), `image,caption` (captions.txt) and `image_name| comment_number| comment` (results.csv, in which
one published row lacks its second bar); splits are the lists `Flickr_8k.trainImages.txt` beside the file.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mm_memgpt.datasets.files import open_file, reason
from mm_memgpt.datasets.photo_files import PhotoFiles, gather, in_split, locate
from mm_memgpt.types import InputError

Rows = Iterator[tuple[str, str]]

_TOKEN = re.compile(r"(?P<name>[^\t#]+)#\d+\t(?P<caption>.*)")
_BARS = re.compile(r"(?P<name>[^|]+?)\s*\|\s*\d+\s*\|?\s*(?P<caption>.*)")
_LIST = re.compile(r".*?[._-](?P<split>train|dev|val|test)(?:Images)?\.txt", re.IGNORECASE)


def read_flickr(listing: Path, split: str | None = None, images: Path | None = None) -> PhotoFiles:
    """The photos of a token file or CSV; `split` is one of the lists beside it ("val" is also "dev").

    Raises:
        InputError: the file is in none of the three forms, a line of it is broken, or no photo is found.
    """
    lines = _lines(listing)
    photos = gather(_rows(listing, lines))
    return locate(in_split(photos, split, _splits(listing) if split else {}, listing), listing, images)


def _lines(path: Path) -> list[str]:
    with open_file(path) as file:
        try:
            return file.read().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 ({reason(error)}); save it as UTF-8") from None


def _rows(listing: Path, lines: list[str]) -> Rows:
    first = lines[0] if lines else ""
    if _TOKEN.fullmatch(first):
        return _matched(listing, enumerate(lines, start=1), _TOKEN, "name.jpg#0, a tab, and the caption")
    if first.count("|") == 2:
        return _matched(listing, enumerate(lines[1:], start=2), _BARS, "name.jpg| 0| caption")
    if [column.strip() for column in first.split(",")] == ["image", "caption"]:
        return _comma_rows(listing, lines)
    forms = "name.jpg#0<TAB>caption, a header image,caption, or a header image_name| comment_number| comment"
    raise InputError(f"{listing}:1: {first[:60]!r} begins no caption list; known forms: {forms}")


def _matched(listing: Path, lines: Iterable[tuple[int, str]], form: re.Pattern, words: str) -> Rows:
    for number, line in lines:
        if not line.strip():
            continue
        match = form.fullmatch(line)
        if match is None:
            raise InputError(f"{listing}:{number}: {line[:60]!r} is not {words}; mend the line or take it out")
        yield match["name"].strip(), match["caption"].strip()


def _comma_rows(listing: Path, lines: list[str]) -> Rows:
    rows = csv.reader(lines[1:])
    for row in rows:
        if not row:
            continue
        if len(row) < 2:
            raise InputError(f"{listing}:{rows.line_num + 1}: {row[0][:60]!r} has no caption; mend the line")
        yield row[0].strip(), ",".join(row[1:]).strip()


def _splits(listing: Path) -> dict[str, set[str]]:
    """Photo names by split, from the lists beside the file; "dev" and "val" are one."""
    found = {}
    for path in sorted(listing.parent.glob("*.txt")):
        match = _LIST.fullmatch(path.name)
        if match and path != listing:
            names = {line.strip() for line in _lines(path) if line.strip()}
            split = match["split"].lower()
            found |= dict.fromkeys(("val", "dev") if split in ("val", "dev") else (split,), names)
    return found
