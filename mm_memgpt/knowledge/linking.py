"""Entities of a graph that a text mentions, found by their names.

    linker = Linker(graph)
    for mention in linker.link("Two dogs in New York"):
        mention.text, mention.start, mention.end, mention.entities

Notable: the longest name wins, and one that several entities share is linked to all of them: which is meant, the text
alone does not say. A name is found as whole words, in any case, its last word in the plural too.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mm_memgpt.knowledge.graph import KnowledgeGraph

_TOKEN = re.compile(r"[^\W_]+|[^\w\s]")
_BREAKS = frozenset("-\u2010\u2011")
"""Hyphens, which part words as a space does: "ice-cream" is "ice cream"."""

_ALONE = """
    a an the this that these those i you he she it we they him her them his its my your our their me us who what which
    and or but nor so if then than as at by for from in into of off on onto out over to up with about after before under
    is am are was were be been being do does did have has had having can could may might must shall should will would
    not no yes there here when where why how all any both each few more most other some such only own same too very s t
    just now one
"""

FUNCTION_WORDS = frozenset(_ALONE.split())
"""Words that, alone, name nothing in a running text, though WordNet has an entity for many of them."""


BY_NAME, IN_COMMON = 1.0, 0.5
"""Weights of edges in fusion's graph: of what names an entity and a fact about it, and of two facts about it."""


class Mention(NamedTuple):
    """Where a text names an entity."""

    start: int
    end: int
    """Characters of the text."""
    text: str
    """As the text has it."""
    entities: tuple[int, ...]
    """Numbers of all that bear the name."""

    @property
    def is_ambiguous(self) -> bool:
        """Whether several do."""
        return len(self.entities) > 1


class Linker:
    """Finds mentions of a graph's entities.

    Args:
        graph: whose names.
        ignored: names, case-folded, that are passed by where they stand alone.
    """

    def __init__(self, graph: KnowledgeGraph, ignored: Iterable[str] = FUNCTION_WORDS) -> None:
        self.entities: dict[str, tuple[int, ...]] = {}
        self.longest: dict[str, int] = {}
        """Tokens of the longest name that begins with a token."""
        self.ignored = frozenset(ignored)
        for number, names in enumerate(graph.entity_names):
            for name in names:
                tokens = [token for token, _, _ in _tokens(name)]
                if not any(token.isalnum() for token in tokens):
                    continue
                key = " ".join(tokens)
                self.entities[key] = (*self.entities.get(key, ()), number)
                self.longest[tokens[0]] = max(len(tokens), self.longest.get(tokens[0], 0))
        for key in list(self.longest):  # of a name of one word, the text may have the plural
            for many in _plurals(key):
                self.longest[many] = max(self.longest.get(many, 0), 1)

    def link(self, text: str) -> list[Mention]:
        """The mentions of entities in a text, in order; none overlaps another."""
        tokens = list(_tokens(text))
        found, place = [], 0
        while place < len(tokens):
            length, entities = self._longest_at(tokens, place)
            if length:
                start, end = tokens[place][1], tokens[place + length - 1][2]
                found.append(Mention(start, end, text[start:end], entities))
            place += max(length, 1)
        return found

    def _longest_at(self, tokens: list[tuple[str, int, int]], place: int) -> tuple[int, tuple[int, ...]]:
        """How many tokens the longest name takes that begins at one, and who bears it; 0 where none does."""
        most = min(self.longest.get(tokens[place][0], 0), len(tokens) - place)
        words = [token for token, _, _ in tokens[place : place + most]]
        for length in range(most, 0, -1):
            if length == 1 and words[0] in self.ignored:
                continue
            *first, last = words[:length]
            for form in (last, *singulars(last)):
                if entities := self.entities.get(" ".join([*first, form])):
                    return length, entities
        return 0, ()


def singulars(word: str) -> Iterator[str]:
    """What a word may be the plural of, by its ending, the likeliest first."""
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        if word.endswith("ies"):
            yield f"{word[:-3]}y"
        if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
            yield word[:-2]
        yield word[:-1]


def _plurals(word: str) -> Iterator[str]:
    """Words that it may be the singular of."""
    for many in (f"{word}s", f"{word}es", f"{word[:-1]}ies"):
        if word in singulars(many):
            yield many


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Words and marks, case-folded, with where they stand; a possessive 's is a word and a mark of its own."""
    for found in _TOKEN.finditer(text):
        if found[0] not in _BREAKS:
            yield found[0].casefold(), found.start(), found.end()
