"""What a model makes of what a user gives it: photos, sounds, clips and sentences as items for its memory.

Notable: photos are made the model's size at once, sounds and clips are perceived a group of items at a time, so an
input may be of any length; what a model has no sense for is refused in one line, or left out where pictures remain.

b batch   n items   p tokens per item   t samples   d width   k key width
"""

from collections.abc import Callable, Iterator, Sequence
from os import PathLike, fspath
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mm_memgpt.datasets.clip import ALIKE, open_clip
from mm_memgpt.datasets.clip_region import Window
from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.datasets.sound import as_sound, pieces
from mm_memgpt.encoders.items import join
from mm_memgpt.encoders.video import VideoEncoder
from mm_memgpt.kinds import kind_of
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.types import Features, InputError, MemoryState, Text
from mm_memgpt.words import sentence

Photo = str | PathLike | Image | np.ndarray
"""One photo: a path, a PIL image, or an array as `as_photo` takes it."""

Sound = str | PathLike | tuple[np.ndarray | Tensor, int]
"""One sound: a path, or a pair (samples, rate) as `as_sound` takes it."""

Input = Photo | Sound | Text
"""One input: a photo, a sound, a clip (a path or an address) or a sentence."""

LONGEST_QUERY = 256
"""Tokens of a sentence that its key is made of, at most."""

GROUP = 16
"""Items of a sound or clip that are perceived at a time."""


class Watched(NamedTuple):
    """How a clip is watched: `open_clip` says what each is."""

    every: float | None = 1.0
    alike: float | None = ALIKE
    fps: float | None = None
    region: str | Window | None = None
    """With one, frames are looked at closely: all of them in this part of the picture, at the model's own pace."""


