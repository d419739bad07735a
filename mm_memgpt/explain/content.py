"""Content words: those that name what a photo shows, told from function words by a list, and their stems.

Notable: the stemmer only takes English endings off, so that "dogs" meets "dog" and "running" "run"; it need not give
words, only the same letters for the same word.
"""

from collections.abc import Iterable

from mm_memgpt.words import words

_LIST = """
a an the this that these those some any no each every all both another other others several many few
one two three four five six seven eight nine ten
i you he she it we they me him her us them my your his its our their who whom whose which what there here
and or but nor so as if than while when where because then just also too very not
at by for from in into inside of off on onto out outside over to toward towards up upon down under with without
through across along around about above after against among before behind below beside between during near next
front back top like past away together
is are was were be been being am has have had having do does did doing can could will would may
"""
FUNCTION_WORDS = frozenset(_LIST.split())
"""Articles, pronouns, numbers, prepositions, conjunctions and auxiliaries: they name nothing that has a place."""

ENDINGS = ("ing", "ies", "es", "ed", "s")
SHORTEST = 3
"""Letters that a stem keeps at least."""


def is_content(word: str) -> bool:
    """Whether a word, as it stands in a sentence, is a content word."""
    return any(part not in FUNCTION_WORDS and len(part) > 1 for part in words(word))


def stem(word: str) -> str:
    """A lower-cased word without its ending, a doubled last letter, and a last e or y: "running" and "run" agree."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST:
            word = word.removesuffix(ending)
            break
    if len(word) > SHORTEST and word[-1] == word[-2]:
        word = word[:-1]
    return word.rstrip("ey") or word


def stems(sentences: Iterable[str]) -> set[str]:
    """The stems of all content words of some sentences."""
    return {stem(word) for sentence in sentences for word in words(sentence) if is_content(word)}
