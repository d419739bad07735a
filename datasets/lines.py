"""Lines of a text file in any encoding and of any length, each with its number and the bytes it takes in the file.

Notable: a line longer than LONGEST is passed by and never held, so a file whose line breaks are lost costs the memory
of a few lines; lines stay bytes, because one line that is not UTF-8 must not cost the others.
"""

import codecs
from typing import BinaryIO, NamedTuple

from mm_memgpt.types import InputError

LONGEST = 8 * 2**20
"""Bytes from which on a line, or a record of several, is too long; a whole novel takes about half a million."""

TOO_LONG = f"longer than {LONGEST // 2**20} MB; put line breaks between its rows, or leave it out"

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins as UTF-16's does, so it stands before it
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Encodings by the byte order mark that a file begins with."""


class Encoding(NamedTuple):
    """How a file's text is written."""

    name: str
    mark: int
    """Bytes of the mark before the text."""
    newline: bytes

    def decode(self, data: bytes, place: str) -> str:
        """Raises InputError, which names the place, where the bytes are not of this encoding or hold no text."""
        try:
            text = data.decode(self.name)
        except UnicodeDecodeError as error:
            wrong = f"not {self.name.upper()} (byte {data[error.start]:#04x})"
            raise InputError(f"{place}: {wrong}; save the file as UTF-8, or give encoding: latin-1") from None
        if "\0" in text:
            way_out = "save it as UTF-8 text, or give its encoding: utf-16"
            raise InputError(f"{place}: holds binary data (a NUL), not text; {way_out}")
        return text


def find_encoding(file: BinaryIO, given: str | None, name: str) -> Encoding:
    """The encoding of an open file: the one given, or that of its byte order mark, or UTF-8.

    Raises:
        InputError: no such encoding, or one whose line break is not that of ASCII.
    """
    file.seek(0)
    head = file.read(4)
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    marked = _MARKS.get(mark, "utf-8")
    chosen = marked if given is None else _full_name(given, marked, name)
    newline = "\n".encode(chosen)
    if newline.strip(b"\0") != b"\n":
        raise InputError(f"{name}: encoding {given} has line breaks of its own; save the file as UTF-8")
    return Encoding(chosen, len(mark) if len(newline) == len("\n".encode(marked)) else 0, newline)


def _full_name(given: str, marked: str, name: str) -> str:
    """An encoding's usual name, with the order of its bytes."""
    try:
        "\n".encode(given)  # refuses those that do not encode text too, as codecs.lookup would not
        usual = codecs.lookup(given).name.removesuffix("-sig")
    except (LookupError, ValueError, TypeError):
        known = "utf-8, utf-16, latin-1, cp1252, gb18030, shift_jis"
        raise InputError(f"{name}: no encoding {given!r}; give one that Python knows, such as {known}") from None
    if usual in ("utf-16", "utf-32"):
        return marked if marked.startswith(usual) else f"{usual}-le"
    return usual


class Line(NamedTuple):
    """A line, its break with it."""

    number: int
    """Counts from 1."""
    start: int
    end: int
    """Where it starts and ends in the file, in bytes."""
    data: bytes | None
    """None where it is longer than LONGEST."""


class Lines:
    """The lines of an open file; each is asked for by the one before it, so that a reader can go back."""

    def __init__(self, file: BinaryIO, encoding: Encoding) -> None:
        self.file = file
        self.encoding = encoding
        self.place = -1

    def after(self, line: Line | None) -> Line | None:
        """The next line, the first one after None; None behind the last."""
        number, start = (1, self.encoding.mark) if line is None else (line.number + 1, line.end)
        if self.place != start:
            self.file.seek(start)
        data = piece = self._piece()
        end = start + len(piece)
        while len(piece) == LONGEST and not piece.endswith(self.encoding.newline):
            data, piece = None, self._piece()
            end += len(piece)
        self.place = end
        return None if end == start else Line(number, start, end, data)

    def text(self, line: Line) -> str:
        """What a line says, with stand-ins for what cannot be decoded: to see where a record ends."""
        return "" if line.data is None else line.data.decode(self.encoding.name, "replace")

    def is_blank(self, line: Line) -> bool:
        """Whether a line has nothing but spaces."""
        if len(self.encoding.newline) == 1 and line.data is not None:
            return line.data.isspace()
        return self.text(line).isspace()

    def _piece(self) -> bytes:
        """Bytes to the end of the line, the file, or LONGEST; `readline` breaks amid wide characters, so it goes on."""
        width, data = len(self.encoding.newline), self.file.readline(LONGEST)
        if width == 1:
            return data
        wide = bytearray(data)
        while len(wide) < LONGEST and not (len(wide) % width == 0 and wide.endswith(self.encoding.newline)):
            more = self.file.read(-len(wide) % width) or self.file.readline(LONGEST - len(wide))
            if not more:
                break
            wide += more
        return bytes(wide)
