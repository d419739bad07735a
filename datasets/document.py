"""Plain text as a stream of sentences: notes, one a line, and prose, wrapped or not, of any length.

Notable: a file is read a block at a time, so its length costs no memory; it is UTF-8, or UTF-16 that says so in its
first bytes, and that is looked at before the first sentence comes, for half a document is worse than none. A sentence
knows where it stands, so that what is made of it can name it.
"""

import codecs
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import IncrementalNewlineDecoder
from os import PathLike, fspath
from typing import BinaryIO, NamedTuple

from mm_memgpt.datasets.files import open_file
from mm_memgpt.types import InputError

DOCUMENT_SUFFIXES = frozenset({".txt", ".text", ".md", ".markdown", ".rst", ".log"})
"""Endings, in lower case, of the files that are read as plain text."""

BLOCK = 1 << 16
"""Bytes read at a time."""

LONGEST = 500
"""Characters of a sentence; one that goes on is cut behind a word, or here where it has none."""

WRAPPED = 50
"""A line of at least so many characters may be a wrapped one, whose sentence goes on in the next; a shorter line ends
its sentence, as the lines of notes and lists do."""

SHORT_FORMS = "mr mrs ms dr prof st vs etc eg ie e.g i.e no fig vol jr sr approx cf"
"""Words behind whose full stop a sentence goes on, in lower case."""

_SHORT = re.compile(rf"(?:^|[\s(])(?:{'|'.join(map(re.escape, SHORT_FORMS.split()))}|[A-Za-z])\.$", re.IGNORECASE)
_END = re.compile(r"[.!?\u2026]+[\"'\u201d\u2019)\]]*(?=\s)|[\u3002\uff01\uff1f]|\n")
_WORD = re.compile(r"\w")


class Sentence(NamedTuple):
    """A sentence as it stands, its spaces made one, and how much of the file is read by then."""

    text: str
    done: float
    """0 to 1."""
    start: int = 0
    """Its first character in the text, whose line breaks are one character each."""
    end: int = 0
    """The character behind its last."""
    line: int = 1
    """The line that it begins in, from 1."""


def sentences(path: str | PathLike[str]) -> Iterator[Sentence]:
    """The sentences of a text file, in order; what holds no letter and no figure is left out.

    Raises:
        InputError: missing, empty, or no text in UTF-8 or UTF-16; before the first sentence.
    """
    with open_file(path) as file:
        size = deque(_decoded(file, fspath(path)), maxlen=1).pop()[1]  # refuses what is no text
    return _sentences(path, size)


def split(text: str) -> list[str]:
    """The sentences of a text that is at hand, as `sentences` finds them in a file."""
    return [sentence.text for sentence in placed(text)]


def placed(text: str) -> list[Sentence]:
    """As `split`, each with its place in the text."""
    place = _Place()
    whole, rest = _parted(text + "\n\n")
    return [*_told(whole, place, lambda end: end / max(1, len(text))), *_told([rest], place, lambda end: 1.0)]


def _sentences(path: str | PathLike[str], size: int) -> Iterator[Sentence]:
    rest, place = "", _Place()
    with open_file(path) as file:
        for text, read in _decoded(file, fspath(path)):
            whole, rest = _parted(rest + text)
            done = min(1.0, read / size)
            yield from _told(whole, place, lambda end, done=done: done)
    whole, rest = _parted(rest + "\n\n")
    yield from _told([*whole, rest], place, lambda end: 1.0)


@dataclass
class _Place:
    """How far a text is read."""

    character: int = 0
    line: int = 1


def _told(pieces: Iterable[str], place: _Place, done: Callable[[int], float]) -> Iterator[Sentence]:
    """The sentences of pieces that follow one another, each with where it stands; `place` goes on with them."""
    for piece in pieces:
        text = _tidy(piece)
        if _WORD.search(text):
            before = len(piece) - len(piece.lstrip())
            start, end = place.character + before, place.character + len(piece.rstrip())
            yield Sentence(text, min(1.0, done(end)), start, end, place.line + piece.count("\n", 0, before))
        place.character += len(piece)
        place.line += piece.count("\n")


def _decoded(file: BinaryIO, name: str) -> Iterator[tuple[str, int]]:
    """Blocks of text, line breaks as "\\n", each with how many bytes are read by then."""
    block = file.read(BLOCK)
    wide = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    form = "UTF-16" if wide else "UTF-8"
    decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
    lines, read = IncrementalNewlineDecoder(decoder, translate=True), 0
    while True:
        read += len(block)
        try:
            text = lines.decode(block, final=not block)
        except UnicodeDecodeError as error:
            where = f"about byte {max(0, read - len(error.object)) + error.start}"
            raise InputError(f"{name}: not text in {form} ({where}: {error.reason}); save it as UTF-8") from None
        if "\0" in text:
            raise InputError(f"{name}: holds binary data, not text; name a plain text file")
        yield text, read
        if not block:
            return
        block = file.read(BLOCK)


def _parted(text: str) -> tuple[list[str], str]:
    """The whole sentences at the beginning of a text, and the rest, which may go on and is at most LONGEST long."""
    found, begin = [], 0
    for place in _ends(text):
        found += _cut(text[begin:place])
        begin = place
    rest = text[begin:]
    if len(rest) > LONGEST:
        *whole, rest = _cut(rest)
        found += whole
    return found, rest


def _ends(text: str) -> Iterator[int]:
    """Where sentences end: behind a full stop that is none of a short form, a blank line, or a short line."""
    line = 0
    for mark in _END.finditer(text):
        end = mark.end()
        if mark[0] != "\n":
            if not _SHORT.search(text[max(0, mark.start() - 12) : end]):
                yield end
            continue
        following = text[end : end + 1]
        if following and (mark.start() - line < WRAPPED or following in "\n-*#>\u2022"):
            yield end
        line = end


def _cut(sentence: str) -> list[str]:
    """A sentence in pieces of at most LONGEST characters."""
    pieces = []
    while len(sentence) > LONGEST:
        place = sentence.rfind(" ", 1, LONGEST)
        place = LONGEST if place < 0 else place
        pieces.append(sentence[:place])
        sentence = sentence[place:]
    return [*pieces, sentence]


def _tidy(sentence: str) -> str:
    return " ".join(sentence.split())
