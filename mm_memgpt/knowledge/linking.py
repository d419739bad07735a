"""Which entities a question names: the longest run of its words that is the name of one.

Notable: among runs of one length those that stand there letter by letter go first, so "Free" is not any "free"; two
entities of one name are both returned, for the question itself shows which is meant.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mm_memgpt.knowledge.word_pieces import split_words

ENTITY = "<entity>"
"""The word that stands for the entity, whatever it is called."""


class Mention(NamedTuple):
    """A name in a question."""

    entities: tuple[int, ...]
    """Those of that name."""
    words: tuple[str, ...]
    """The question's words, with ENTITY in place of the name."""


def names_index(names: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """Entities by the words of their names; what has no word in its name cannot be named."""
    index: dict[tuple[str, ...], list[int]] = {}
    for number, name in enumerate(names):
        if words := tuple(split_words(name)):
            index.setdefault(words, []).append(number)
    return index


def mentions(text: str, names: Sequence[str], index: Mapping[tuple[str, ...], Sequence[int]]) -> list[Mention]:
    """The longest names in a text, all of equal rank."""
    words = split_words(text)
    for length in range(len(words), 0, -1):
        found: list[tuple[bool, Mention]] = []
        for at in range(len(words) - length + 1):
            for_name = index.get(tuple(words[at : at + length]), ())
            literal = tuple(number for number in for_name if _stands(names[number], text))
            if for_name:
                rest = (*words[:at], ENTITY, *words[at + length :])
                found.append((bool(literal), Mention(literal or tuple(for_name), rest)))
        if found:
            best = max(literal for literal, _ in found)
            return [mention for literal, mention in found if literal == best]
    return []


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


def _stands(name: str, text: str) -> bool:
    """Whether a name is in a text letter by letter, an underscore for a space or not."""
    return any(re.search(rf"(?<!\w){re.escape(each)}(?!\w)", text) for each in {name, name.replace("_", " ")})
