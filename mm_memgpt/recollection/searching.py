"""Search of a memory by words, a photo or a sound: the same hybrid search for all, and a moment found only once.

Notable: pieces of one sound and frames of one clip that lie close together are one moment, so a long sound does not
fill the list; a text that shares too few of the query's content words is not found by its words, for in any text
there is an "in" and a "the".
"""

from collections.abc import Iterable

import numpy as np

from mm_memgpt.explain.content import stems
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_search import Found, fuse
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.results import Hit

DEEPER = 6
"""How many times as many items as hits are looked at, because some are of one moment."""

MOMENT = 10.0
"""Seconds within which what was found of one sound or clip is one moment."""

SHARED = 0.5
"""Share of the query's content words that a text must have to be found by its words."""


def search(archive: Archive, key: np.ndarray, words: str, k: int, where: Where | None = None) -> list[Found]:
    """The k best moments, the best first: by key, and where there are words by these too, fused by reciprocal rank."""
    wanted = stems([words])
    near = archive.search(key=key, k=k * DEEPER, where=where)
    said = archive.search(text=words, k=k * DEEPER, where=where) if wanted else []
    said = [found for found in said if len(wanted & stems([found.item.text])) >= SHARED * len(wanted)]
    known = {found.order: found for found in [*said, *near]}
    scores = fuse([found.order for found in near], [found.order for found in said])
    return moments((known[order]._replace(score=score) for order, score in scores.items()), k)


def moments(found: Iterable[Found], k: int) -> list[Found]:
    """The first k, without those that are of the same moment as a better one."""
    kept: list[Found] = []
    for one in found:
        if not any(_same(one, other) for other in kept):
            kept.append(one)
            if len(kept) == k:
                break
    return kept


def _same(one: Found, other: Found) -> bool:
    a, b = one.item, other.item
    alike = a.modality == b.modality != "text" and a.source == b.source
    return alike and max(a.start, b.start) - min(a.end, b.end) < MOMENT


def hit(found: Found) -> Hit:
    """What a user sees of it."""
    item = found.item
    return Hit(
        source=item.source,
        modality=item.modality,
        start=item.start,
        end=item.end,
        text=item.text,
        score=found.score,
        id=item.id,
        preview=item.preview,
    )
