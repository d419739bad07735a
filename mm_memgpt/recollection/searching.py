"""Search of a memory by words, a photo or a sound: the same hybrid search for all, and a moment found only once.

Notable: pieces of one sound and frames of one clip that lie close together are one moment, so a long sound does not
fill the list; a text that shares too few of the query's content words is not found by its words, for in any text
there is an "in" and a "the".
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mm_memgpt.config import SearchConfig
from mm_memgpt.explain.content import stems
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_search import Found, fuse
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.forms import with_forms
from mm_memgpt.recollection.inputs import WHOLE
from mm_memgpt.recollection.results import Hit
from mm_memgpt.types import MODALITIES

DEEPER = 6
"""How many times as many items as hits are looked at, because some are of one moment."""

MOMENT = 10.0
"""Seconds within which what was found of one sound or clip is one moment."""

SHARED = 0.5
"""Share of the query's content words that a text must have to be found by its words."""


def search(
    archive: Archive, key: np.ndarray, words: str, k: int, where: Where | None = None, gaps: SearchConfig | None = None
) -> list[Found]:
    """The k best moments, the best first: by key, and where there are words by these too, fused by reciprocal rank.

    `gaps` are taken off the cosines of words with the keys of each modality.
    """
    wanted, where = stems([words]), where or Where()
    deep = k * DEEPER
    near = archive.search(key=key, k=deep, where=where) if gaps is None else levelled(archive, key, deep, where, gaps)
    said = archive.search(text=words, k=deep, where=where) if wanted else []
    said = [found for found in said if len(wanted & stems([found.item.text])) >= SHARED * len(wanted)]
    known = {found.order: found for found in [*said, *near]}
    scores = fuse([found.order for found in near], [found.order for found in said])
    return moments((known[order]._replace(score=score) for order, score in scores.items()), k)


def recall(archive: Archive, words: str, k: int, where: Where | None = None) -> list[Found]:
    """The k sentences that say something on a question, the best first: by their words and those said around them.

    Keys have no part in it: they tell what photos and sounds show, and of two sentences they say little.
    """
    where = replace(where or Where(), modality="text")
    return archive.search(text=with_forms(words), k=k, where=where, around=True) if stems([words]) else []


def levelled(archive: Archive, key: np.ndarray, k: int, where: Where, gaps: SearchConfig) -> list[Found]:
    """The k items whose cosine with a key is highest, less the gap of their modality."""
    given = MODALITIES if where.modality is None else where.modality
    chosen = (given,) if isinstance(given, str) else given
    near = [
        (found.cosine - getattr(gaps, modality), found)
        for modality in chosen
        for found in archive.search(key=key, k=k, where=replace(where, modality=modality))
    ]
    near.sort(key=lambda pair: -pair[0])
    return [found for _, found in near[:k]]


def moments(found: Iterable[Found], k: int) -> list[Found]:
    """The first k, without those that are of the same moment as a better one."""
    kept: list[Found] = []
    for one in found:
        if not any(_same(one, other) for other in kept):
            kept.append(one)
            if len(kept) == k:
                break
    return kept


def whole(archive: Archive, found: Iterable[Found]) -> list[Found]:
    """What was found, and behind it the other pieces of each sound that was found, those of its moment: a word that
    rests on a sound rests on all of it."""
    found = list(found)
    known, more = {one.order for one in found}, []
    for one in found:
        if one.item.modality == "audio":
            span = {"start": one.item.start - MOMENT / 2, "end": one.item.end + MOMENT / 2}
            near = archive.find(Where(source=one.item.source, modality="audio", **span))
            ids = [name for order, name in near if order not in known]
            pieces = [one._replace(item=stored.item, order=stored.order) for stored in archive.get(ids)]
            more += [piece for piece in pieces if _same(one, piece)]
            known |= {piece.order for piece in pieces}
    return [*found, *more]


def _same(one: Found, other: Found) -> bool:
    a, b = one.item, other.item
    of_one = a.source == b.source and a.digest.removesuffix(WHOLE) == b.digest.removesuffix(WHOLE)
    return of_one and a.modality == b.modality != "text" and max(a.start, b.start) - min(a.end, b.end) < MOMENT


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
        fact=item.fact,
    )
