"""Notes that are made: one sentence that states one fact, whose value a question can ask for.

Notable: notes about the same object, or in the same colour, differ in what they state, so the one that was asked for
must be found, not just any.
"""

from random import Random
from typing import NamedTuple

from mm_memgpt.datasets.chance import draw
from mm_memgpt.datasets.templates import NUMBERS

COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "grey")
OBJECTS = ("box", "key", "door", "bag", "cup", "book", "chair", "boat", "car", "coat", "bike", "lamp")
STATED: dict[str, tuple[str, ...]] = {
    "the code of the {} is {}": NUMBERS[:10],
    "the {} belongs to {}": ("anna", "ben", "clara", "david", "emma", "felix", "greta", "henry", "ida", "jonas"),
    "the {} is in the {}": (
        "kitchen",
        "garden",
        "cellar",
        "office",
        "garage",
        "attic",
        "hall",
        "school",
        "shop",
        "barn",
    ),
    "the {} arrives on {}": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "the price of the {} is {} euros": NUMBERS[1:13],
}
"""What a note states of an object, and the values it may have."""

ASKED = {
    "the code of the {} is {}": "What is the code of the {}?",
    "the {} belongs to {}": "Who does the {} belong to?",
    "the {} is in the {}": "Where is the {}?",
    "the {} arrives on {}": "When does the {} arrive?",
    "the price of the {} is {} euros": "How many euros is the price of the {}?",
}
"""How each of STATED is asked for."""


class Note(NamedTuple):
    """A sentence, and what it settles; a sentence that only distracts has no value and no question."""

    text: str
    question: str = ""
    value: str = ""
    number: int = 0
    """Place of the value among those that such a note may have."""


def make_note(generator: Random) -> Note:
    """A note drawn at random: one of 8 x 12 x 5 = 480 questions, and one of its values."""
    form = draw(generator, list(STATED))
    about = f"{draw(generator, COLOURS)} {draw(generator, OBJECTS)}"
    number = draw(generator, range(len(STATED[form])))
    value = STATED[form][number]
    return Note(form.format(about, value), ASKED[form].format(about), value, number)
