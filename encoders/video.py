"""Clips into memory items: frames by the image encoder, pieces of sound by the audio encoder, on one clock.

Notable: it has no parameters of its own; moments are read as they come, a group at a time, and a frame is made the
model's size at once, so a clip may be of any length; items keep the order in which their moments came. Looked at
closely, frames become items by stretches, each of which comes when its last frame does.

n items   p tokens per item   t samples   h height   w width   f frames of a stretch   d width   k key width
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from mm_memgpt.encoders.items import join, reorder
from mm_memgpt.types import Features

if TYPE_CHECKING:  # a model that is given its items needs no reader of clips
    from mm_memgpt.datasets.clip import Moment


class Perceived(NamedTuple):
    """What an encoder is given for one item, and when that was."""

    kind: str
    """"photo", "stretch" or "sound"."""
    time: tuple[float, float]
    content: Tensor
    """(1, 3, h, w) pixels of a photo, (f, 3, h, w) of a stretch, or (1, t) samples."""


class VideoEncoder:
    """Moments to Features, one item a moment, or one a stretch of frames where these are looked at closely.

    Args:
        image: takes pixels (1, n, 3, h, w) with their source and time, as `ImageEncoder` does.
        audio: takes waveforms (1, n, t) with their source and time, as `AudioEncoder` does; where it is None, sound is
            left out.
        pixels: what makes pixels (1, 3, h, w) of a photo, normalised as the image encoder wants them.
        motion: takes maps (1, n, f, c, h, w) as `MotionEncoder` does, for frames that follow each other closely; None
            makes an item of each frame.
    """

    def __init__(
        self,
        image: nn.Module,
        audio: nn.Module | None,
        pixels: Callable[[Image], Tensor],
        motion: nn.Module | None = None,
    ) -> None:
        self.image, self.audio, self.pixels, self.motion = image, audio, pixels, motion

    def encode_moments(self, moments: Iterable["Moment"], source: int, batch: int = 16) -> Iterator[Features]:
        """Features of each group of at most `batch` moments, in the order in which they come.

        Gradients flow unless the caller turns them off; where the moments break off with an error, what came before is
        given first.

        Args:
            moments: as `mm_memgpt.datasets.clip.open_clip` gives them.
            source: the clip's number, which all items get.
            batch: moments a group.

        Returns:
            tokens (1, n, p, d), mask (1, n, p), key (1, n, k), time (1, n, 2), modality (1, n), source (1, n), where p
            is the larger of the two encoders'; the mask is False where an item has fewer tokens.

        Raises:
            ValueError: `batch` below 1, or encoders of different widths.
        """
        if batch < 1:
            raise ValueError(f"batch {batch} must be at least 1; try batch=16")
        return self._groups(iter(moments), source, batch)

    def _groups(self, moments: Iterator["Moment"], source: int, batch: int) -> Iterator[Features]:
        problem: Exception | None = None

        def until_broken() -> Iterator[Perceived]:
            nonlocal problem
            try:
                for moment in moments:
                    time = (moment.start, moment.end)
                    if moment.photo is not None:
                        yield Perceived("photo", time, self.pixels(moment.photo))
                    elif self.audio is not None:
                        yield Perceived("sound", time, moment.samples.unsqueeze(0))  # (1, t)
            except Exception as error:  # kept until the group that it broke into is given
                problem = error

        perceived = until_broken()
        if self.motion is not None:
            perceived = stretches(perceived, self.motion.config.frames)
        while group := list(islice(perceived, batch)):
            yield self._encode(group, source)
        if problem is not None:
            raise problem

    def _encode(self, group: Sequence[Perceived], source: int) -> Features:
        """Each kind by its encoder in one call, then all items back in the group's order."""
        parts, places = [], []
        weight = next(self.image.parameters())
        for kind in ("photo", "stretch", "sound"):
            chosen = [place for place, item in enumerate(group) if item.kind == kind]
            if not chosen:
                continue
            contents = [group[place].content.to(weight.device, weight.dtype) for place in chosen]
            when = {
                "time": torch.tensor([[group[place].time for place in chosen]], dtype=torch.float64).to(weight.device),
                "source": torch.full((1, len(chosen)), source, dtype=torch.int64, device=weight.device),
            }
            if kind == "stretch":
                parts.append(self._look_closely(contents, when))
            else:
                encoder = self.image if kind == "photo" else self.audio
                parts.append(encoder(torch.cat(contents).unsqueeze(0), **when))  # (1, n, ...)
            places += chosen
        return _together(parts, places)

    def _look_closely(self, contents: Sequence[Tensor], when: dict[str, Tensor]) -> Features:
        """Stretches of pixels (f, 3, h, w), each of its own length, as items."""
        lengths = [len(each) for each in contents]
        maps = pad_sequence(self.image.look(torch.cat(contents)).split(lengths), batch_first=True)
        real = torch.arange(maps.shape[1], device=maps.device) < torch.tensor(lengths, device=maps.device).unsqueeze(-1)
        return self.motion(maps.unsqueeze(0), real.unsqueeze(0), **when)


def stretches(perceived: Iterable[Perceived], frames: int) -> Iterator[Perceived]:
    """The same, with up to `frames` photos in a row as one stretch, at the place of its last."""
    photos: list[Perceived] = []
    for item in perceived:
        if item.kind != "photo":
            yield item
            continue
        photos.append(item)
        if len(photos) == frames:
            yield _stretch(photos)
            photos = []
    if photos:
        yield _stretch(photos)


def _stretch(photos: Sequence[Perceived]) -> Perceived:
    time = (photos[0].time[0], photos[-1].time[1])
    return Perceived("stretch", time, torch.cat([photo.content for photo in photos]))


def _together(parts: Sequence[Features], places: Sequence[int]) -> Features:
    """Features of several encoders as one, where item i of all of them, in a row, belongs at places[i].

    Raises:
        ValueError: they differ in the width of tokens or keys.
    """
    for what, widths in (
        ("tokens", [part.tokens.shape[-1] for part in parts]),
        ("keys", [part.key.shape[-1] for part in parts]),
    ):
        if len(set(widths)) > 1:
            raise ValueError(f"{what} of frames are {widths[0]} wide, of sound {widths[1]}; build both of one width")
    order = torch.tensor(places).argsort().to(parts[0].tokens.device)
    return reorder(join(parts), order.unsqueeze(0))
