"""A sentence about a whole scene, made from what people wrote about its photos and from the templates of its sounds.

Notable: it tells the items in order, those of one moment together; all its words about photos are people's, those
about sounds, digits and notes are made.
"""

from collections.abc import Callable
from itertools import groupby
from random import Random

from mm_memgpt.datasets.chance import draw
from mm_memgpt.datasets.pools import Photo
from mm_memgpt.datasets.scenes import Item, Scene
from mm_memgpt.datasets.templates import SOUNDS, digit_word
from mm_memgpt.words import sentence

PROMPT = "What happened?"
"""What asks a model for such a sentence."""

LONGEST = 4
"""Items of a scene that one sentence can tell of."""


def summarise(scene: Scene, written: Callable[[Photo], str], generator: Random) -> str:
    """Such as: "A dog runs and a rooster is crowing, then someone says seven."

    Args:
        scene: at most LONGEST items.
        written: a sentence of people about a photo.
        generator: draws the sentences about sounds.

    Raises:
        ValueError: more items.
    """
    if len(scene.items) > LONGEST:
        raise ValueError(f"{len(scene.items)} items are too many for a sentence; take at most {LONGEST}")
    moments = groupby(scene.items, key=lambda item: item.start)
    told = [" and ".join(_clause(item, written, generator) for item in items) for _, items in moments]
    return sentence(", then ".join(told))


def _clause(item: Item, written: Callable[[Photo], str], generator: Random) -> str:
    if item.photo is not None:
        text = sentence(written(item.photo)).rstrip(".")
        return text[:1].lower() + text[1:]
    if item.sound is not None:
        return draw(generator, SOUNDS[item.sound.label].sentences)
    if item.digit is not None:
        return f"someone says {digit_word(int(item.digit.label))}"
    text = sentence(item.note.text).rstrip(".")
    return f"a note says that {text[:1].lower() + text[1:]}"
