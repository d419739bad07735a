"""Clips in which somebody talks, as stretches of frames with the word that is spoken at each.

Notable: stretches begin anywhere, so that words are learned at every place of an item; frames come as their trunk's
maps.

f frames of a stretch   c h w a frame's map
"""

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mm_memgpt.config import MotionConfig
from mm_memgpt.datasets.chance import draw
from mm_memgpt.objectives.hearing import NO_LABEL, SILENCE
from mm_memgpt.training.library import Library
from mm_memgpt.training.maps import Maps
from mm_memgpt.training.mixture import Examples
from mm_memgpt.training.recipe import Recipe
from mm_memgpt.training.stream import Skip
from mm_memgpt.types import InputError


class Stretches:
    """Makes examples of a clip's frames with the word that is spoken at each.

    Args:
        maps: of lips, with the words of each row.
        words: those that are told apart, by number.
        frames: of an item.
        training: whether a stretch begins anywhere, in any view; without it, each is a clip's first, as it is.
    """

    def __init__(self, maps: Maps, words: Sequence[str], frames: int, training: bool) -> None:
        self.maps, self.words, self.frames, self.training = maps, list(words), frames, training

    def __call__(self, generator: Random) -> dict[str, Any]:
        """{"maps": (f, c, h, w) fp16, "words": (f) int64}. Raises InputError for a word that is not told apart."""
        number = draw(generator, range(len(self.maps)))
        seen, times = self.maps.row(number, draw(generator, self.maps.views) if self.training else "plain")
        half = self.frames // 2
        start = generator.randint(-half, max(-half, len(seen) - half)) if self.training else 0
        chosen = slice(max(0, start), start + self.frames)
        return {"maps": seen[chosen], "words": self._spoken(number, times[chosen])}

    def _spoken(self, number: int, times: Sequence[Sequence[float]]) -> Tensor:
        middle = torch.tensor(times, dtype=torch.float64).view(-1, 2).mean(1)
        numbers = torch.full((len(middle),), SILENCE)
        for word, begin, end in self.maps.words[number]:
            if word not in self.words:
                raise InputError(
                    f"{self.maps.folder}: {word!r} is not among words; add it there, or leave the rows out"
                )
            numbers[(middle >= begin) & (middle < end)] = self.words.index(word) + SILENCE + 1
        return numbers


def stretches_of(recipe: Recipe, library: Library, motion: MotionConfig, skip: Skip) -> tuple[Examples, Examples]:
    """The examples of the whole run, and those of validation.

    Raises:
        InputError: not one source of training, or clips that are missing or broken.
    """
    if len(recipe.data.train) != 1:
        raise InputError("lipreading: list one source of clips under data.train")
    [source], val = recipe.data.train, recipe.data.val
    learned, told = (library.lips(each, motion.every) for each in (source, val))
    length = round(recipe.optimiser.epochs * source.share * len(learned))
    return tuple(
        Examples({"lips": Stretches(maps, recipe.words, motion.frames, training)}, {"lips": 1.0}, count, seed, skip)
        for maps, training, count, seed in (
            (learned, True, length, str(recipe.seed)),
            (told, False, recipe.data.val_samples, "validation"),
        )
    )


def stack_stretches(examples: list[dict[str, Any]]) -> dict[str, Tensor]:
    """maps (b, f, c, h, w) fp16, mask (b, f) and words (b, f), as long as the longest."""
    fill = partial(pad_sequence, batch_first=True)
    return {
        "maps": fill([example["maps"] for example in examples]),
        "mask": fill([torch.ones(len(example["maps"]), dtype=torch.bool) for example in examples]),
        "words": fill([example["words"] for example in examples], padding_value=NO_LABEL),
    }
