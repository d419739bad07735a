"""What the wording of a question tells of its answer, so that a model need not learn it.

Notable: some combinations are never asked for in training, so a model learns that "the second photo" never shows a
woman, and then denies one that it sees. In training, what the wording tells beyond the kind of question is added to
the model's own answer (a product of experts, arXiv:1909.03683) and so need not be learned; afterwards it is left out.
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

SMOOTHING = 1.0
"""Added to how often an answer came and to how often it was to be expected: none is impossible, and of rare ones little
is known."""


class Priors:
    """The answers of each wording, by their first tokens, beside those of all questions of its kind.

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
        """Each token that an answer of the kind may begin with, and how many times as likely as in other wordings it
        is in this one, as a logarithm; empty for other kinds."""
        usual = self.kinds.get(question.kind, Counter())
        known = self.wordings.get(question.text, Counter())
        shares = {token: count / usual.total() for token, count in usual.items()}
        return tuple(
            (token, math.log((known[token] + SMOOTHING) / (known.total() * share + SMOOTHING)))
            for token, share in shares.items()
        )


def read_priors(pools: Pools, texts: Texts) -> Priors:
    """The priors of a pool's questions."""
    return Priors(make_questions(pools, COUNT, "priors"), texts)
