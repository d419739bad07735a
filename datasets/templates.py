"""The sentences that are made, not written by people: about the sounds of ESC-10, and spoken digits as words.

Notable: this is the whole template. ESC-10 gives a class and no sentence, so a training target is one of its class's
sentences below, drawn at random, and says no more than the class; FSDD and GRID give a digit, and its target is the
digit's word. `read_sound` and `read_digit` find class and digit in what a model wrote, so a sentence of a model's own
scores too: it must name one class and no other.
"""

import re
from typing import NamedTuple

from mm_memgpt.words import words

NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
"""Numbers as words; the first ten are the digits."""


class Sound(NamedTuple):
    """How a class of sounds is written about."""

    name: str
    """What makes it or what it is, in one or two words: the answer to a question."""
    phrase: str
    """The name within a sentence."""
    stems: str
    """Beginnings of words, any of which names the class."""
    sentences: tuple[str, ...]


SOUNDS = {
    "dog_bark": Sound(
        "barking dog",
        "a barking dog",
        "bark dog woof",
        ("a dog is barking", "a dog barks", "the barking of a dog", "a dog barks again and again"),
    ),
    "rain": Sound(
        "rain",
        "rain",
        "rain downpour",
        ("rain is falling", "it is raining", "the sound of rain", "rain falls steadily"),
    ),
    "sea_waves": Sound(
        "sea waves",
        "sea waves",
        "wave sea surf ocean",
        ("waves are breaking on the shore", "sea waves roll in", "the sound of sea waves", "the surf of the sea"),
    ),
    "baby_cry": Sound(
        "crying baby",
        "a crying baby",
        "baby babies infant cry cries cried",
        ("a baby is crying", "a baby cries", "the crying of a baby", "a baby cries loudly"),
    ),
    "clock_tick": Sound(
        "ticking clock",
        "a ticking clock",
        "clock tick",
        ("a clock is ticking", "a clock ticks", "the ticking of a clock", "a clock ticks steadily"),
    ),
    "person_sneeze": Sound(
        "sneeze",
        "a sneeze",
        "sneez",
        ("a person is sneezing", "someone sneezes", "the sound of a sneeze", "a person sneezes"),
    ),
    "helicopter": Sound(
        "helicopter",
        "a helicopter",
        "helicopter",
        ("a helicopter is flying", "a helicopter flies overhead", "the sound of a helicopter", "a helicopter hovers"),
    ),
    "chainsaw": Sound(
        "chainsaw",
        "a chainsaw",
        "chainsaw saw",
        ("a chainsaw is running", "a chainsaw cuts wood", "the sound of a chainsaw", "a chainsaw roars"),
    ),
    "rooster": Sound(
        "rooster",
        "a rooster",
        "rooster crow cock",
        ("a rooster is crowing", "a rooster crows", "the crowing of a rooster", "a rooster crows loudly"),
    ),
    "fire_crackling": Sound(
        "crackling fire",
        "a crackling fire",
        "fire crackl",
        ("a fire is crackling", "a fire crackles", "the crackling of a fire", "a fire burns and crackles"),
    ),
}
"""ESC-10's classes by `class_name`, and every sentence that is made about them."""

EXACT = {"sea", "cry", "saw", "crow", "cock", "fire"}
"""Stems that are whole words, or plurals: "search", "crowd" and "cockpit" begin like them and name no sound."""

_CLASSES = {
    kind: re.compile("|".join(rf"{stem}(s|ing)?$" if stem in EXACT else stem for stem in sound.stems.split()))
    for kind, sound in SOUNDS.items()
}


def read_sound(sentence: str) -> str | None:
    """The class of ESC-10 that a sentence names; None where it names none, or several."""
    found = sound_classes(sentence)
    return next(iter(found)) if len(found) == 1 else None


def sound_classes(sentence: str) -> frozenset[str]:
    """All classes of ESC-10 that a sentence names."""
    return frozenset(kind for kind, stems in _CLASSES.items() for word in words(sentence) if stems.match(word))


def digit_word(digit: int) -> str:
    """A digit as it is said. Raises ValueError where it is not 0 to 9."""
    if not 0 <= digit <= 9:
        raise ValueError(f"{digit} is no digit; give 0 to 9")
    return NUMBERS[digit]


def read_digit(sentence: str) -> int | None:
    """The digit that a sentence names, as a word or a figure; None where it names none, or several."""
    found = {NUMBERS.index(number(word)) for word in words(sentence) if number(word) in NUMBERS[:10]}
    return found.pop() if len(found) == 1 else None


def number(word: str) -> str:
    """A number in figures, 0 to 20, as a word; any other word as it is."""
    return NUMBERS[int(word)] if re.fullmatch(r"[0-9]{1,2}", word) and int(word) < len(NUMBERS) else word
