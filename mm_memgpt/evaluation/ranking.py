"""How high the right one is among many that were ranked: mean reciprocal rank, and how often it is among the first.

Notable: a tie counts against us. A right one stands behind every wrong one of the same score, so that a model that
scores all alike, or rounds its scores, gains nothing, and the order of the candidates does not matter.

n queries
"""

from collections.abc import Sequence

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap

DEPTHS = (1, 3, 5, 10)


def rank_of_first(scores: np.ndarray, right: np.ndarray) -> int | None:
    """The place, from 1, of the best of the right candidates by scores (m,) and right (m,) bool; None without one.

    Raises:
        ValueError: arrays that differ in length, or a score that is not a number.
    """
    scores, right = np.asarray(scores), np.asarray(right, dtype=bool)
    if scores.shape != right.shape or scores.ndim != 1:
        raise ValueError(f"scores of shape {scores.shape} and right of shape {right.shape}: give one each a candidate")
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {len(scores)} scores are not a number")
    if not right.any():
        return None
    return 1 + int((scores[~right] >= scores[right].max()).sum())


def ranking_scores(ranks: Sequence[int | None], resamples: int = 1000, seed: int = 0) -> dict[str, Score]:
    """`mrr` and `hits@k` of DEPTHS, by the rank of each query's first right candidate, from 1.

    A query whose right one was never found (None) counts 0; leave out those that have none, as WikiQA's measure does.

    Raises:
        ValueError: no query, or a rank below 1.
    """
    if len(ranks) == 0:
        raise ValueError("no ranks: give that of at least one query")
    if wrong := [(row, rank) for row, rank in enumerate(ranks) if rank is not None and rank < 1]:
        raise ValueError(f"rank {wrong[0][1]} of query {wrong[0][0]} is below 1, the best; give None for one not found")
    places = np.array([np.inf if rank is None else rank for rank in ranks], dtype=np.float64)
    statistics = np.column_stack([1 / places, *(places <= depth for depth in DEPTHS)])
    figures = bootstrap(statistics, lambda totals: totals / len(ranks), resamples, seed)
    return dict(zip(["mrr", *(f"hits@{depth}" for depth in DEPTHS)], figures, strict=True))
