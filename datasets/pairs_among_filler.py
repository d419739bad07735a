"""Key-value pairs among filler: long made texts, of which a few sentences state what is asked for afterwards.

Notable: the names that a test asks for never occur in training (one in five combinations is set aside), and a value is
one of a thousand, so who guesses is right once in a thousand questions.
"""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from mm_memgpt.datasets.chance import draw, set_aside

_QUALITIES = (
    "red blue green yellow black white brown grey old new small tall quiet cold warm dry deep narrow broken long "
    "round open dark bright"
)
_THINGS = (
    "harbour box key door bag cup book chair boat car coat bike lamp tower bridge garden cellar office kitchen school "
    "shop barn ship train station church castle river island forest market window ladder mirror bottle basket clock "
    "piano engine tent"
)
QUALITIES, THINGS = tuple(_QUALITIES.split()), tuple(_THINGS.split())
ASPECTS = ("code", "number", "weight", "price")
"""What a pair says of a thing; things of one name, and aspects of one thing, must be told apart."""

DIGITS = 3
"""Of a value."""

CHANCE = 10.0**-DIGITS
"""Share of the questions that a guess answers."""

STATED, ASKED = "The {} of the {} is {}.", "What is the {} of the {}?"

_FILLER = (
    "the baker;my neighbour;an old sailor;the teacher;her brother;the gardener;a stranger;the doctor",
    "walked slowly;looked back;waited;sat down;sang;slept;talked for hours;read a letter;ate in silence",
    "near the sea;under a tree;in the rain;by the fire;on the stairs;before dawn;after supper;at noon",
    "because of the cold;without a word;as always;for the last time;like the others;with some relief",
)
"""Who does what, where, and how: one of each makes a sentence."""


class Pair(NamedTuple):
    """A key and its value, stated once in a text."""

    key: str
    """As "code of the red harbour"."""
    value: str
    """As "4 7 1"."""
    sentence: str
    question: str
    place: int
    """Which sentence of the text it is."""


class PairsText(NamedTuple):
    """A long text, and what can be asked of it."""

    sentences: tuple[str, ...]
    pairs: tuple[Pair, ...]
    """In the order in which they are stated."""


def keys(test: bool) -> list[tuple[str, str]]:
    """All (aspect, name) that training may state, or those of the names that are set aside for a test."""
    return [
        (aspect, f"{quality} {thing}")
        for quality in QUALITIES
        for number, thing in enumerate(THINGS)
        if set_aside(quality, number) == test
        for aspect in ASPECTS
    ]


def filler_sentence(generator: Random) -> str:
    """A made sentence that states nothing anybody asks for: one of 8 x 9 x 8 x 6 = 3,456."""
    made = " ".join(draw(generator, options.split(";")) for options in _FILLER)
    return f"{made[0].upper()}{made[1:]}."


def make_text(
    generator: Random,
    length: int,
    pairs: int,
    filler: Sequence[str] | None = None,
    test: bool = False,
    places: Sequence[int] | None = None,
) -> PairsText:
    """A text of so many sentences, with so many pairs of different keys among them.

    Args:
        generator: what is drawn from.
        length: sentences, the pairs included.
        pairs: how many.
        filler: sentences that the others are drawn from; made ones where None.
        test: whether the names are those that are set aside.
        places: where the pairs stand; drawn where None.

    Raises:
        ValueError: more pairs than sentences, or than there are keys, or not a place for each.
    """
    known = keys(test)
    if not 0 <= pairs <= min(length, len(known)):
        raise ValueError(f"{pairs} pairs do not fit {length} sentences and {len(known)} keys; ask for fewer")
    if places is None:
        places = generator.sample(range(length), k=pairs)
    if len(set(places)) != pairs or not all(0 <= place < length for place in places):
        raise ValueError(f"places {list(places)} must be {pairs} different ones in 0..{length - 1}")
    sentences = [draw(generator, filler) if filler else filler_sentence(generator) for _ in range(length)]
    stated = []
    for place, (aspect, name) in zip(sorted(places), generator.sample(known, k=pairs), strict=True):
        value = " ".join(str(draw(generator, range(10))) for _ in range(DIGITS))
        sentences[place] = STATED.format(aspect, name, value)
        asked = ASKED.format(aspect, name)
        stated.append(Pair(f"{aspect} of the {name}", value, sentences[place], asked, place))
    return PairsText(tuple(sentences), tuple(stated))
