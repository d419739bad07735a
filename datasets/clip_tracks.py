"""The two tracks of a clip, each fed frame by frame and giving Moments: pictures with their spans, sound in pieces.

Notable: a picture is known to be over only when the next one comes, so a moment is given at its end; of sound at most
one piece is kept, of pictures one; times are the stream's own here, its start is taken off in `clip`.

t samples   h height   w width
"""

from collections.abc import Iterator
from os import PathLike
from typing import NamedTuple, Protocol

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mm_memgpt.datasets.photo import MAX_PIXELS, open_photo
from mm_memgpt.types import InputError

GREY = 16
"""Side of the small grey picture by which two frames are compared."""

TICK = 1e-3
"""Seconds by which a frame may come too early to be due: containers round times to milliseconds."""

JUMP = 0.1
"""Seconds that sound may lie off its count of samples before it is cut there and begun anew at its own time."""

BACK = 10.0
"""Seconds that a stream's clock may go back. Less is repetition, which is passed over."""


class Moment(NamedTuple):
    """A frame or a piece of sound, and when it was."""

    start: float
    """Seconds on the stream's clock."""
    end: float
    """Seconds: where the next frame that was kept starts, or where the piece's last real sample ends."""
    photo: Image.Image | None
    """The frame, RGB and upright; None for sound."""
    samples: Tensor | None
    """(t,) float32 in -1 to 1, one channel, always of one length: zeros follow the end. None for a frame."""


class Shot(Protocol):
    """A frame that has not been looked at yet."""

    def grey(self) -> np.ndarray:
        """(GREY, GREY) uint8: the frame made small."""

    def photo(self, size: int | None) -> Image.Image:
        """The frame as an RGB image, upright, its longer side at most `size` pixels."""


class FilmShot:
    """A frame that PyAV decoded.

    Raises:
        InputError: it has more pixels than a photo may have.
    """

    def __init__(self, frame: av.VideoFrame, name: str) -> None:
        check_pixels(frame.width, frame.height, name)
        self.frame = frame

    def grey(self) -> np.ndarray:
        return self.frame.reformat(GREY, GREY, "gray", interpolation="AREA").to_ndarray()

    def photo(self, size: int | None) -> Image.Image:
        width, height = self.frame.width, self.frame.height
        share = 1.0 if size is None else min(1.0, size / max(width, height))
        width, height = max(1, round(width * share)), max(1, round(height * share))
        photo = self.frame.to_image(width=width, height=height, interpolation="AREA")
        turn = round(self.frame.rotation / 90) * 90  # both count counter-clockwise
        return photo.rotate(turn, expand=True) if turn else photo


