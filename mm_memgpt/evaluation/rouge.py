"""ROUGE of summaries (Lin 2004): F of words, pairs of words and the longest common subsequence, by rouge-score.

Notable: with the stemmer, as papers report it; a figure's interval is a bootstrap over the rows.

n rows
"""

from collections.abc import Sequence

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap

KINDS = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
"""What figures are called, here and by the library."""


def rouge_each(written: Sequence[str], references: Sequence[str]) -> dict[str, np.ndarray]:
    """The F (n) of each text and its reference, by kind.

    Raises:
        ValueError: lists that differ in length, or no text.
        ImportError: rouge-score is not installed; the message names the extra.
    """
    if len(written) != len(references) or not written:
        raise ValueError(f"{len(written)} texts and {len(references)} references: give one each, at least one")
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise ImportError('ROUGE needs rouge-score: pip install "mm-memgpt[write]"') from error
    scorer = RougeScorer([*KINDS.values()], use_stemmer=True)
    found = [scorer.score(reference, text) for text, reference in zip(written, references, strict=True)]
    return {name: np.array([each[kind].fmeasure for each in found]) for name, kind in KINDS.items()}


def rouge_scores(written: Sequence[str], references: Sequence[str]) -> dict[str, Score]:
    """`rouge_1`, `rouge_2` and `rouge_l`, means over all rows, each with its 95% interval. Raises as `rouge_each`."""
    return {name: mean(values) for name, values in rouge_each(written, references).items()}


def mean(values: np.ndarray) -> Score:
    """The mean of values (n) with its 95% interval; of paired differences, that of how far one is ahead."""
    [score] = bootstrap(values[:, None], lambda totals: totals / len(values))
    return score
