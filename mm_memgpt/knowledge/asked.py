"""Questions with what lies around their entities, as one batch of arrays for a reader of paths.

Notable: each question brings its own copy of its entities, so that no mass flows from one to another; only relations
that are around some question of the batch are in it, each once, however many graphs share its name.

b questions   t words   g pieces of a word   r relations   e edges   n entities
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mm_memgpt.knowledge.surroundings import Surroundings, WalkGraph
from mm_memgpt.knowledge.word_pieces import LONGEST, relation_words, word_pieces


class Asked(NamedTuple):
    """A question about a graph."""

    words: tuple[str, ...]
    """With one for the entity."""
    graph: WalkGraph
    around: Surroundings
    """Of the entity."""


def batch_of(asked: Sequence[Asked], buckets: int) -> dict[str, Tensor]:
    """The questions as `PathReader` and `flow` take them.

    Returns:
        words (b, t, g), mask (b, t), names and above (r, ., g), present (b, r or 2r), head, relation, tail, question
        (e,), start (b,), owner (n,).
    """
    rows, numbers = _relations(asked)
    count = len(rows)
    present = torch.zeros(len(asked), count * (2 if asked[0].graph.inverses else 1), dtype=torch.bool)
    for number, relation in enumerate(numbers):
        present[number, relation] = True
    sizes = [len(each.around.entities) for each in asked]
    start = np.cumsum([0, *sizes[:-1]])
    edges = [len(each.around.head) for each in asked]
    shift = np.repeat(start, edges)
    parts = [relation_words(name) for name in rows]
    arrays = {
        "head": np.concatenate([each.around.head for each in asked]) + shift,
        "tail": np.concatenate([each.around.tail for each in asked]) + shift,
        "relation": np.concatenate(numbers),
        "question": np.repeat(np.arange(len(asked)), edges),
        "start": start,
        "owner": np.repeat(np.arange(len(asked)), sizes),
    }
    words = _pieces([each.words for each in asked], buckets)
    return {
        "words": words,
        "mask": (words > 0).any(-1),
        "names": _pieces([own for own, _ in parts], buckets),
        "above": _pieces([above for _, above in parts], buckets),
        "present": present,
        **{name: torch.from_numpy(np.asarray(array, dtype=np.int64)) for name, array in arrays.items()},
    }


def relation_rows(asked: Sequence[Asked]) -> dict[str, int]:
    """The row of each relation by its name, as `batch_of` numbers them."""
    return _relations(asked)[0]


def _relations(asked: Sequence[Asked]) -> tuple[dict[str, int], list[np.ndarray]]:
    """The row of each relation by its name, and of each question's edges the numbers; backwards after all others."""
    rows: dict[str, int] = {}
    found = []
    for each in asked:
        own = len(each.graph.relations)
        used, place = np.unique(each.around.relation, return_inverse=True)
        named = [rows.setdefault(each.graph.relations[number % own], len(rows)) for number in used.tolist()]
        found.append((np.array(named, dtype=np.int64), used >= own, place))
    return rows, [(named + len(rows) * backwards)[place] for named, backwards, place in found]


def _pieces(texts: Sequence[Sequence[str]], buckets: int) -> Tensor:
    """(texts, words, pieces) int64, 0 where there is none."""
    filled = np.zeros((len(texts), max(1, *map(len, texts)) if texts else 1, LONGEST), dtype=np.int64)
    for row, words in enumerate(texts):
        for column, word in enumerate(words):
            pieces = _cached(word, buckets)
            filled[row, column, : len(pieces)] = pieces
    return torch.from_numpy(filled)


@lru_cache(maxsize=50_000)
def _cached(word: str, buckets: int) -> tuple[int, ...]:
    return tuple(word_pieces(word, buckets))