class Perception:
    """A model and its processor, as what perceives."""

    def __init__(self, model: MMMemGPTForConditionalGeneration, processor: MMMemGPTProcessor) -> None:
        self.model, self.processor = model, processor

    def pixels(self, photos: Sequence[Any]) -> Tensor:
        """Photos, as `as_photo` takes them, as pixels (n, 3, h, w).

        Raises:
            InputError: the first that cannot be used.
        """
        return self.processor(images=[as_photo(photo) for photo in photos], return_tensors="pt")["pixel_values"]

    def see(self, pixel_values: Tensor) -> Features:
        """Pixels (n, 3, h, w) as n items of one row."""
        return self.model.image_encoder(pixel_values.unsqueeze(0).to(self.model.device, self.model.dtype))

    def read(self, sentences: Sequence[str], purpose: str) -> Features:
        """Sentences as items (n, 1, p, d), one a row.

        Args:
            sentences: as people write them.
            purpose: what an error says they are for: "search for", ...

        Raises:
            InputError: a sentence without a word, or a model that reads no text.
        """
        if self.model.text_encoder is None:
            raise InputError(f"this model has no text encoder, so it cannot {purpose}; take one that has, such as nano")
        if not all(map(str.strip, sentences)):
            raise InputError(f"nothing to {purpose}; give a sentence or a few words")
        tokenizer = self.processor.tokenizer
        begin, end = self.model.begin(1).item(), tokenizer.eos_token_id
        rows = tokenizer([sentence(text) for text in sentences], add_special_tokens=False)["input_ids"]
        rows = [torch.tensor([begin, *ids[:LONGEST_QUERY], end]) for ids in rows]
        text = pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_token_id)
        mask = pad_sequence([torch.ones_like(ids) for ids in rows], batch_first=True)
        return self.model.read_text(text.to(self.model.device), mask.to(self.model.device))

    def items(
        self, value: Input, source: int = 0, start: float = 0.0, how: Watched | None = None
    ) -> Iterator[Features]:
        """The items of an input (1, n, p, d), a group at a time, in the order of their times.

        Args:
            value: what to perceive.
            source: its number, which all its items get.
            start: second on the stream's clock at which it begins.
            how: how clips are watched.

        Raises:
            InputError: it cannot be used, or the model has no sense for it.
        """
        kind = kind_of(value)
        if kind == "clip":
            yield from self.watch(value, source, start, how)
        elif kind == "sound":
            yield from self.hear(value, source, start)
        else:
            features = self.read([value.text], "read") if kind == "text" else self.see(self.pixels([value]))
            yield placed(features, source, start, start)

    def hear(self, value: Sound, source: int, start: float) -> Iterator[Features]:
        """The items of a sound, as `items` gives them."""
        name = called(value, "sound")
        ear = self.model.audio_encoder
        if ear is None:
            raise InputError(f"{name}: a sound, and this model has no ears; {EARS}")
        config = ear.config
        waveforms, time = pieces(as_sound(value, config.rate, name), config.rate, config.seconds, start)
        for heard, when in zip(waveforms.split(GROUP), time.split(GROUP), strict=True):
            heard = heard.unsqueeze(0).to(self.model.device, self.model.dtype)  # (1, n, t)
            numbers = torch.full(heard.shape[:2], source, device=self.model.device)
            yield ear(heard, numbers, when.unsqueeze(0).to(self.model.device))

    def watch(
        self,
        value: Any,
        source: int = 0,
        start: float = 0.0,
        how: Watched | None = None,
        group: int = GROUP,
        noticed: Callable[[Image], None] | None = None,
    ) -> Iterator[Features]:
        """The items of a clip or stream, as `items` gives them, `group` at a time; it is closed at the end.

        Without ears a model sees the pictures alone. What came before a break is given before the error is raised.
        `noticed` is called with each frame that is seen, before the items of its group come.

        Raises:
            InputError: as `open_clip`, or the model has no sense for anything in it.
        """
        how, ear, name = how or Watched(), self.model.audio_encoder, called(value, "clip")
        heard = {} if ear is None else {"piece": ear.config.seconds, "rate": ear.config.rate}
        seen, motion = {"every": how.every, "alike": how.alike}, None
        if how.region is not None:
            motion = self.model.motion_encoder
            if motion is None:
                raise InputError(f"{name}: this model cannot look closely at a region; {MOTION}")
            seen = {"every": motion.config.every, "alike": None, "region": how.region}

        def pixels(photo: Image) -> Tensor:
            if noticed is not None:
                noticed(photo)
            return self.pixels([photo])

        encoder = VideoEncoder(self.model.image_encoder, ear, pixels, motion)
        perceived = False
        with open_clip(value, fps=how.fps, name=name, **seen, **heard) as clip:
            for features in encoder.encode_moments(clip, source, group):
                perceived = True
                yield features._replace(time=features.time + start)
        if not perceived:
            raise InputError(f"{name}: holds no picture, and this model has no ears; {EARS}")

    def memory(self, value: Input, how: Watched | None = None) -> MemoryState:
        """A memory of one input and nothing else, written a group of items at a time.

        Raises:
            InputError: as `items`.
        """
        state = self.model.bank.empty(device=self.model.device)
        for features in self.items(value, how=how):
            state = self.model.bank.write(state, features)
        return state

    def stream(
        self, inputs: Sequence[Input], numbers: Sequence[int], time: Sequence[float | tuple[float, float]] | None
    ) -> Features:
        """All inputs as items of one row (1, n, p, d), in the order given; photos are seen together.

        Args:
            inputs: at least one.
            numbers: the source of each.
            time: start, or start and end, of each in seconds on the stream's clock; where None, one after another, a
                photo or a sentence a second, a sound or clip as long as it is.

        Raises:
            InputError: the first input that cannot be used, or a time that is neither a number nor a pair of them.
        """
        kinds = [kind_of(value) for value in inputs]
        photos = [place for place, kind in enumerate(kinds) if kind == "photo"]
        seen = one_by_one(self.see(self.pixels([inputs[place] for place in photos]))) if photos else iter(())
        parts, clock = [], 0.0
        for place, (value, kind, number) in enumerate(zip(inputs, kinds, numbers, strict=True)):
            start, end = (clock, clock) if time is None else span(time[place])
            if kind == "photo":
                parts.append(placed(next(seen), number, start, end))
            elif kind == "text":
                parts.append(placed(self.read([value.text], "read"), number, start, end))
            else:
                parts.append(join(list(self.items(value, number, start))))
            clock = max(start + 1.0 if kind in ("photo", "text") else start, float(parts[-1].time.max()))
        return join(parts)


EARS = "take one that hears (its config.json has audio), or give photos or clips with pictures"
"""The way out for a model that cannot hear."""

MOTION = "leave the region out, or take a model that sees motion (its config.json has motion), such as nano"
"""The way out for a model that sees single frames alone."""


def one_by_one(features: Features) -> Iterator[Features]:
    """Items (1, n) each by itself (1, 1)."""
    return (Features(*fields) for fields in zip(*(field.split(1, dim=1) for field in features), strict=True))


def placed(features: Features, source: int, start: float, end: float) -> Features:
    """Items (1, n) of one source and one time."""
    time = torch.tensor([start, end], dtype=torch.float64, device=features.time.device)
    return features._replace(time=time.expand_as(features.time), source=torch.full_like(features.source, source))


def called(value: Any, kind: str, place: int | None = None) -> str:
    """What an input is called: its path where it has one, else its kind and its place in the list."""
    if isinstance(value, (str, PathLike)):
        return fspath(value)
    return kind if place is None else f"{kind} {place}"


def span(time: float | tuple[float, float]) -> tuple[float, float]:
    """Start and end of a time that may be a start alone.

    Raises:
        InputError: it is neither a number nor a pair of numbers.
    """
    pair = time if isinstance(time, (tuple, list)) else (time, time)
    try:
        start, end = map(float, pair)
    except (TypeError, ValueError):
        raise InputError(f"time {time!r} is no second nor a pair of them; give (start, end)") from None
    return start, end
