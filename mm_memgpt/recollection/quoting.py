"""The sentence that answers a question: exact words are quoted from the archive, never written anew.

Notable: the best sentence has the question's content words; of two that have them about as well, the newer wins, and
the older stays among the sources, as what was said before.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mm_memgpt.config import AskingConfig
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_search import Found
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.wanted import content, fits
from mm_memgpt.types import Fact

DEPTH = 32
"""Sentences that are looked at: so many by key, and so many by words."""

DENSITY = 0.25
"""What a sentence's own brevity counts beside the share of the question that it has."""


class Quote(NamedTuple):
    """A sentence that answers, and the older ones that say something on the same."""

    best: Found
    older: tuple[Found, ...]
    covered: float
    """Share of the question's content words that it has."""


def quote(
    archive: Archive, key: object, question: str, config: AskingConfig, allowed: Callable[[Fact], bool] | None = None
) -> Quote | None:
    """The sentence of the memory that answers a question; None where none has enough of it.

    `allowed` says which facts may be quoted, where the memory holds any.
    """
    if not (wanted := content(question)):
        return None
    found: dict[int, Found] = {}
    for facts in (None,) if allowed is None else (False, True):  # of which there may be so many that no note is found
        texts = Where(modality="text", facts=facts)
        found |= {one.order: one for one in archive.search(text=question, k=DEPTH, where=texts)}
        found |= {one.order: one for one in archive.search(key=key, k=DEPTH, where=texts)}
    scored = [
        (score(wanted, one.item.text), one)
        for one in found.values()
        if fits(question, one.item.text) and (one.item.fact is None or allowed is None or allowed(one.item.fact))
    ]
    scored = [(covered, near, one) for (covered, near), one in scored if covered >= config.covered]
    if not scored:
        return None
    top = max(covered + near for covered, near, _ in scored)
    equal = [(covered, one) for covered, near, one in scored if covered + near >= top - config.near_equal]
    equal.sort(key=lambda pair: (pair[1].item.start, pair[1].order), reverse=True)
    (covered, best), *older = equal
    return Quote(best, tuple(one for _, one in older), covered)


def score(wanted: Sequence[str], sentence: str) -> tuple[float, float]:
    """The share of the wanted stems that a sentence has, and DENSITY times the share of its own that are wanted."""
    said = content(sentence)
    shared = sum(each in said for each in wanted)
    return shared / len(wanted), DENSITY * shared / max(1, len(said))
