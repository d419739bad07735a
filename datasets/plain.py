"""A text file, or what comes on standard input, as one string."""

import codecs
from os import PathLike, fspath

from mm_memgpt.datasets.files import open_file
from mm_memgpt.types import InputError


def plain_text(path: str | PathLike[str]) -> str:
    """The whole text of a file.

    Raises:
        InputError: missing, empty, or no text in UTF-8 or UTF-16.
    """
    with open_file(path) as file:
        return decoded(file.read(), fspath(path))


def decoded(content: bytes, name: str) -> str:
    """Bytes as text, line breaks as "\\n"; `name` is what an error calls them.

    Raises:
        InputError: there is nothing, or it is no text in UTF-8 or UTF-16.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        form = "UTF-16" if wide else "UTF-8"
        where = f"byte {error.start}: {error.reason}"
        raise InputError(f"{name}: not text in {form} ({where}); save it as UTF-8") from None
    if "\0" in text:
        raise InputError(f"{name}: holds binary data, not text; name a plain text file")
    if not text.strip():
        raise InputError(f"{name}: holds no text; write some")
    return text.replace("\r\n", "\n").replace("\r", "\n")
