"""A made camera that moves over a photo: it pans, zooms in or zooms out for a few seconds, so a photo becomes a clip.

Notable: nothing is filmed; what the camera sees is always a part of one photo, and always more than half of it, so
what people wrote about the photo stays true of the clip. A photo's name decides how the camera moves.
"""

from collections.abc import Iterable
from io import BytesIO
from math import ceil
from pathlib import PurePath
from random import Random
from typing import NamedTuple

import av
import numpy as np
from PIL import Image

from mm_memgpt.datasets.chance import between, draw, happens
from mm_memgpt.datasets.clip import ALIKE
from mm_memgpt.datasets.clip_region import Window
from mm_memgpt.datasets.clip_tracks import GREY, Moment, Pictures

MOVES = ("pan", "zoom in", "zoom out")
"""What the camera does, each as often as the others."""

NEAR, FAR = (0.75, 0.82), (0.95, 1.0)
"""Sides of the narrow and of the wide window, at least and at most, as shares of the photo's: 56% of its area or more.

A pan keeps a narrow window, a zoom goes from one to the other.
"""

EDGE = 0.2
"""How far from the edges a pan begins and ends at most, as a share of the way that it could go."""

SECONDS = (2.5, 3.0, 3.5, 4.0)
"""How long the camera moves: at a frame a second three or four are kept, the last for half a second or a whole one."""

EVERY = 1.0
"""Seconds from one frame that `watch` keeps to the next, unless it is told otherwise."""

RULES = (MOVES, NEAR, FAR, EDGE, SECONDS, EVERY, ALIKE)
"""All that decides which frames come of a photo and a name."""


class Move(NamedTuple):
    """How the camera moves: from one window to another."""

    begin: Window
    end: Window
    seconds: float

    def window(self, second: float) -> Window:
        """Where it looks at a second: it starts and stops gently, s(t) = 3t² - 2t³ of the way after a share t."""
        share = second / self.seconds
        gone = share * share * (3 - 2 * share)
        left, top, right, bottom = (a + (b - a) * gone for a, b in zip(self.begin, self.end, strict=True))
        return left, top, right, bottom


class Still:
    """A frame that is a picture already, as `Pictures` asks for it."""

    def __init__(self, picture: Image.Image) -> None:
        self.picture = picture

    def grey(self) -> np.ndarray:
        """(GREY, GREY) uint8: the frame made small."""
        return np.asarray(self.picture.convert("L").resize((GREY, GREY), Image.Resampling.BOX))

    def photo(self, size: int | None) -> Image.Image:
        """The frame as it is."""
        return self.picture


def move_of(source: str, view: str = "plain") -> Move:
    """The camera's move over the photo of a sample; another view, another move.

    Args:
        source: as `Sample.source` has it; only what follows the last folder counts, so data may lie anywhere.
        view: any name.
    """
    return draw_move(Random(f"{view} {PurePath(source).name}"))


def draw_move(generator: Random) -> Move:
    """A move by chance."""
    kind, seconds, near = draw(generator, MOVES), draw(generator, SECONDS), between(generator, *NEAR)
    if kind == "pan":
        along = [between(generator, 0, EDGE), between(generator, 1 - EDGE, 1)]
        if happens(generator, 0.5):
            along.reverse()
        across = [generator.random(), generator.random()]
        places = zip(along, across, strict=True) if happens(generator, 0.5) else zip(across, along, strict=True)
        begin, end = (_window(near, x, y) for x, y in places)
        return Move(begin, end, seconds)
    wide = _window(between(generator, *FAR), generator.random(), generator.random())
    narrow = _window(near, generator.random(), generator.random(), inside=wide)
    return Move(wide, narrow, seconds) if kind == "zoom in" else Move(narrow, wide, seconds)


def frames(photo: Image.Image, path: Iterable[Window]) -> list[Image.Image]:
    """What the camera sees of a photo through each window, in the photo's own size, made even as video wants it."""
    width, height = photo.size
    size = tuple(max(2, side // 2 * 2) for side in photo.size)
    return [
        photo.resize(
            size,
            Image.Resampling.BILINEAR,
            box=(left * width, top * height, min(right, 1) * width, min(bottom, 1) * height),
        )
        for left, top, right, bottom in path
    ]


def watched(photo: Image.Image, move: Move) -> list[Moment]:
    """The frames, with their times, that `open_clip` keeps of such a clip: one every second, if it shows anything new.

    Only these are made; `render` makes all of them.
    """
    pictures, moments = Pictures(EVERY, ALIKE, None, float("inf"), "clip"), []
    for number in range(ceil(move.seconds / EVERY)):
        start = number * EVERY
        [frame] = frames(photo, [move.window(start)])
        moments += pictures.feed(Still(frame), start, min(start + EVERY, move.seconds))
    return [*moments, *pictures.finish()]


def render(photo: Image.Image, move: Move, fps: int = 12) -> bytes:
    """The clip as an mp4 file without sound, in H.264, of `fps` frames a second."""
    path = [move.window(number / fps) for number in range(round(move.seconds * fps))]
    content = BytesIO()
    with av.open(content, "w", format="mp4") as container:
        pictures = container.add_stream("libx264", rate=fps, options={"preset": "veryfast", "crf": "18"})
        pictures.pix_fmt = "yuv420p"
        for number, window in enumerate(path):
            [frame] = frames(photo, [window])
            if number == 0:
                pictures.width, pictures.height = frame.size
            container.mux(pictures.encode(av.VideoFrame.from_image(frame)))
        container.mux(pictures.encode(None))
    return content.getvalue()


def _window(side: float, x: float, y: float, inside: Window = (0.0, 0.0, 1.0, 1.0)) -> Window:
    """A window of this side within another; x and y say where, from 0 (left, top) to 1 (right, bottom)."""
    left = inside[0] + (inside[2] - inside[0] - side) * x
    top = inside[1] + (inside[3] - inside[1] - side) * y
    return left, top, left + side, top + side
