"""Memories of clips in which somebody talks, and what is said: by sound, by lips, by both, or beside whole frames.

Notable: half of the sounds are in noise, and each way of perceiving comes by itself, so a model learns to make do with
what there is.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from mm_memgpt.config import MotionConfig
from mm_memgpt.datasets.chance import draw, happens
from mm_memgpt.training.items import Item, Texts
from mm_memgpt.training.library import Library
from mm_memgpt.training.maps import Maps
from mm_memgpt.training.recipe import Source
from mm_memgpt.words import sentence

CLIPS = "video/grid_s1_train.parquet"
"""The clips, below the data's folder."""

SPARED = 10
"""Every so-manieth of them is for validation."""

PROMPT = "What is said?"
"""What asks a model for the words."""

PROMPTED = 0.75
"""Share of these memories that are asked for the words; of the others a sentence is learned."""

SENSED = {("lips",): 0.3, ("sound",): 0.3, ("lips", "sound"): 0.3, ("frames", "sound"): 0.1}
"""What a memory of a clip holds, and how often."""

LATE = 6
"""Frames of lips that training may miss at a clip's beginning, at most."""


class Clips(NamedTuple):
    """The maps of the same clips, as they are perceived in each way."""

    lips: Maps
    sound: Maps
    frames: Maps


class Speech:
    """Makes examples of lone clips: a dict of "kind", "items" and "text".

    Args:
        clips: their maps.
        config: how lips become items.
        texts: makes tokens.
        training: whether views and beginnings are drawn; without it, everything is as it was perceived.
    """

    def __init__(self, clips: Clips, config: MotionConfig, texts: Texts, training: bool) -> None:
        self.clips, self.config, self.texts, self.training = clips, config, texts, training

    def __call__(self, generator: Random) -> dict[str, Any]:
        """A clip, or a part of what it holds, with what is said in it."""
        number = draw(generator, range(len(self.clips.lips)))
        senses = draw(generator, list(SENSED), list(SENSED.values()))
        items = [item for sense in senses for item in getattr(self, sense)(number, generator)]
        said = " ".join(word for word, _, _ in self.clips.lips.words[number])
        asked = self.texts(said, PROMPT)
        text = asked if happens(generator, PROMPTED) else self.texts(sentence(f"someone says {said}"))
        return {"kind": "speech", "items": sorted(items, key=lambda item: item.time[1]), "text": [text]}

    def lips(self, number: int, generator: Random) -> list[Item]:
        """The frames of where a clip moves most, a stretch of them an item."""
        late = generator.randint(0, LATE) if self.training else 0
        maps, times = self.clips.lips.row(number, self._view(self.clips.lips.views, generator))
        frames = self.config.frames
        return [
            Item("motion", maps[at : at + frames], (times[at][0], times[at : at + frames][-1][1]), 0)
            for at in range(late, len(maps), frames)
        ]

    def sound(self, number: int, generator: Random) -> list[Item]:
        """Its sound, piece by piece."""
        return self._each("audio", self.clips.sound, number, generator)

    def frames(self, number: int, generator: Random) -> list[Item]:
        """Its whole frames, one a second."""
        return self._each("image", self.clips.frames, number, generator)

    def _each(self, modality: str, maps: Maps, number: int, generator: Random) -> list[Item]:
        contents, times = maps.row(number, self._view(maps.views, generator))
        return [Item(modality, content, tuple(time), 0) for content, time in zip(contents, times, strict=True)]

    def _view(self, views: Sequence[str], generator: Random) -> str:
        return draw(generator, views) if self.training else views[0]


def read_speech(library: Library, config: MotionConfig, texts: Texts, training: bool) -> Speech:
    """The memories of speech of training or of validation; maps are computed where they are not kept."""
    source = Source(path=CLIPS, spare=SPARED) if training else Source(path=CLIPS, spared=SPARED)
    clips = Clips(library.lips(source, config.every), library.speech(source), library.frames(source))
    return Speech(clips, config, texts, training)
