"""How well code was written: the share of problems whose tests it passes, and how like it is to what a person wrote.

Notable: BLEU is that of the CoNaLa baseline, over the whole corpus and over its tokens, so it goes with figures that
others report; intervals are over the problems, however many answers each has.

n problems
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap

ORDER = 4
"""Longest n-grams of BLEU."""

_SIGN, _HUMP = re.compile(r"([^A-Za-z0-9_])"), re.compile(r"([a-z])([A-Z])")


def pass_at(k: int, passed: Sequence[Sequence[bool]], resamples: int = 1000, seed: int = 0) -> Score:
    """pass@k: how often at least one of k answers drawn from those to a problem passes, the mean over n problems.

    With m answers of which c pass it is 1 - C(m - c, k) / C(m, k) (arXiv:2107.03374, equation 1): unbiased, where a
    problem's best of the first k is a matter of luck.

    Raises:
        ValueError: no problem, or one with fewer than k answers.
    """
    if k < 1 or not passed or min(map(len, passed)) < k:
        raise ValueError(f"pass@{k} needs problems with at least {max(1, k)} answers each; take a smaller k")
    chances = [1 - math.comb(len(each) - sum(each), k) / math.comb(len(each), k) for each in passed]
    return bootstrap(np.array(chances)[:, None], lambda totals: totals / len(chances), resamples, seed)[0]


def code_scores(
    predicted: Sequence[str], gold: Sequence[str], resamples: int = 1000, seed: int = 0
) -> dict[str, Score]:
    """`bleu` (0 to 1) over the corpus, and `exact_match`: the same but for spaces.

    Raises:
        ValueError: lists that differ in length, or none.
    """
    if len(predicted) != len(gold) or len(gold) == 0:
        raise ValueError(f"{len(predicted)} answers to {len(gold)} problems: give one each, at least one")
    counts = np.array([_counts(code_tokens(p), code_tokens(g)) for p, g in zip(predicted, gold, strict=True)])
    exact = np.array([float(p.split() == g.split()) for p, g in zip(predicted, gold, strict=True)])
    statistics = np.column_stack([counts, exact, np.ones(len(exact))])
    bleu, same = bootstrap(statistics, _figures, resamples, seed)
    return {"bleu": bleu, "exact_match": same}


def code_tokens(code: str) -> list[str]:
    """Code as the CoNaLa baseline cuts it: every sign by itself, words at their humps, both quotes as one."""
    spaced = _HUMP.sub(r"\1 \2", _SIGN.sub(r" \1 ", code))
    return spaced.replace('"', "`").replace("'", "`").split()


def _counts(predicted: list[str], gold: list[str]) -> list[int]:
    """Matches and n-grams of each order, then both lengths."""
    counts = []
    for order in range(1, ORDER + 1):
        written, right = _ngrams(predicted, order), _ngrams(gold, order)
        counts += [(written & right).total(), written.total()]
    return [*counts, len(predicted), len(gold)]


def _ngrams(tokens: list[str], order: int) -> Counter:
    return Counter(tuple(tokens[start : start + order]) for start in range(len(tokens) - order + 1))


def _figures(totals: np.ndarray) -> np.ndarray:
    """(r, 2): corpus BLEU without smoothing, and exact match."""
    matches, ngrams = totals[:, 0 : 2 * ORDER : 2], totals[:, 1 : 2 * ORDER : 2]
    predicted, gold, exact, problems = totals[:, 2 * ORDER :].T
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.exp(np.log(matches / ngrams).mean(1))
        brevity = np.exp(np.minimum(0.0, 1 - gold / predicted))
    return np.column_stack([np.nan_to_num(precision * brevity), exact / problems])
