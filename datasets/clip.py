"""Clips from anywhere as one stream of moments: frames and pieces of sound on one clock, read front to back.

Notable: a moment is given once it is over, so moments come in the order of their ends; a frame that looks like the last
one given is none, and its time is added to that one's; however long a clip is, what is kept of it stays the same. What
came before a break is given before the error is raised.
"""

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, BinaryIO

from mm_memgpt.datasets.clip_region import Region, Window, check_region
from mm_memgpt.datasets.clip_source import CLIP_SUFFIXES, Opened, Reader, is_live, open_source
from mm_memgpt.datasets.clip_tracks import FileShot, FilmShot, Moment, Pictures, Sound
from mm_memgpt.datasets.photo import PHOTO_SUFFIXES
from mm_memgpt.types import InputError

__all__ = ["ALIKE", "CLIP_SUFFIXES", "Clip", "Moment", "open_clip"]

ALIKE = 1.0
"""Difference from the last frame, in grey levels of 255, below which a frame shows nothing new.

Measured on clips of 320 x 240 in H.264: a still photo with noise of deviation 15 differs by at most 0.8 from its first
frame, a square of 24 pixels that moves on by at least 1.2 on plain grey; one of 16 pixels, 0.3% of the picture, by 0.6
to 0.9, so it passes unseen. Brightness that flickers by 1% reaches 1.7. Lips differ by 0.02 to 0.3 from frame to frame.
"""

LIVE_HOLD = 10.0
"""Seconds after which a frame of a live stream is given although nothing has changed yet."""

APART, MOST = 5.0, 64
"""Seconds, and moments, that one track is read ahead of the other to bring them into order; then order is given up."""

Track = Pictures | Region | Sound


class Clip:
    """The moments of a clip, once, in the order of their ends. Close it, or use it in `with`, to stop early."""

    def __init__(self, moments: Iterator[Moment], release: Callable[[], None] = lambda: None) -> None:
        self._moments, self._release = moments, release

    def __iter__(self) -> "Clip":
        return self

    def __next__(self) -> Moment:
        try:
            return next(self._moments)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Clip":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file, connection or device; nothing more is read."""
        self._moments = iter(())
        self._release()


def open_clip(
    source: str | os.PathLike[str] | bytes | BinaryIO,
    every: float | None = 1.0,
    piece: float = 0.975,
    rate: int = 16000,
    alike: float | None = ALIKE,
    size: int | None = None,
    name: str | None = None,
    fps: float | None = None,
    region: str | Window | None = None,
) -> Clip:
    """Opens a clip; what it holds is read as its moments are asked for.

    A track that a clip lacks is missing from its moments. The clock starts with the earlier track's first frame or
    sample. The last piece of sound is filled up with zeros, which its end leaves out.

    Args:
        source: a path, bytes, an open binary file, a folder of frames in the order of their names, an address
            ("rtsp://...", "https://..."), or a video device ("/dev/video0").
        every: at most one frame in so many seconds; None or 0 for every frame.
        piece: seconds of a piece of sound.
        rate: samples a second of the sound that is given.
        alike: difference from the last frame given, in grey levels of 255, below which a frame is left out; None for
            no such test, where small motion counts, as of lips.
        size: pixels of a frame's longer side at most; None leaves frames as large as they are.
        name: what an error calls the clip.
        fps: frames a second of a folder of frames, which has no clock of its own; not used for anything else.
        region: the part of each frame that is given, as (left, top, right, bottom) in shares of its sides, or "motion",
            where it moves most, as the mouth of somebody who talks; then frames come up to 3 seconds late. `alike` and
            `size` are of whole frames.

    Raises:
        InputError: no such clip, or one that cannot be used; while it is read, one that is cut short or stalls.
    """
    text = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    if name is None:
        name = text or (
            "bytes" if isinstance(source, (bytes, bytearray, memoryview)) else str(getattr(source, "name", "clip"))
        )
    every = _checked(every, piece, rate, alike, size, name)
    check_region(region, name)
    pictures = partial(_pictures, region, every, alike, size, name)
    if text and not is_live(text) and os.path.isdir(text):
        return Clip(_folder_moments(_frame_files(text, fps, name), fps, pictures(hold=float("inf"))))
    opened = open_source(source, name)
    tracks: dict[int, Track] = {}
    if opened.video is not None:
        tracks[opened.video.index] = pictures(hold=LIVE_HOLD if opened.live else float("inf"))
    if opened.audio is not None:
        tracks[opened.audio.index] = Sound(piece, rate, name)
    return Clip(_in_order(_read(opened, tracks, name), list(tracks.values())), opened.container.close)


