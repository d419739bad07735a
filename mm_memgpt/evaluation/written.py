"""How near written texts come to those of people: BLEU, chrF and exact match, as sacrebleu has them.

Notable: the figures are sacrebleu's own to the last digit, on text as people write it; the intervals are of resampled
texts, whose statistics add (`bootstrap`), so that a thousand resamples cost no second tokenisation.

n texts   s statistics
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap


def written_scores(
    written: Sequence[str], right: Sequence[str], resamples: int = 1000, seed: int = 0
) -> dict[str, Score]:
    """`bleu` and `chrf`, 0 to 100, and `exact_match`, 0 to 1, of texts and of what people wrote in their place.

    Raises:
        ValueError: lists that differ in length, or no text.
        ImportError: sacrebleu is not installed; the message names the extra.
    """
    if len(written) != len(right) or len(right) == 0:
        raise ValueError(f"{len(written)} texts beside {len(right)}: give one each, at least one")
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError as error:
        raise ImportError(f'measuring texts needs {error.name}: pip install "mm-memgpt[write]"') from error
    # the word that rewards an empty text would be read as a sign of a file that was cut
    figures = {name: _corpus(metric, written, right) for name, metric in (("bleu", BLEU(force=True)), ("chrf", CHRF()))}
    exact = np.array([[float(" ".join(a.split()) == " ".join(b.split()))] for a, b in zip(written, right, strict=True)])
    figures["exact_match"] = (exact, lambda totals: totals / len(exact))
    return {name: bootstrap(*figure, resamples, seed)[0] for name, figure in figures.items()}


def _corpus(metric: Any, written: Sequence[str], right: Sequence[str]) -> tuple[np.ndarray, Callable]:
    """The statistics (n, s) of each text, and what makes the figure (r, 1) of their sums (r, s)."""
    statistics = np.array(metric._extract_corpus_statistics(list(written), [list(right)]), dtype=float)

    def figure(totals: np.ndarray) -> np.ndarray:
        return np.array([[metric._compute_score_from_stats(total.tolist()).score] for total in totals])

    return statistics, figure
