"""Passages that questions are answered from: a text at hand, cut into sentences, or the sentences of a memory.

Notable: both are found by one rule, words and what is said around them (`memory.archive_around`), so an answer does not
depend on where its passage was kept.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from mm_memgpt.datasets.document import split
from mm_memgpt.explain.content import FUNCTION_WORDS, stem
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_around import spread
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.forms import base
from mm_memgpt.recollection.searching import recall
from mm_memgpt.tasks.lexical import BM25
from mm_memgpt.words import words


class Passage(NamedTuple):
    """A sentence, and where it stands."""

    text: str
    source: str
    order: int
    """Its place among all sentences; those beside each other in a source were said one after the other."""
    start: float = 0.0
    """Seconds on the memory's clock; of a text at hand 0."""
    end: float = 0.0
    id: str = ""
    """Of a memory's item."""


Find = Callable[[str, int], list[Passage]]
"""What finds the best sentences for a question, the best first."""


class Passages:
    """The sentences of texts at hand; a `Find`.

    Args:
        texts: name and text of each source.
    """

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        said = [(source, sentence) for source, text in texts for sentence in split(text)]
        self.passages = [Passage(text, source, order) for order, (source, text) in enumerate(said)]
        self._rows = {each.order: {"source": each.source} for each in self.passages}
        self._search = BM25([_stemmed(each.text) for each in self.passages])

    def __len__(self) -> int:
        return len(self.passages)

    def __call__(self, question: str, k: int) -> list[Passage]:
        scores = self._search(_stemmed(question))
        found = spread({int(order): float(scores[order]) for order in scores.nonzero()[0]}, self._rows)
        return [self.passages[order] for order in sorted(found, key=lambda order: (-found[order], -order))[:k]]


def of_archive(archive: Archive, where: Where | None = None) -> Find:
    """What finds the sentences of a memory."""

    def find(question: str, k: int) -> list[Passage]:
        return [
            Passage(one.item.text, one.item.source, one.order, one.item.start, one.item.end, one.item.id)
            for one in recall(archive, question, k, where)
        ]

    return find


def _stemmed(text: str) -> str:
    return " ".join(base(stem(word)) for word in words(text) if word not in FUNCTION_WORDS)
