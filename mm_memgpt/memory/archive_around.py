"""Search by words in which an item counts what is said around it: who answers a question seldom repeats its words.

Notable: a sentence inherits a share of the score (BM25) of those right before and after it in its source, half as much
with each step away, so the answer behind a question is found by the question; no index is built for it, for neighbours
are the rows beside those that the words found. A fact says all there is in itself, and what stands beside it is chance.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from mm_memgpt.memory.archive_search import saying
from mm_memgpt.memory.archive_view import View
from mm_memgpt.memory.where import Where

POOL = 100
"""Items found by their own words whose neighbours are looked at, at least."""

REACH = 4
"""Sentences before and after that count."""

SHARE = 0.5
"""What a neighbour's score counts beside one's own; of the next but one it is the square of this, and so on."""

NEEDED = ["id", "source", "modality", "start", "end", "head"]
"""Columns that say which rows are neighbours, and which are meant."""


def around(view: View, text: str, count: int, where: Where) -> list[int]:
    """The places of the `count` best items, the best first; of two alike the newer.

    Args:
        view: of the table.
        text: words.
        count: how many.
        where: which items are meant; those beside them are not heard either.
    """
    condition = where.condition()
    rows = view.read(lambda table: saying(table, text, max(POOL, count), condition, []))
    scores = dict(zip(rows["_rowid"].to_pylist(), rows["_score"].to_pylist(), strict=True))
    near = sorted({place + step for place in scores for step in range(-REACH, REACH + 1) if place + step >= 0})
    beside = {} if not near else {row["_rowid"]: row for row in view.take(near, NEEDED).to_pylist()}
    meant = {place: row for place, row in beside.items() if row["modality"] == "text" and where.meets(row)}
    found = spread(scores, meant)
    return sorted(found, key=lambda place: (-found[place], -place))[:count]


def spread(scores: Mapping[int, float], rows: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    """The scores of items by place with their neighbours' shares: sum over d of SHARE^|d| times the score d away."""
    found: dict[int, float] = defaultdict(float)
    for place, score in scores.items():
        for step in range(-REACH, REACH + 1):
            other = rows.get(place + step)
            if other is not None and (step == 0 or _said_together(rows[place], other)):
                found[place + step] += score * SHARE ** abs(step)
    return dict(found)


def _said_together(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one["source"] == other["source"] and one.get("head") is None and other.get("head") is None
