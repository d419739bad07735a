"""What the wording of a question tells of its answer, so that a model need not learn it.

Notable: some combinations are never asked for in training, so a model learns that "the second photo" never shows a
woman, and then denies one that it sees. In training, what the wording tells is added to the model's own answer (a
product of experts, arXiv:1909.03683), so it is the memory alone that is learned from; afterwards it is left out.
"""

import math
from collections import Counter
from collections.abc import Iterable

from mm_memgpt.datasets.pools import Pools
from mm_memgpt.datasets.question_table import make_questions
from mm_memgpt.datasets.questions import Question
from mm_memgpt.training.items import Texts

KINDS = ("photo", "seen", "heard", "digit", "note")
"""Kinds of which combinations of wording and answer are kept apart."""

COUNT = 40_000
"""Questions that are counted."""

SMOOTHING = 2.0
"""Answers of a wording that are counted as those of its kind, so that none is impossible."""

FLOOR = 1e-4
"""Probability of what is no answer at all."""


class Priors:
    """The answers of each wording, as log-probabilities of their first tokens.

    Args:
        questions: of training.
        texts: makes tokens.
    """

    def __init__(self, questions: Iterable[Question], texts: Texts) -> None:
        self.kinds: dict[str, Counter[int]] = {kind: Counter() for kind in KINDS}
        self.wordings: dict[str, Counter[int]] = {}
        for question in questions:
            if question.kind in KINDS:
                token = texts.first(question.answer)
                self.kinds[question.kind][token] += 1
                self.wordings.setdefault(question.text, Counter())[token] += 1

    def of(self, question: Question) -> tuple[tuple[int, float], ...]:
        """Each token that an answer of the kind may begin with, and by how much likelier than FLOOR the wording makes
        it, as a logarithm; empty for other kinds."""
        usual = self.kinds.get(question.kind, Counter())
        known, total = self.wordings.get(question.text, Counter()), usual.total()
        seen = known.total() + SMOOTHING
        return tuple(
            (token, math.log((known[token] + SMOOTHING * count / total) / seen / FLOOR + 1.0))
            for token, count in usual.items()
        )


def read_priors(pools: Pools, texts: Texts) -> Priors:
    """The priors of a pool's questions."""
    return Priors(make_questions(pools, COUNT, "priors"), texts)
