"""Sentences: as people write them, and as the words that scores count."""

import re

_WORD = re.compile(r"(?:[^\W_]|')+")


def words(sentence: str) -> list[str]:
    """The lower-cased runs of letters, digits and apostrophes; a typographic apostrophe counts as a plain one."""
    return _WORD.findall(sentence.lower().replace("\u2019", "'"))


def sentence(caption: str) -> str:
    """A caption as people write one: "a dog runs ." becomes "A dog runs."."""
    text = re.sub(r"\s+([.,;:!?)]|'(?:s|m|d|t|re|ve|ll)\b)", r"\1", " ".join(caption.split())).rstrip(" .")
    return text[:1].upper() + text[1:] + ("" if text.endswith(("!", "?")) else ".")
