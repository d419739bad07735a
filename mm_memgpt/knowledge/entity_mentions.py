"""Which entities a question may be about, and what else it says.

Notable: the name of most words goes first, and of those of equal length one that stands there letter by letter, so
"Free" is not any "free"; all of equal rank are returned, for which is meant the walks show.
"""

from typing import NamedTuple

from mm_memgpt.knowledge.linking import FUNCTION_WORDS, Linker
from mm_memgpt.knowledge.linking import Mention as Place
from mm_memgpt.knowledge.word_pieces import split_words

ENTITY = "<entity>"
"""The word that stands for the entity, whatever it is called."""


class Mention(NamedTuple):
    """A name in a question."""

    entities: tuple[int, ...]
    """Those of that name."""
    words: tuple[str, ...]
    """The question's words, with ENTITY in place of the name."""


def mentions(text: str, linker: Linker, names: list[str]) -> list[Mention]:
    """The names in a text that are the likeliest, all of equal rank.

    Args:
        text: the question.
        linker: finds names; it passes none by.
        names: of the entities.
    """
    found = []
    for place in linker.link(text):
        literal = tuple(each for each in place.entities if names[each] == place.text.replace("_", " "))
        common = place.text.casefold() in FUNCTION_WORDS
        rank = (len(split_words(place.text)), bool(literal), not common)
        found.append((rank, Mention(literal or place.entities, _around(text, place))))
    best = max((rank for rank, _ in found), default=None)
    return [mention for rank, mention in found if rank == best]


def without(text: str, name: str) -> tuple[str, ...]:
    """The question's words with ENTITY for each place where they are the words of a name."""
    words, sought = split_words(text), split_words(name)
    kept: list[str] = []
    while words:
        if sought and words[: len(sought)] == sought:
            kept.append(ENTITY)
            words = words[len(sought) :]
        else:
            kept.append(words.pop(0))
    return tuple(kept)


def _around(text: str, place: Place) -> tuple[str, ...]:
    return (*split_words(text[: place.start]), ENTITY, *split_words(text[place.end :]))
