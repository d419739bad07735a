"""Whether a written answer is the right one.

Notable: it must say the answer and nothing else; case, punctuation, articles, and whether a number is a word or a
figure do not count. A synonym is wrong: answers come from short lists, which a model can learn.
"""

from mm_memgpt.datasets.templates import number
from mm_memgpt.words import words

ARTICLES = {"a", "an", "the"}


def score(answer: str, written: str) -> bool:
    """Whether `written` is `answer`: "seven" and "7.", "dog" and "A dog"."""
    return plain(answer) == plain(written)


def plain(text: str) -> list[str]:
    """The words that count, numbers up to twenty as words."""
    return [number(word) for word in words(text) if word not in ARTICLES]
