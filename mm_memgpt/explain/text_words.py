"""Words of a text by their characters, in any language, and which word each token is of.

Notable: tokens say which characters they stand for, so a score by token becomes one by word without a tokenizer; of
scripts that set no spaces each character is a word.

n items   t tokens   w words of all texts, one text after the other
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence

import torch
from torch import Tensor

_JOINS = frozenset("'\u2019-_")
"""Within a word, these belong to it."""
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""How the names of characters of scripts without spaces begin."""


def word_spans(text: str) -> list[tuple[int, int]]:
    """Begin and end of each word; a mark of punctuation is a word, and so are several that are the same."""
    spans: list[tuple[int, int]] = []
    open_word = False
    for place, character in enumerate(text):
        kind = _kind(text, place)
        adjacent = bool(spans) and spans[-1][1] == place
        if kind == "space":
            open_word = False
            continue
        repeated = kind == "mark" and adjacent and text[place - 1] == character
        if adjacent and ((kind == "letter" and open_word) or kind == "extends" or repeated):
            spans[-1] = (spans[-1][0], place + 1)
            continue
        spans.append((place, place + 1))
        open_word = kind == "letter"
    return spans


def _kind(text: str, place: int) -> str:
    character = text[place]
    if character.isascii() and character.isalnum():
        return "letter"
    if character in _JOINS and text[place - 1 : place].isalnum() and text[place + 1 : place + 2].isalnum():
        return "letter"
    category = unicodedata.category(character)
    if character.isspace() or category in ("Cc", "Zs", "Zl", "Zp"):
        return "space"
    if category in ("Mn", "Mc", "Me", "Cf"):
        return "extends"
    if category[0] in "PS":
        return "mark"
    return "alone" if unicodedata.name(character, "").startswith(_UNSPACED) else "letter"


def token_words(part: Tensor, offsets: Tensor, spans: Sequence[Sequence[tuple[int, int]]]) -> Tensor:
    """The number of the word (n, t) that each token is of, -1 of a special one.

    A token is of the word that its last character is in or, between two, of the one that follows.

    Args:
        part: (n, t) as `mm_memgpt.backbones.base.Processor` gives it.
        offsets: (n, t, 2) likewise.
        spans: the words of both texts; the second one's numbers follow on the first one's.
    """
    ends = [[end for _, end in words] for words in spans]
    first = [0, len(spans[0])]
    owner = torch.full_like(part, -1)
    for place in (part >= 0).nonzero().tolist():
        which, (begin, end) = int(part[tuple(place)]), offsets[tuple(place)].tolist()
        if ends[which]:
            number = bisect_right(ends[which], max(begin, end - 1))
            owner[tuple(place)] = first[which] + min(number, len(ends[which]) - 1)
    return owner
