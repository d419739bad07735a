"""BM25: how well a text answers another by the words they share; what hard negatives are chosen by.

Notable: no model is asked, so negatives are the same in every run (as in DPR, arXiv:2004.04906 §3.2).
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

SATURATION, LENGTH = 1.2, 0.75
"""k1 and b (Robertson and Zaragoza 2009 §3.4)."""


def words(text: str) -> list[str]:
    """The words of a text, small letters."""
    return re.findall(r"\w+", text.lower())


class BM25:
    """Scores of documents for a query.

    Args:
        documents: what is searched.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        counted = [Counter(words(document)) for document in documents]
        sizes = np.array([sum(counts.values()) for counts in counted], dtype=np.float64)
        self.norm = SATURATION * (1 - LENGTH + LENGTH * sizes / max(1.0, sizes.mean() if len(sizes) else 1.0))
        self.places: dict[str, list[int]] = defaultdict(list)
        self.times: dict[str, list[int]] = defaultdict(list)
        for place, counts in enumerate(counted):
            for word, times in counts.items():
                self.places[word].append(place)
                self.times[word].append(times)

    def __call__(self, query: str) -> np.ndarray:
        """(n) the score of each document."""
        n = len(self.norm)
        scores = np.zeros(n)
        for word in words(query):
            if word in self.places:
                places, times = np.array(self.places[word]), np.array(self.times[word])
                rarity = math.log(1 + (n - len(places) + 0.5) / (len(places) + 0.5))
                scores[places] += rarity * times * (SATURATION + 1) / (times + self.norm[places])
        return scores
