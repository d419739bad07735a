"""What a question wants to know: the words in it that name something, where that should have been seen, heard or
read, and what a sentence must have to answer it.

Notable: words that only frame a question (photo, heard, first, how many) name nothing; what is left must be supported
by the memory, or there is nothing to answer from.
"""

import re
from typing import NamedTuple

from mm_memgpt.datasets.questions import POSITIONS
from mm_memgpt.datasets.templates import NUMBERS
from mm_memgpt.explain.content import FUNCTION_WORDS, is_content, stem
from mm_memgpt.words import words

_FRAME = """
photo photograph picture image snapshot video clip film frame scene shot camera view
sound noise audio recording hear heard listen audible see saw seen look show shown visible appear depict watch
read said say spoken speak tell told mention write wrote written note text sentence message document file state
number word digit name kind type sort way thing something anything someone anyone somebody anybody everything
nothing nobody people's color colour time moment memory remember recall know known tell describe
how why much long old more most less least ever never still yet ago already please let get got
first second third fourth fifth sixth seventh eighth ninth tenth last next previous earliest latest newest oldest
come came happen going doing do go wear hold include contain find found present kept
what's who's where's when's that's there's it's
"""
FRAME = frozenset(stem(word) for word in _FRAME.split())
"""Stems of words that are about the asking and not about the world; those of numbers in order are among them."""

_SEEN = "photo photograph picture image snapshot see saw seen look show shown visible depict"
_HEARD = "sound noise audio recording hear heard listen audible"
_READ = "note text sentence message document file read write wrote written"
_SAID = "said say spoken speak tell told mention digit"
SEEN, HEARD, READ, SAID = (frozenset(map(stem, cue.split())) for cue in (_SEEN, _HEARD, _READ, _SAID))
"""Stems of words that say how something was perceived."""

_PLACE = "in at on under behind near beside inside above below by next between upstairs downstairs"
_TIMES = """
monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday tonight morning noon afternoon
january february march april may june july august september october november december spring summer autumn winter
evening night midnight week month year day days weeks months years hour hours minute minutes o'clock am pm soon now
"""
_AMOUNTS = "no none several few many dozen hundred thousand million half once twice both"
PLACE, TIMES = frozenset(_PLACE.split()), frozenset(_TIMES.split())
AMOUNTS = frozenset([*NUMBERS, *_AMOUNTS.split()])
"""Words that answer where, when and how many."""

_CLAUSE = re.compile(r"\b(?:when|while|as|before|after|during)\b")

_LAST = ("last", "latest", "newest")
_POSITION = re.compile(
    rf"\b({'|'.join((*POSITIONS, *_LAST))}) (?:photo|photograph|picture|image|snapshot|sound|noise|recording)\b"
)


class Named(NamedTuple):
    """A word of a question that names something."""

    word: str
    cues: frozenset[str]
    """The stems of the words beside it in its clause."""


def content(text: str) -> list[str]:
    """The stems of a text's words that name something, each once, in order; numbers count as they do in notes."""
    found = dict.fromkeys(
        stem(word) for word in words(text) if (is_content(word) or word.isdigit()) and stem(word) not in FRAME
    )
    return list(found)


def named(question: str) -> list[Named]:
    """The words of a question that name something, each with the cues of its own clause."""
    found: dict[str, Named] = {}
    for clause in _CLAUSE.split(question.lower()):
        cues = frozenset(stem(word) for word in words(clause))
        for word in words(clause):
            if is_content(word) and stem(word) not in FRAME:
                found.setdefault(word, Named(word, cues))
    return list(found.values())


def cues(question: str) -> frozenset[str]:
    """The stems of all words of a question."""
    return frozenset(stem(word) for word in words(question))


def of_perception(question: str) -> bool:
    """Whether a question is about what was seen or heard, and not about what was read."""
    found = cues(question)
    return bool(found & (SEEN | HEARD)) and not found & READ


def position(question: str) -> int | None:
    """Which photo or sound a question is about, from 0, -1 for the last; None where it does not say."""
    found = _POSITION.search(" ".join(words(question)))
    if found is None:
        return None
    return -1 if found[1] in _LAST else POSITIONS.index(found[1])


def fits(question: str, note: str) -> bool:
    """Whether a note can be an answer: it says more than the question does, and that of the kind that is asked for."""
    asked, said = words(question), words(note)
    more = [word for word in said if word not in asked and stem(word) not in {stem(each) for each in asked}]
    if not any(word not in FUNCTION_WORDS or word in AMOUNTS for word in more):
        return False
    first = asked[0].split("'")[0] if asked else ""
    if first == "where":
        return any(word in PLACE and not TIMES & set(rest[:2]) for word, *rest in _tails(said))
    if first == "when":
        return bool(TIMES & set(more)) or any(word[0].isdigit() for word in more)
    if first == "how" and len(asked) > 1 and asked[1] in ("many", "much"):
        return bool(AMOUNTS & set(more)) or any(word[0].isdigit() for word in more)
    return True


def _tails(said: list[str]) -> list[list[str]]:
    return [said[place:] for place in range(len(said))]
