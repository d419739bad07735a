"""How well entities are found in tagged text: precision, recall and F1 over whole entities, as conlleval counts them.

Notable: an entity is right if its kind and both ends are; a sentence is what is resampled, with all its entities, since
those of one sentence are found or missed together.

n sentences
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.classification import ClassFigures, class_figures

METRICS = ("precision", "recall", "f1", "accuracy")
"""The first three over all entities at once (micro), as seqeval has them; accuracy is over tokens."""

UNTYPED = "_"
"""The kind of entities tagged B and I alone, as seqeval calls it."""


class Entity(NamedTuple):
    """A run of tokens that is one thing: tokens[start:end]."""

    kind: str
    start: int
    end: int


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of a sentence's tags O, B-kind and I-kind, in their order.

    An I- that continues nothing, after O or an entity of another kind, begins one, as in conlleval.

    Raises:
        ValueError: a tag that is none of these.
    """
    found: list[Entity] = []
    for place, tag in enumerate(tags):
        if tag == "O":
            continue
        prefix, _, kind = tag.partition("-")
        if prefix not in ("B", "I"):
            raise ValueError(f"tag {tag!r} of token {place} is none of O, B-kind and I-kind")
        kind = kind or UNTYPED
        if prefix == "I" and found and (found[-1].kind, found[-1].end) == (kind, place):
            found[-1] = found[-1]._replace(end=place + 1)
        else:
            found.append(Entity(kind, place, place + 1))
    return found


def tagging_scores(
    truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], resamples: int = 1000, seed: int = 0
) -> dict[str, Score]:
    """METRICS of the predicted tags of each sentence.

    Raises:
        ValueError: no sentence, numbers of sentences or tags that differ, or a tag that `entities` refuses.
    """
    statistics = np.zeros((len(truth), 5))
    for row, (true, tagged, right) in enumerate(_found(truth, predicted)):
        same = sum(one == other for one, other in zip(truth[row], predicted[row], strict=True))
        statistics[row] = right.total(), true.total(), tagged.total(), same, len(truth[row])
    return dict(zip(METRICS, bootstrap(statistics, _metrics, resamples, seed), strict=True))


def per_type(truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, ClassFigures]:
    """The figures of each kind of entity that occurs, by name.

    Raises:
        ValueError: as `tagging_scores`.
    """
    counts = [Counter[str](), Counter[str](), Counter[str]()]
    for sentence in _found(truth, predicted):
        for whole, part in zip(counts, sentence, strict=True):
            whole.update(part)
    true, tagged, right = counts
    return {kind: class_figures(right[kind], true[kind], tagged[kind]) for kind in sorted({*true, *tagged})}


def _found(
    truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> list[tuple[Counter[str], Counter[str], Counter[str]]]:
    """Of each sentence, how many entities of each kind are true, how many predicted, and how many of these right."""
    if len(truth) != len(predicted) or len(truth) == 0:
        raise ValueError(f"{len(truth)} true sentences and {len(predicted)} predicted ones: give as many, at least one")
    rows = []
    for row, (one, other) in enumerate(zip(truth, predicted, strict=True)):
        if len(one) != len(other):
            raise ValueError(f"sentence {row} has {len(one)} true tags and {len(other)} predicted ones")
        true, tagged = set(entities(one)), set(entities(other))
        rows.append(tuple(Counter(entity.kind for entity in group) for group in (true, tagged, true & tagged)))
    return rows


def _metrics(totals: np.ndarray) -> np.ndarray:
    """(r, 5) entities right, true and predicted, tokens right and all, to (r, 4) METRICS; 0 of nothing is 0."""
    right, true, tagged, same, tokens = totals.T
    shares = [(right, tagged), (right, true), (2 * right, true + tagged), (same, tokens)]
    return np.column_stack([part / np.maximum(whole, 1) for part, whole in shares])
