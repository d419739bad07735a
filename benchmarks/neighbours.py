"""The caption that needs no language model: of the train photos that look most alike, the caption they agree on.

Notable: agreement is the mean cosine of tf-idf vectors over runs of one to four words, which is CIDEr without its
length penalty (arXiv:1411.5726); choosing among the neighbours' captions by it is arXiv:1505.04467.

n train photos   c channels   h w map cells   k neighbours   s candidate sentences
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from mm_memgpt.words import words

ORDERS = (1, 2, 3, 4)
CHOICES = (1, 2, 5, 10, 20, 40, 60, 90, 120, 160)
"""How many neighbours are tried on validation."""

Vector = dict[tuple[str, ...], float]


class Neighbours:
    """Train photos with their captions, asked by the map of another photo.

    Args:
        maps: (n, c, h, w) of the train photos.
        captions: of each.
    """

    def __init__(self, maps: np.ndarray, captions: Sequence[Sequence[str]]) -> None:
        pooled = pool(maps)
        self.mean = pooled.mean(0)
        self.keys = unit(pooled - self.mean)  # (n, c)
        self.captions = captions
        runs = [[count_runs(caption) for caption in each] for each in captions]
        found = Counter(run for each in runs for run in set().union(*each))
        self.rarity = {run: math.log(len(captions) / count) for run, count in found.items()}
        self.vectors = [[self._vector(counts) for counts in each] for each in runs]

    def _vector(self, counts: Counter) -> Vector:
        """tf-idf of each run; each order's part has length 1 / sqrt(orders), so a product is the mean cosine."""
        vector = {run: count * self.rarity[run] for run, count in counts.items()}
        squares = dict.fromkeys(ORDERS, 0.0)
        for run, weight in vector.items():
            squares[len(run)] += weight**2
        return {run: w / math.sqrt(len(ORDERS) * squares[len(run)]) for run, w in vector.items() if w > 0}

    def caption(self, map_: np.ndarray, k: int) -> str:
        """For a map (c, h, w), the sentence among its k neighbours' that agrees most with the others."""
        query = unit(pool(map_[None]) - self.mean)[0]
        nearest = np.argsort(-(self.keys @ query), kind="stable")[:k]
        sentences = [sentence for row in nearest for sentence in self.captions[row]]
        return sentences[consensus([vector for row in nearest for vector in self.vectors[row]])]


def pool(maps: np.ndarray) -> np.ndarray:
    """(n, c, h, w) to (n, c) float32: the mean over the cells."""
    return np.stack([each.astype(np.float32).mean((1, 2)) for each in maps])


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows (n, c) of length one."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def count_runs(caption: str) -> Counter:
    """How often each run of one to four words is found."""
    cut = words(caption)
    return Counter(tuple(cut[i : i + order]) for order in ORDERS for i in range(len(cut) - order + 1))


def consensus(vectors: Sequence[Vector]) -> int:
    """Which of the s vectors has the highest mean product with the others; the first of equals."""
    column: dict[tuple[str, ...], int] = {}
    for vector in vectors:
        for run in vector:
            column.setdefault(run, len(column))
    matrix = np.zeros((len(vectors), len(column)), dtype=np.float32)
    for row, vector in enumerate(vectors):
        matrix[row, [column[run] for run in vector]] = list(vector.values())
    agreement = matrix @ matrix.sum(0) - (matrix**2).sum(1)
    return int(agreement.argmax())
