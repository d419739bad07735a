"""Search of a memory by key and by words at once, fused by reciprocal rank.

Notable: a rank says more than a score where scores are of two kinds: score = sum over the lists of 1 / (60 + rank)
(Cormack, Clarke and Buettcher, SIGIR 2009), so a place in both lists beats the top of one.

n items   k key width
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from mm_memgpt.memory.item import Item

if TYPE_CHECKING:
    from lancedb.table import LanceTable

SMOOTHING = 60
"""The constant of reciprocal-rank fusion, from the paper."""

PROBES = 20
"""Parts of the index of keys that are looked into, each of some 8,000 rows."""

REFINED = 4
"""Times as many rows as are wanted that the index proposes, and those of ten at least; their own keys are compared."""


class Found(NamedTuple):
    """An item that was found."""

    item: Item
    order: int
    score: float
    """Reciprocal ranks, summed over the lists it is in."""
    cosine: float | None
    """Of its key and the query's; None for a query without key."""
    by_text: bool
    """Whether its words were found."""


def nearest(
    table: "LanceTable", key: np.ndarray, count: int, condition: str | None, columns: Sequence[str]
) -> pa.Table:
    """The rows of the items whose keys are nearest, best first, with their `_rowid`."""
    query = table.search(np.asarray(key, np.float16), vector_column_name="key").distance_type("cosine")
    query = query.minimum_nprobes(PROBES).refine_factor(REFINED * -(-10 // min(count, 10)))
    return _run(query, count, condition, columns, "_distance", "ascending")


def saying(table: "LanceTable", text: str, count: int, condition: str | None, columns: Sequence[str]) -> pa.Table:
    """The rows of the items that say these words, best first (BM25), with their `_rowid`."""
    from lancedb.query import MatchQuery

    return _run(table.search(MatchQuery(text, "text")), count, condition, columns, "_score", "descending")


def _run(query: Any, count: int, condition: str | None, columns: Sequence[str], score: str, order: str) -> pa.Table:
    query = query if condition is None else query.where(condition, prefilter=True)
    rows = query.select([*columns, score]).with_row_id(True).limit(count).to_arrow()
    return rows.sort_by([(score, order), ("_rowid", "descending")])


def fuse(*ranked: Sequence[int]) -> dict[int, float]:
    """The places in lists of them, best first, with their scores; of two alike the newer comes first."""
    scores: dict[int, float] = {}
    for places in ranked:
        for rank, place in enumerate(places, 1):
            scores[place] = scores.get(place, 0.0) + 1 / (SMOOTHING + rank)
    return dict(sorted(scores.items(), key=lambda pair: (-pair[1], -pair[0])))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Of two keys (k,); 0 where one has no length."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    length = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / length) if length else 0.0