def _pictures(
    region: str | Window | None, every: float, alike: float | None, size: int | None, name: str, hold: float
) -> Pictures | Region:
    track = Pictures(every, alike, size, hold, name)
    return track if region is None else Region(track, region)


def _checked(every: float | None, piece: float, rate: int, alike: float | None, size: int | None, name: str) -> float:
    """`every` as a number, once all settings are seen to make sense."""
    every = 0.0 if every is None else every
    for what, value, fits, example in (
        ("every", every, every >= 0, "every=1.0"),
        ("piece", piece, piece > 0, "piece=0.975"),
        ("rate", rate, rate > 0, "rate=16000"),
        ("alike", alike, alike is None or alike >= 0, f"alike={ALIKE}"),
        ("size", size, size is None or size > 0, "size=320"),
    ):
        if not fits:
            raise InputError(f"{name}: {what} {value} is out of range; try {example}")
    return every


def _in_order(moments: Iterator[Moment | None], tracks: list[Track]) -> Iterator[Moment]:
    """Moments of all tracks by their ends, the clock's start taken off; None among them only says that time went on."""
    waiting: list[tuple[float, int, Moment]] = []
    origin, newest, problem = None, -float("inf"), None
    arrived = 0
    while True:
        try:
            moment = next(moments, moments)
        except InputError as error:
            moment, problem = moments, error
        over = moment is moments
        if moment is not None and not over:
            arrived, newest = arrived + 1, max(newest, moment.end)
            heappush(waiting, (moment.end, arrived, moment))
        read = float("inf") if over else min(track.clock for track in tracks)
        while waiting and (waiting[0][0] <= read or newest - waiting[0][0] > APART or len(waiting) > MOST):
            if origin is None:
                origin = min(track.first for track in tracks if track.first is not None)
            moment = heappop(waiting)[2]
            yield moment._replace(start=moment.start - origin, end=moment.end - origin)
        if over:
            break
    if problem is not None:
        raise problem


def _read(opened: Opened, tracks: dict[int, Track], name: str) -> Iterator[Moment | None]:
    """The moments of each track as they come to an end, and None between; last the error, where there was one."""
    reader = Reader(opened, name)
    try:
        for index, frame in reader.frames():
            yield from _feed(tracks[index], frame, reader)
            yield None
        problem = reader.problem
    except InputError as error:
        problem = error
    for track in tracks.values():
        yield from track.finish()
    if problem is None and all(track.first is None for track in tracks.values()):
        problem = InputError(f"{name}: none of its pictures and sound can be decoded; copy or download it again")
    if problem is not None:
        raise problem


def _feed(track: Track, frame: Any, reader: Reader) -> Iterator[Moment]:
    if isinstance(track, Sound):
        return track.feed(frame)
    start = frame.time if frame.time is not None else track.end
    return track.feed(FilmShot(frame, track.name), start, start + reader.length(frame))


def _frame_files(folder: str, fps: float | None, name: str) -> list[Path]:
    files = [path for path in Path(folder).iterdir() if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file()]
    if not files:
        raise InputError(f"{name}: a folder without frames; give one that holds photos ({name}/0001.png, ...)")
    if fps is None or not fps > 0:
        raise InputError(f"{name}: a folder of frames has no clock; say how many make a second, such as fps=25")
    return sorted(files, key=_by_number)


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sorts names by the numbers in them, so that frame_10 follows frame_9."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _folder_moments(files: list[Path], fps: float, pictures: Pictures | Region) -> Iterator[Moment]:
    problem = None
    try:
        for number, path in enumerate(files):
            yield from pictures.feed(FileShot(path), number / fps, (number + 1) / fps)
    except InputError as error:
        problem = error
    yield from pictures.finish()
    if problem is not None:
        raise problem
