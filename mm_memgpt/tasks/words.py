"""Words of a text, and which of a backbone's tokens stands for each: its first one.

Notable: words may be given, or are found in a text of any script; where a text is read in windows, a word's token is
that of the window in which the word lies furthest from an edge, for there the model has seen most of what is around it.

b rows   n windows   t tokens
"""

import unicodedata
from collections.abc import Mapping, Sequence

from torch import Tensor

from mm_memgpt.evaluation.answers import SPACELESS

Spans = tuple[tuple[int, int], ...]
"""Characters of each word, first to last and one."""


def joined(words: Sequence[str]) -> tuple[str, Spans]:
    """Words as one text with a space between them, and where each stands in it."""
    spans, begin = [], 0
    for word in words:
        spans.append((begin, begin + len(word)))
        begin += len(word) + 1
    return " ".join(words), tuple(spans)


def located(text: str, words: Sequence[str]) -> Spans:
    """Where words stand in a text that has them in this order."""
    spans, end = [], 0
    for word in words:
        begin = text.index(word, end)
        end = begin + len(word)
        spans.append((begin, end))
    return tuple(spans)


def split_words(text: str) -> Spans:
    """Runs of letters, marks and numbers; of scripts written without spaces each letter; each punctuation or symbol."""
    spans: list[tuple[int, int]] = []
    inside = False
    for place, character in enumerate(text):
        kind = unicodedata.category(character)[0]
        if kind == "M" and spans and spans[-1][1] == place:
            spans[-1] = (spans[-1][0], place + 1)  # a mark belongs to what it stands on
            continue
        word = kind in "LN" and SPACELESS.match(character) is None
        if word and inside:
            spans[-1] = (spans[-1][0], place + 1)
        elif kind in "LMNPS":
            spans.append((place, place + 1))
        inside = word
    return tuple(spans)


def first_tokens(batch: Mapping[str, Tensor], row: int, words: Spans) -> list[int]:
    """For each word its first token, as a place in n * t, or -1 where none was read.

    A token is of the word that holds its last character; a word that has no such token takes one that covers it.

    Args:
        batch: what a processor made, with part (b, n, t) and offsets (b, n, t, 2).
        row: of the batch.
        words: in their order.
    """
    found: list[dict[int, int]] = [{}, {}]  # word to token: the word's own, and one that only covers it
    depths: list[dict[int, int]] = [{}, {}]
    t = batch["part"].shape[-1]
    word_at = {place: number for number, (begin, end) in enumerate(words) for place in range(begin, end)}
    windows = zip(batch["part"][row].tolist(), batch["offsets"][row].tolist(), strict=True)
    for window, (parts, offsets) in enumerate(windows):
        body = [place for place, part in enumerate(parts) if part == 0]
        seen: set[tuple[int, int]] = set()
        for place in body:
            begin, end = offsets[place]
            own = word_at.get(end - 1) if end > begin else None
            depth = min(place - body[0], body[-1] - place)
            for word in {word_at.get(character) for character in range(begin, end)} - {None}:
                which = 0 if word == own else 1
                if (which, word) not in seen and depth > depths[which].get(word, -1):
                    depths[which][word], found[which][word] = depth, window * t + place
                seen.add((which, word))
    return [found[0].get(word, found[1].get(word, -1)) for word in range(len(words))]
