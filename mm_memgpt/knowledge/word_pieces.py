"""Words as numbers without a vocabulary: the word itself and its runs of four letters, hashed into buckets.

Notable: a word that training never saw has a place all the same, near those it shares letters with (arXiv:1607.04606),
so the relations of another graph can be matched by how they are written.
"""

import re
from zlib import crc32

RUN = 4
"""Letters of a run."""
LONGEST = 12
"""Pieces of a word at most."""

_WORD = re.compile(r"[^\W_]+|'\w+")
_LEVEL = re.compile(r"__|[/#.:]")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def split_words(text: str) -> list[str]:
    """The lower-cased words of a text or of a name; underscores part them, as spaces do."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def relation_words(name: str) -> tuple[list[str], list[str]]:
    """The words of a relation's name, and those of what it belongs to: `/music/album/release_type` is a "release type"
    of a "music album"."""
    *above, last = [_HUMP.sub(" ", each) for each in _LEVEL.split(name) if each] or [name]
    return split_words(last), [word for each in above for word in split_words(each)]


def word_pieces(word: str, buckets: int) -> list[int]:
    """Numbers from 1 to `buckets` of the pieces of a word; 0 is left for what is no piece."""
    marked = f"<{word}>"
    runs = [marked[at : at + RUN] for at in range(len(marked) - RUN + 1)] if len(marked) > RUN else []
    return [1 + crc32(piece.encode()) % buckets for piece in dict.fromkeys([marked, *runs])][:LONGEST]
