"""What an input holds: a photo, a sound, a clip or a sentence, by its type, its content and the ending of its name.

Notable: content wins over the ending where it is certain, so a clip called photo.jpg is watched; where a container may
hold either (an mp4 is a song or a film), the ending decides; what nothing tells is a photo, whose reader says what is
wrong with it.
"""

import os
from numbers import Real
from pathlib import Path
from typing import Any

from mm_memgpt.datasets.clip import CLIP_SUFFIXES
from mm_memgpt.datasets.clip_source import is_live
from mm_memgpt.datasets.photo import PHOTO_SUFFIXES
from mm_memgpt.datasets.sound import SOUND_SUFFIXES
from mm_memgpt.types import Text

SUFFIXES = {"photo": PHOTO_SUFFIXES, "sound": SOUND_SUFFIXES, "clip": CLIP_SUFFIXES}
"""Endings, in lower case, of the files in a folder that are of each kind."""

HEAD = 512
"""Bytes of a file's beginning that are looked at; in an Ogg file the codec's name is among them."""

SIGNATURES = (
    (0, b"fLaC", ("sound",)),
    (0, b"ID3", ("sound",)),
    (0, b"caff", ("sound",)),
    (0, b".snd", ("sound",)),
    (0, b"#!AMR", ("sound",)),
    (0, b"\xff\xfb", ("sound",)),  # MP3 without tags: MPEG-1, layer III
    (0, b"\xff\xf3", ("sound",)),  # likewise MPEG-2
    (0, b"\xff\xf1", ("sound",)),  # AAC without a container (ADTS)
    (8, b"AIFF", ("sound",)),
    (8, b"AIFC", ("sound",)),
    (8, b"WAVE", ("sound",)),
    (8, b"AVI ", ("clip",)),
    (0, b"FLV", ("clip",)),
    (0, b"\x00\x00\x01\xba", ("clip",)),  # MPEG program stream
    (0, b"\xff\xd8\xff", ("photo",)),  # JPEG
    (0, b"\x89PNG", ("photo",)),
    (8, b"WEBP", ("photo",)),
    (0, b"GIF8", ("photo", "clip")),
    (4, b"ftypavif", ("photo",)),
    (4, b"ftypavis", ("photo",)),
    (4, b"ftypM4A", ("sound",)),
    (4, b"ftyp", ("clip", "sound")),
    (0, b"\x1aE\xdf\xa3", ("clip", "sound")),  # Matroska, WebM
    (0, b"\x30\x26\xb2\x75", ("clip", "sound")),  # ASF: wmv, wma
)
"""Where in a file which bytes stand, and what such a file can be, the likeliest first."""

TS_PACKET, TS_SYNC = 188, 0x47
"""Bytes of a packet of an MPEG transport stream, and the first of each (ISO/IEC 13818-1, section 2.4.3.2)."""


def kind_of(value: Any) -> str:
    """The kind of an input: "photo", "sound", "clip" or "text".

    Args:
        value: a path, an address or device of a stream, bytes, a pair (samples, rate), a Text, or anything that is a
            photo (a PIL image, an array, an open file).
    """
    if isinstance(value, Text):
        return "text"
    if is_sound_pair(value):
        return "sound"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _of_content(bytes(value[:HEAD]), "")
    if not isinstance(value, (str, os.PathLike)):
        return "photo"
    path = os.fspath(value)
    if isinstance(path, str) and is_live(path):
        return "clip"
    return _of_content(_head(path), Path(os.fsdecode(path)).suffix.lower())


def is_sound_pair(value: Any) -> bool:
    """Whether this is a pair (samples, rate), and no pair of photos."""
    return (
        isinstance(value, tuple) and len(value) == 2 and hasattr(value[0], "__array__") and isinstance(value[1], Real)
    )


def _head(path: str | bytes) -> bytes:
    """The first bytes of a file; none where it is no file, or cannot be read, which its reader will say."""
    try:
        if not os.path.isfile(path):
            return b""
        with open(path, "rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError):  # ValueError: a null character in the path
        return b""


def _of_content(head: bytes, suffix: str) -> str:
    named = next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), None)
    can_be = _kinds_of(head)
    if can_be:
        return named if named in can_be else can_be[0]
    return named or "photo"


def _kinds_of(head: bytes) -> tuple[str, ...]:
    """What a file that begins so can be; nothing where its first bytes do not say."""
    if head.startswith(b"OggS"):
        return ("clip",) if b"theora" in head else ("sound", "clip")
    found = next((kinds for place, bytes_, kinds in SIGNATURES if head[place : place + len(bytes_)] == bytes_), ())
    packets = head[::TS_PACKET]
    return ("clip", "sound") if not found and len(packets) > 1 and set(packets) == {TS_SYNC} else found
