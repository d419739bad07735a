"""Opening what holds a clip with PyAV: a file, bytes, an address or a device, with what can be wrong said in one line.

Notable: of files only the formats listed are read, for there are formats (playlists) that name other files and
addresses to be opened; what comes over a network or from a device is waited for so long and no longer.
"""

import errno
import os
import re
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple

import av
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream

from mm_memgpt.datasets.clip_size import stated_size
from mm_memgpt.datasets.clip_tracks import check_pixels
from mm_memgpt.datasets.files import EMPTY, open_file, reason
from mm_memgpt.types import InputError

FORMATS = {
    "mov": ".mp4 .m4v .mov .qt .3gp .3g2",
    "matroska": ".mkv .webm",
    "avi": ".avi",
    "mpegts": ".mts .m2ts",
    "mpeg": ".mpg .mpeg .vob",
    "flv": ".flv",
    "asf": ".wmv .asf",
    "ogg": ".ogv",
    "mxf": ".mxf",
    "dv": ".dv",
}
"""FFmpeg's names of the formats of clips read here, and the endings of their files. `.ts` is mostly source code."""

PLAIN_FORMATS = "gif apng ivf h264 hevc m4v mpegvideo mjpeg wav w64 aiff au caf mp3 flac aac ac3 eac3 amr"
"""FFmpeg's names of more that are read: pictures alone and sound alone, whose endings belong to photos and sounds."""

CLIP_SUFFIXES = frozenset(" ".join(FORMATS.values()).split())
"""Endings, in lower case, of the files in a folder that are clips. A file named by itself may have any."""

ADDRESSES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "tcp", "udp")
"""What an address may begin with, before ://."""

TIMEOUT = 10.0
"""Seconds that an address or device may take to answer, and then to send more."""

