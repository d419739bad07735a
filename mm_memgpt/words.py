"""Sentences: as people write them, as the words that scores count, and as the words that tokens spell."""

import re
from itertools import pairwise
from typing import Any

_WORD = re.compile(r"(?:[^\W_]|')+")
_APART = re.compile(r"\s+(?:([.,;:!?)]+)(?=\s|[\"'\u2019)]|$)|['\u2019]\s?(s|m|d|re|ve|ll|(?<=\s)t)\b)", re.IGNORECASE)


def words(sentence: str) -> list[str]:
    """The lower-cased runs of letters, digits and apostrophes; a typographic apostrophe counts as a plain one."""
    return _WORD.findall(sentence.lower().replace("\u2019", "'"))


def sentence(caption: str) -> str:
    """A caption as people write one: "a dog runs ." becomes "A dog runs."."""
    text = re.sub(r"\s+([.,;:!?)]|'(?:s|m|d|t|re|ve|ll)\b)", r"\1", " ".join(caption.split())).rstrip(" .")
    return text[:1].upper() + text[1:] + ("" if text.endswith(("!", "?")) else ".")


def untokenised(text: str) -> str:
    """A text whose marks stand apart as its writer set them: "he \u2019 s late , too ." becomes "he's late, too."."""
    return _APART.sub(lambda found: found[1] or f"'{found[2].lower()}", text)


def owners(tokenizer: Any, tokens: list[int]) -> tuple[list[str], list[int]]:
    """The whitespace-separated words of the tokens' text, and the number of the word that each token belongs to.

    A token belongs to the word that its first letter extends; spaces belong to the word that follows them.
    """
    prefixes = [
        tokenizer.decode(tokens[:i], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        for i in range(len(tokens) + 1)
    ]
    words, owner = prefixes[-1].split(), []
    for before, after in pairwise(prefixes):
        begins = before[-1:].isspace() or after[len(before) :][:1].isspace()
        index = len(before.split()) - (0 if begins else 1)
        owner.append(min(max(index, 0), max(len(words) - 1, 0)))
    return words, owner
