"""The part of a clip's pictures that is given: a fixed window, or the one where the picture moves most.

Notable: no face is looked for. Of somebody who talks, eyes and mouth move most, and the eyes lie above; so the window
is that of most motion whose top is at the motion's centre of gravity or below. Frames wait until it is known, for at
most SETTLE seconds, and from then on it is found anew from the frames of each such stretch.

n frames   h w cells of a small grey picture
"""

from collections import deque
from collections.abc import Iterator

import numpy as np
from PIL import Image

from mm_memgpt.datasets.clip_tracks import Moment, Pictures, Shot
from mm_memgpt.types import InputError

CELLS = 40
"""Side of the small grey pictures in which motion is looked for."""

SEARCHED = 8
"""Side of the window that is looked for, in cells: small, so that it lies on what moves, not beside it."""

SHARE = 0.28
"""Side of the window that is given, around the one found, as a share of the picture's."""

SETTLE = 3.0
"""Seconds of frames from which a window is found, less than those a track may lag behind the other."""

WAITING = 30_000_000
"""Pixels that may wait, 90 MB; large frames wait for a shorter time."""

STILL = 0.5
"""Grey levels of 255 above a picture's median motion below which nothing moves: noise."""

FADE = 0.5
"""What is left of the motion seen before, when that of the next stretch is added."""

Window = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of the picture from 0 to 1."""


def check_region(region: str | Window | None, name: str) -> None:
    """Raises InputError for a region that is neither "motion" nor a window, nor None."""
    if region is None or region == "motion":
        return
    if not isinstance(region, str) and len(region) == 4:
        left, top, right, bottom = region
        if 0 <= left < right <= 1 and 0 <= top < bottom <= 1:
            return
    raise InputError(
        f'{name}: region {region!r} is no part of a picture; give "motion", or shares from 0 to 1 as (left, top, '
        "right, bottom), such as (0.25, 0.5, 0.75, 1.0)"
    )


def motion(greys: np.ndarray) -> np.ndarray:
    """How much each cell changes from frame to frame, (n, h, w) to (h, w), in grey levels."""
    return np.abs(np.diff(greys.astype(np.float32), axis=0)).mean(0)


def liveliest(moved: np.ndarray, share: float = SHARE) -> Window | None:
    """The window around what moves most at or below the centre of gravity of all motion; None where nothing moves.

    Motion counts above twice its median, so that noise, which is everywhere, has no say in the centre.

    Args:
        moved: (h, w) as `motion` gives it.
        share: the window's side, as a share of the picture's.
    """
    above = np.maximum(moved - 2 * np.median(moved), 0)
    if above.max() < STILL:
        return None
    rows, columns = moved.shape
    lowest = rows - SEARCHED
    top = min(round(float((above.sum(1) * np.arange(rows)).sum() / above.sum())), lowest)
    sums = np.pad(moved.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = sums[SEARCHED:] - sums[:-SEARCHED]
    sums = (sums[:, SEARCHED:] - sums[:, :-SEARCHED])[top:]
    row, column = np.unravel_index(sums.argmax(), sums.shape)
    left = _inside((column + SEARCHED / 2) / columns - share / 2, share)
    upper = _inside((row + top + SEARCHED / 2) / rows - share / 2, share)
    return left, upper, left + share, upper + share


def crop(photo: Image.Image, window: Window | None) -> Image.Image:
    """The part of a photo in the window, at least a pixel of it; all of it where there is no window."""
    if window is None:
        return photo
    left, top = (int(share * side) for share, side in zip(window[:2], photo.size, strict=True))
    spans = (window[2] - window[0], window[3] - window[1])
    width, height = (max(1, round(share * side)) for share, side in zip(spans, photo.size, strict=True))
    return photo.crop((left, top, left + width, top + height))


class Region:
    """A track of pictures of which only a part is given, fed and read as `Pictures` is.

    Args:
        pictures: the track.
        region: a window, or "motion".
    """

    def __init__(self, pictures: Pictures, region: str | Window) -> None:
        self.pictures, self.name = pictures, pictures.name
        self._window: Window | None = None if isinstance(region, str) else region
        self._follows = isinstance(region, str)
        self._waiting: deque[Moment] = deque()
        self._pixels = 0
        self._last: np.ndarray | None = None  # of the stretch before, so that no change is missed
        self._moved: np.ndarray | None = None

    @property
    def first(self) -> float | None:
        """When the track begins."""
        return self.pictures.first

    @property
    def end(self) -> float:
        """When the last frame that was fed ends."""
        return self.pictures.end

    @property
    def clock(self) -> float:
        """How far the track has been given: what is still to come ends at or after it."""
        return self._waiting[0].start if self._waiting else self.pictures.clock

    def feed(self, shot: Shot, start: float, end: float) -> Iterator[Moment]:
        """As `Pictures.feed`, later by as much as frames wait."""
        for moment in self.pictures.feed(shot, start, end):
            yield from self._take(moment)

    def finish(self) -> Iterator[Moment]:
        """What still waits, and the last moment; the track is at its end."""
        for moment in self.pictures.finish():
            yield from self._take(moment)
        yield from self._settle()

    def _take(self, moment: Moment) -> Iterator[Moment]:
        if not self._follows:
            yield moment._replace(photo=crop(moment.photo, self._window))
            return
        self._waiting.append(moment)
        self._pixels += moment.photo.width * moment.photo.height
        if moment.end - self._waiting[0].start >= SETTLE or self._pixels >= WAITING:
            yield from self._settle()

    def _settle(self) -> Iterator[Moment]:
        """Finds the window from what waits, and gives that."""
        if not self._waiting:
            return
        greys = [small(moment.photo) for moment in self._waiting]
        seen = greys if self._last is None else [self._last, *greys]
        self._last = greys[-1]
        if len(seen) > 1:
            moved = motion(np.stack(seen))
            self._moved = moved if self._moved is None else moved + FADE * self._moved
            self._window = liveliest(self._moved) or self._window
        self._pixels = 0
        while self._waiting:
            moment = self._waiting.popleft()  # one by one, because the clock says what still waits
            yield moment._replace(photo=crop(moment.photo, self._window))


def small(photo: Image.Image) -> np.ndarray:
    """(CELLS, CELLS) uint8: a photo in grey, made small."""
    return np.asarray(photo.convert("L").resize((CELLS, CELLS), Image.Resampling.BOX))


def _inside(start: float, share: float) -> float:
    return min(max(start, 0.0), 1.0 - share)