ERRORS = (av.error.FFmpegError, OSError, ValueError, TypeError)
"""What PyAV raises over a source, and an open file that is no binary one."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_TIMED_OUT = (av.error.ExitError, av.error.TimeoutError)


class Opened(NamedTuple):
    """An open container and the tracks of it that are read."""

    container: InputContainer
    video: Stream | None
    audio: Stream | None
    live: bool
    """Whether it comes over a network or from a device, and no faster than it is made."""
    cut: InputError | None
    """Where the file is shorter than it says: the line to end with."""


def open_source(source: str | os.PathLike[str] | bytes | BinaryIO, name: str) -> Opened:
    """Opens a path, bytes, an open binary file, an address ("rtsp://...") or a video device ("/dev/video0").

    Raises:
        InputError: it is missing, no clip, without pictures and sound, too large, or does not answer in time.
    """
    text = os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""
    live, cut = is_live(text), None
    if live:
        place, settings = text, _live_settings(text, name)
    else:
        place, cut = _local(source, text, name)
        settings = {"options": {"format_whitelist": ",".join([*FORMATS, *PLAIN_FORMATS.split()])}}
    asked = time.monotonic()
    try:
        container = av.open(place, **settings)
    except ERRORS as error:
        raise cut or _not_opened(error, live, _waited(asked), name) from error
    try:
        video, audio = _tracks(container, name)
    except InputError:
        container.close()
        raise
    return Opened(container, video, audio, live, cut)


def is_live(text: str) -> bool:
    """Whether this names an address or a video device, and not a file."""
    return _ADDRESS.match(text) is not None or text.startswith("/dev/video")


class Reader:
    """Decodes an open container front to back. What is wrong with it is `problem`, once it has been read."""

    def __init__(self, opened: Opened, name: str) -> None:
        self.opened, self.name = opened, name
        self.problem: InputError | None = None
        self._wanted = [stream for stream in (opened.video, opened.audio) if stream is not None]
        self._begun: set[int] = set()
        self._damaged = 0

    def frames(self) -> Iterator[tuple[int, Any]]:
        """Each frame with the number of its track, in the order of decoding, up to where it ends or breaks off."""
        for stream in self.opened.container.streams:
            if stream not in self._wanted:
                stream.discard = Discard.all
        try:
            for packet in self.opened.container.demux(self._wanted):
                yield from self._decoded(packet.stream, packet)
        except ERRORS as error:
            self.problem = self._broken_off(error)
            for stream in self._wanted:
                yield from self._decoded(stream, None)
        self.problem = self.problem or self._fault()

    def length(self, frame: av.VideoFrame) -> float:
        """Seconds that a frame lasts, for the last one, which no other follows."""
        if frame.duration and frame.time_base:
            return float(frame.duration * frame.time_base)
        rate = self.opened.video.average_rate
        return float(1 / rate) if rate else 0.0

    def _decoded(self, stream: Stream, packet: av.Packet | None) -> Iterator[tuple[int, Any]]:
        """The frames that a packet completes; without one, those that the decoder still holds.

        A packet that cannot be decoded is passed over. Before a track's first frame none counts as damaged: that is
        how a stream begins that was joined in the middle.
        """
        try:
            frames = stream.decode(packet)
        except av.error.EOFError:  # it has been emptied before
            return
        except av.error.FFmpegError:
            self._damaged += stream.index in self._begun
            return
        for frame in frames:
            if packet is None:
                frame.time_base = stream.time_base  # which PyAV takes from the packet
            self._begun.add(stream.index)
            yield stream.index, frame

    def _fault(self) -> InputError | None:
        """What is wrong with a file though it could be read to its end."""
        if self.opened.cut is not None:
            return self.opened.cut
        if self._damaged and not self.opened.live:  # a stream loses packets, and goes on
            packets = f"{self._damaged} damaged packet" + ("s" if self._damaged > 1 else "")
            return InputError(f"{self.name}: {packets} could not be decoded; copy or download it again")
        return None

    def _broken_off(self, error: Exception) -> InputError | None:
        if isinstance(error, _TIMED_OUT):
            return InputError(f"{self.name}: stalled, nothing came for {TIMEOUT:g} s; check the stream and start again")
        if not self.opened.live:
            return InputError(f"{self.name}: cannot be read to its end ({reason(error)}); copy or download it again")
        # FFmpeg calls it an error of input when a stream ends whose length nobody said
        if getattr(error, "errno", None) == errno.EIO and self.opened.container.size < 0:
            return None
        return InputError(f"{self.name}: broke off ({reason(error)}); check the stream and start again")


def _live_settings(text: str, name: str) -> dict[str, Any]:
    """How PyAV is to open an address or device."""
    address = _ADDRESS.match(text)
    waits = {"timeout": (TIMEOUT, TIMEOUT)}
    if address is None:
        return waits | {"format": "v4l2"}
    scheme = address[1].lower()
    if scheme not in ADDRESSES:
        raise InputError(f"{name}: addresses of {scheme!r} are not read; known: {', '.join(ADDRESSES)}")
    return waits | {"options": {"rtsp_flags": "prefer_tcp"} if scheme.startswith("rtsp") else {}}


def _local(
    source: str | os.PathLike[str] | bytes | BinaryIO, text: str, name: str
) -> tuple[str | BinaryIO, InputError | None]:
    """What PyAV is to open, a file's name so marked that it is taken for nothing else; and the line if it is cut."""
    if text:
        with open_file(text, name) as file:
            return f"file:{text}", _cut(file, name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        if not source:
            raise InputError(f"{name}: {EMPTY}")
        source = BytesIO(source)
    if not hasattr(source, "read"):
        known = "a path, bytes, an open file, a folder of frames, an address or a device"
        raise InputError(f"{name}: a value of type {type(source).__name__} is no clip; give {known}")
    if not source.seekable():
        return source, None
    source.seek(0)
    return source, _cut(source, name)


def _cut(file: BinaryIO, name: str) -> InputError | None:
    stated, there = stated_size(file), file.seek(0, os.SEEK_END)
    file.seek(0)
    if stated is None or stated <= there:
        return None
    return InputError(f"{name}: cut short, {there:,} of {stated:,} bytes; copy or download it again")


def _waited(since: float) -> bool:
    """Whether it is so long ago that FFmpeg has given up, which RTSP calls invalid data."""
    return time.monotonic() - since >= TIMEOUT


def _not_opened(error: Exception, live: bool, waited: bool, name: str) -> InputError:
    if isinstance(error, _TIMED_OUT) or (live and waited):
        return InputError(f"{name}: no answer within {TIMEOUT:g} s; check that it is running")
    if live:
        return InputError(f"{name}: cannot be opened ({reason(error)}); check that it is there and running")
    known = ", ".join(sorted(suffix.lstrip(".") for suffix in CLIP_SUFFIXES))
    return InputError(f"{name}: no clip, or one that is broken or was cut short; copy it again, or give one of {known}")


def _tracks(container: InputContainer, name: str) -> tuple[Stream | None, Stream | None]:
    video, audio = (_best(container, kind) for kind in ("video", "audio"))
    if video is None and audio is None:
        raise InputError(f"{name}: has neither pictures nor sound that can be read; give a clip with one of them")
    if video is not None:
        check_pixels(video.codec_context.width, video.codec_context.height, name)
        video.thread_type = "AUTO"
    return video, audio


def _best(container: InputContainer, kind: str) -> Stream | None:
    """The track to read; the cover of a song is no track, nor is one whose coding is unknown."""
    stream = container.streams.best(kind)
    if stream is None or stream.codec_context is None or stream.disposition & Disposition.attached_pic:
        return None
    return stream