class FileShot:
    """A frame in a file of its own."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = path
        self.opened: Image.Image | None = None

    def grey(self) -> np.ndarray:
        return np.asarray(self._open().convert("L").resize((GREY, GREY), Image.Resampling.BOX))

    def photo(self, size: int | None) -> Image.Image:
        photo = self._open()
        if size is not None:
            photo.thumbnail((size, size), Image.Resampling.BOX)
        return photo

    def _open(self) -> Image.Image:
        if self.opened is None:
            self.opened = open_photo(self.path)
        return self.opened


class Pictures:
    """Frames in, moments out: at most one frame in `every` seconds, and none that looks like the last one given.

    Args:
        every: seconds; 0 for every frame.
        alike: mean absolute difference of two small grey pictures, in levels of 255, below which the second is no new
            frame; None where every frame counts.
        size: pixels of the longer side at most; None leaves frames as large as they are.
        hold: seconds after which a frame is given, and a new one begun, though nothing has changed.
        name: what an error calls the clip.
    """

    def __init__(self, every: float, alike: float | None, size: int | None, hold: float, name: str) -> None:
        self.every, self.alike, self.size, self.hold, self.name = every, alike, size, hold, name
        self.first: float | None = None  # when the track begins
        self.clock = -float("inf")  # how far it has been read: what is still to come ends at or after it
        self.end = 0.0
        self._looked = -float("inf")
        self._held: tuple[float, Image.Image, np.ndarray | None] | None = None

    def feed(self, shot: Shot, start: float, end: float) -> Iterator[Moment]:
        """The moment that this frame puts an end to, if it does.

        Raises:
            InputError: the clock goes back.
        """
        if start <= self.clock:
            check_clock(start, self.clock, self.name)
            return
        self.first = start if self.first is None else self.first
        self.clock, self.end = start, max(end, start)
        if start < self._looked + self.every - TICK:
            return
        self._looked = start
        grey = None if self.alike is None else shot.grey()
        held = self._held
        still = held is not None and grey is not None and start - held[0] < self.hold
        if still and difference(grey, held[2]) < self.alike:
            return
        self._held = (start, shot.photo(self.size), grey)
        if held is not None:
            yield Moment(held[0], start, held[1], None)

    def finish(self) -> Iterator[Moment]:
        """The last moment; the track is at its end."""
        if self._held is not None:
            yield Moment(self._held[0], self.end, self._held[1], None)
        self._held, self.clock = None, float("inf")


class Sound:
    """Sound of any kind in, moments of one length out, one channel at one rate.

    Where the sound has a gap, the piece before it ends there and the next begins after it, each at its true time.
    """

    def __init__(self, piece: float, rate: int, name: str) -> None:
        self.length, self.rate, self.name = max(1, round(piece * rate)), rate, name
        self.first: float | None = None
        self.clock = -float("inf")
        self._kind: tuple[str, str, int] | None = None
        self._start, self._fed, self._given = 0.0, 0, 0  # of the run: its first second, samples in, samples out
        self._kept = np.zeros(0, np.float32)
        self._resampler: av.AudioResampler | None = None

    def feed(self, frame: av.AudioFrame) -> Iterator[Moment]:
        """The pieces that this frame completes.

        Raises:
            InputError: the clock goes back, or a sample is no number.
        """
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        due = self._start + self._fed / self._kind[2] if self._kind else None
        time = frame.time if frame.time is not None else due or 0.0
        if due is not None and time < due - JUMP:
            check_clock(time, due, self.name)
            return
        if due is None or time > due + JUMP or kind != self._kind:
            yield from self._close_run()
            self._kind, self._start, self._fed, self._given = kind, time, 0, 0
            self._resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=self.rate)
        self.first = time if self.first is None else self.first
        self._fed += frame.samples
        yield from self._take(self._resampler.resample(frame))

    def finish(self) -> Iterator[Moment]:
        """What was left of the sound; the track is at its end."""
        yield from self._close_run()
        self.clock = float("inf")

    def _take(self, frames: list[av.AudioFrame]) -> Iterator[Moment]:
        # not the resampler's own mix, which makes what two channels share 1.4 times as loud
        self._kept = np.concatenate([self._kept, *(frame.to_ndarray().mean(0) for frame in frames)])
        while self._kept.size >= self.length:
            yield self._moment(self._kept[: self.length])
            self._kept = self._kept[self.length :]
        self.clock = self._start + (self._given + self._kept.size) / self.rate

    def _close_run(self) -> Iterator[Moment]:
        if self._resampler is not None:
            yield from self._take(self._resampler.resample(None))
            self._resampler = None
        if self._kept.size:
            yield self._moment(self._kept)
            self._kept = np.zeros(0, np.float32)

    def _moment(self, values: np.ndarray) -> Moment:
        start = self._start + self._given / self.rate
        if not np.isfinite(values).all():
            raise InputError(f"{self.name}: its sound holds NaN or infinite values; replace them and save it again")
        self._given += values.size
        samples = torch.zeros(self.length)
        samples[: values.size] = torch.from_numpy(values).clamp(-1, 1)
        return Moment(start, self._start + self._given / self.rate, None, samples)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of two grey pictures (h, w) uint8, in levels of 255."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def check_pixels(width: int, height: int, name: str) -> None:
    """Raises InputError for a frame that is larger than a photo may be."""
    if width * height > MAX_PIXELS:
        size = f"frames of {width:,} x {height:,} = {width * height:,} pixels"
        raise InputError(f"{name}: {size}, more than {MAX_PIXELS:,}; make them smaller first")


def check_clock(now: float, before: float, name: str) -> None:
    """Raises InputError where a stream's clock goes far back."""
    if now < before - BACK:
        raise InputError(f"{name}: its clock goes back from {before:.1f} s to {now:.1f} s; start anew from there")
