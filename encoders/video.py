"""Clips into memory items: frames by the image encoder, pieces of sound by the audio encoder, on one clock.

Notable: it has no parameters of its own; moments are read as they come, a group at a time, and a frame is made the
model's size at once, so a clip may be of any length; items keep the order in which their moments came.

n items   p tokens per item   t samples   h height   w width   d width   k key width
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import torch
from PIL.Image import Image
from torch import Tensor, nn

from mm_memgpt.encoders.items import join, reorder
from mm_memgpt.types import Features

if TYPE_CHECKING:  # a model that is given its items needs no reader of clips
    from mm_memgpt.datasets.clip import Moment


class VideoEncoder:
    """Moments to Features, one item a moment.

    Args:
        image: takes pixels (1, n, 3, h, w) with their source and time, as `ImageEncoder` does.
        audio: takes waveforms (1, n, t) with their source and time, as `AudioEncoder` does; where it is None, sound is
            left out.
        pixels: what makes pixels (1, 3, h, w) of a photo, normalised as the image encoder wants them.
    """

    def __init__(self, image: nn.Module, audio: nn.Module | None, pixels: Callable[[Image], Tensor]) -> None:
        self.image, self.audio, self.pixels = image, audio, pixels

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

        def until_broken() -> Iterator[tuple[bool, tuple[float, float], Tensor]]:
            nonlocal problem
            try:
                for moment in moments:
                    if moment.photo is not None:
                        yield True, (moment.start, moment.end), self.pixels(moment.photo)
                    elif self.audio is not None:
                        yield False, (moment.start, moment.end), moment.samples.unsqueeze(0)  # (1, t)
            except Exception as error:  # kept until the group that it broke into is given
                problem = error

        perceived = until_broken()
        while group := list(islice(perceived, batch)):
            yield self._encode(group, source)
        if problem is not None:
            raise problem

    def _encode(self, group: Sequence[tuple[bool, tuple[float, float], Tensor]], source: int) -> Features:
        """Each kind by its encoder in one call, then all items back in the group's order."""
        parts, places = [], []
        for encoder, is_photo in ((self.image, True), (self.audio, False)):
            chosen = [place for place, item in enumerate(group) if item[0] == is_photo]
            if not chosen:
                continue
            weight = next(encoder.parameters())
            values = torch.cat([group[place][2] for place in chosen]).unsqueeze(0)  # (1, n, ...)
            time = torch.tensor([[group[place][1] for place in chosen]], dtype=torch.float64, device=weight.device)
            numbers = torch.full((1, len(chosen)), source, dtype=torch.int64, device=weight.device)
            parts.append(encoder(values.to(weight.device, weight.dtype), source=numbers, time=time))
            places += chosen
        return _together(parts, places)


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
