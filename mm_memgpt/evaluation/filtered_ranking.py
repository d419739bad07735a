"""Where triples that were kept apart are ranked among all that could be: filtered, on both sides (Bordes et al. 2013).

Notable: other right answers are left out of the ranking, in training or not; those that score the same share their mean
rank (arXiv:1911.03903), so a model that scores all alike is as good as chance, and none gains by rounding.

q queries   k right answers to rank, of all queries   n entities
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mm_memgpt.evaluation.bootstrap import Score, bootstrap

DEPTHS = (1, 3, 10)


@dataclass(frozen=True, eq=False)
class Queries:
    """Heads and relations with the tails that hold; of 2 m relations, those from m on are reciprocal.

    The tails of query i are tails[begins[i]:begins[i + 1]].
    """

    head: np.ndarray
    """(q) int64."""
    relation: np.ndarray
    """(q) int64."""
    begins: np.ndarray
    """(q + 1) int64."""
    tails: np.ndarray
    """(k) int64."""

    def __len__(self) -> int:
        return len(self.head)

    def of(self, query: int) -> np.ndarray:
        """The tails of a query."""
        return self.tails[self.begins[query] : self.begins[query + 1]]


def queries_of(triples: np.ndarray, relations: int) -> Queries:
    """Triples (t, 3) asked from both sides, those of one head and relation together, in order.

    Args:
        triples: head, relation, tail.
        relations: m.
    """
    head, relation, tail = triples.T
    both = np.column_stack(
        [np.concatenate(pair) for pair in ((head, tail), (relation, relation + relations), (tail, head))]
    )
    both = np.unique(both, axis=0)
    _, begins = np.unique(both[:, :2], axis=0, return_index=True)
    begins = begins.astype(np.int64)
    return Queries(both[begins, 0], both[begins, 1], np.append(begins, len(both)), both[:, 2])


def filtered_ranks(
    score: Callable[[Tensor, Tensor], Tensor], asked: Queries, known: Queries, batch: int = 256
) -> np.ndarray:
    """(k) the rank of each right tail of `asked`, from 1, in their order.

    Args:
        score: heads (b) and relations (b) to the scores of all entities (b, n).
        asked: what is ranked.
        known: all that holds, at least what is asked.
        batch: queries scored at a time.

    Raises:
        ValueError: a score that is not a number.
    """
    place = {pair: number for number, pair in enumerate(zip(known.head.tolist(), known.relation.tolist(), strict=True))}
    return np.concatenate([*_ranks(score, asked, known, place, batch), np.empty(0)])


@torch.inference_mode()
def _ranks(
    score: Callable[[Tensor, Tensor], Tensor],
    asked: Queries,
    known: Queries,
    place: dict[tuple[int, int], int],
    batch: int,
) -> Iterator[np.ndarray]:
    for begin in range(0, len(asked), batch):
        rows = slice(begin, begin + batch)
        heads, relations = torch.from_numpy(asked.head[rows]), torch.from_numpy(asked.relation[rows])
        scores = score(heads, relations).float().cpu()  # (b, n)
        if scores.isnan().any():
            raise ValueError(f"{int(scores.isnan().sum())} of {scores.numel()} scores are not a number")
        for row, pair in enumerate(zip(heads.tolist(), relations.tolist(), strict=True)):
            right = torch.from_numpy(asked.of(begin + row))
            own = scores[row][right][:, None]  # (of this query, 1)
            wrong = scores[row].clone()
            wrong[torch.from_numpy(known.of(place[pair]))] = -torch.inf
            yield (1 + (wrong > own).sum(1) + (wrong == own).sum(1) / 2).numpy()


def filtered_scores(ranks: Sequence[float], resamples: int = 1000, seed: int = 0) -> dict[str, Score]:
    """`mrr` and `hits@k` of DEPTHS, each with its 95% interval over the ranks.

    Raises:
        ValueError: no rank.
    """
    ranks = np.asarray(ranks, np.float64)
    if len(ranks) == 0:
        raise ValueError("no ranks: give that of at least one triple")
    rank, counts = np.unique(ranks, return_counts=True)
    statistics = np.column_stack([1 / rank, *(rank <= depth for depth in DEPTHS)])
    figures = bootstrap(statistics, lambda totals: totals / len(ranks), resamples, seed, counts)
    return dict(zip(["mrr", *(f"hits@{depth}" for depth in DEPTHS)], figures, strict=True))
