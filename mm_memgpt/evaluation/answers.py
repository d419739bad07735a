"""How well short answers agree with what people marked: exact match and token F1, as the script of SQuAD 2.0 has them.

Notable: one rule for every language. Letters of scripts that are written without spaces (Chinese, Japanese, Thai, ...)
are a token each and the rest is cut at spaces, which is MLQA's mixed segmentation (arXiv:1910.07475 §4) without having
to be told the language; punctuation is Unicode's, and of articles only the English ones are dropped.

n questions
"""

import re
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap

_ARTICLE = re.compile(r"\b(a|an|the)\b")

SPACELESS = re.compile(
    "["
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
    "\u3041-\u3096\u3099-\u309f\u30a1-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Hiragana, Katakana
    "\u0e01-\u0e3a\u0e40-\u0e5b\u0e81-\u0edf"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17dd"  # Burmese, Khmer
    "]"
)
"""A letter or mark of a script whose words have no space between."""


def normalise_answer(answer: str) -> str:
    """Lower case, without punctuation and English articles, with one space between tokens."""
    spaced = _ARTICLE.sub(" ", answer.lower().translate(_punctuation()))
    return " ".join(SPACELESS.sub(r" \g<0> ", spaced).split())


def exact_match(predicted: str, gold: Sequence[str]) -> float:
    """1 if the answer is one of the gold ones, else 0; "" is no answer, which is right where there is no gold one."""
    return float(normalise_answer(predicted) in _normalised(gold))


def token_f1(predicted: str, gold: Sequence[str]) -> float:
    """The best F1 of the answer's tokens and those of one gold answer; no answer is right or wrong as a whole."""
    tokens = normalise_answer(predicted).split()
    return max(_overlap(tokens, answer.split()) for answer in _normalised(gold))


def answer_scores(
    predicted: Sequence[str], gold: Sequence[Sequence[str]], resamples: int = 1000, seed: int = 0
) -> dict[str, Score]:
    """`exact_match` and `f1` over all questions, 0 to 1; `has_answer_f1` and `no_answer_accuracy` over those of a kind.

    A prediction "" is no answer; a question without gold answers has none. The figures of a kind are there only where
    questions of it are, and their intervals are over these alone.

    Raises:
        ValueError: lists that differ in length, or no question.
    """
    if len(predicted) != len(gold) or len(gold) == 0:
        raise ValueError(f"{len(predicted)} answers to {len(gold)} questions: give one each, at least one")
    exact = np.array([exact_match(*pair) for pair in zip(predicted, gold, strict=True)])
    overlap = np.array([token_f1(*pair) for pair in zip(predicted, gold, strict=True)])
    answered = np.array([_normalised(answers) != [""] for answers in gold])
    figures = {
        "exact_match": exact,
        "f1": overlap,
        "has_answer_f1": overlap[answered],
        "no_answer_accuracy": exact[~answered],
    }
    return {name: _mean(values, resamples, seed) for name, values in figures.items() if len(values)}


def _mean(values: np.ndarray, resamples: int, seed: int) -> Score:
    [score] = bootstrap(values[:, None], lambda totals: totals / len(values), resamples, seed)
    return score


def _normalised(gold: Sequence[str]) -> list[str]:
    """The gold answers that have a token, or no answer alone where none has, as the script of SQuAD 2.0 does."""
    return [answer for answer in map(normalise_answer, gold) if answer] or [""]


def _overlap(tokens: list[str], gold: list[str]) -> float:
    if not tokens or not gold:
        return float(tokens == gold)
    return 2 * (Counter(tokens) & Counter(gold)).total() / (len(tokens) + len(gold))


@cache
def _punctuation() -> dict[int, None]:
    """All that Unicode calls punctuation and the signs of ASCII, to be translated to nothing."""
    signs = {number for number in range(sys.maxunicode + 1) if unicodedata.category(chr(number)).startswith("P")}
    return dict.fromkeys(signs | set(map(ord, string.punctuation)))
