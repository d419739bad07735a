"""How long a clip's file says it is: what tells one that was cut short, which decoders read to its end in silence.

Notable: mp4 is a row of boxes (ISO/IEC 14496-12, section 4.2), Matroska a header and one segment (RFC 8794), AVI and
WAV a row of RIFF chunks; each begins with its size, so only these few bytes are read.
"""

import os
from typing import BinaryIO

_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof")
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def stated_size(file: BinaryIO) -> int | None:
    """Bytes that a file of these formats has when it is whole, at least; None where it does not say.

    The file is left where it was.
    """
    before, length = file.tell(), file.seek(0, os.SEEK_END)
    file.seek(0)
    begin = file.read(8)
    if begin[4:8] in _BOXES:
        stated = _boxes_end(file, length)
    elif begin[:4] == _EBML:
        stated = _segment_end(file)
    elif begin[:4] == b"RIFF":
        stated = _riff_end(file, length)
    else:
        stated = None
    file.seek(before)
    return stated


def _boxes_end(file: BinaryIO, length: int) -> int | None:
    place = 0
    while place + 8 <= length:
        file.seek(place)
        head = file.read(16)
        size = int.from_bytes(head[:4])
        if size == 1:  # the size follows, in 64 bits
            size = int.from_bytes(head[8:16])
        if size < 8:  # 0: as long as the file is
            return None
        place += size
    return place


def _segment_end(file: BinaryIO) -> int | None:
    file.seek(4)
    header = _vint(file)
    if header is None:
        return None
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return None
    size = _vint(file)
    return None if size is None else file.tell() + size


def _vint(file: BinaryIO) -> int | None:
    """An EBML size: as many bytes as its first byte has leading zeros, and one; None where all its bits are set."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    mark = 1 << (7 * (more + 1))
    value = int.from_bytes(first + file.read(more)) - mark
    return None if value == mark - 1 else value


def _riff_end(file: BinaryIO, length: int) -> int | None:
    place = 0
    while place + 8 <= length:
        file.seek(place)
        head = file.read(8)
        size = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF":
            break
        if size in (0, 2**32 - 1):  # written as it was recorded
            return None
        place += 8 + size
    return place
