"""The rows of a table as questions, each with what is right for it, and where that comes by the keys.

Notable: keys that agree to six digits are alike, for a text's key depends a little on what it was read with; and what
is alike stands before the right one.

n rows   m questions   c different things to be found
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mm_memgpt.evaluation.ranking import rank_of_first
from mm_memgpt.tasks.base import Example, Prediction
from mm_memgpt.tasks.gathered import Known

DIGITS = 6


@dataclass
class Question:
    """Rows that ask the same."""

    asked: str
    rows: list[int] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    """What tells apart what each row finds."""


def questions(examples: Sequence[Example]) -> list[Question]:
    """The questions of examples, in order of appearance; a row that does not say is right."""
    by_text: dict[str, Question] = {}
    for number, example in enumerate(examples):
        says = example.further
        if isinstance(says, Known):
            asked, found = says.asked, says.found
        else:
            asked, found = example.inputs.text or "", example.inputs.text_pair or str(number)
        question = by_text.setdefault(asked, Question(asked))
        question.rows.append(number)
        question.right.append(example.target is not False)
        question.found.append(found)
    return list(by_text.values())


def rank_own(asked: Sequence[Question], predictions: Sequence[Prediction]) -> list[int | None]:
    """Of each question the rank of the first right one among its own rows; None where none is right."""
    return [
        rank_of_first(np.array([predictions[row].value for row in question.rows]), np.array(question.right))
        for question in asked
    ]


def rank_all(
    asked: Sequence[Question], predictions: Sequence[Prediction], passed_over: Callable[[str], frozenset[str]]
) -> list[int | None]:
    """Of each question the rank of the first right one among all that any row finds.

    Args:
        asked: the questions.
        predictions: of all rows, with their keys.
        passed_over: of what is asked, what is not ranked for it unless it is right.
    """
    by_name: dict[str, np.ndarray] = {}
    rights: dict[str, set[str]] = defaultdict(set)
    for question in asked:
        for row, name in zip(question.rows, question.found, strict=True):
            by_name.setdefault(name, predictions[row].found)
            rights[question.asked].add(name)
    names = list(by_name)
    things = np.stack(list(by_name.values()))  # (c, w)
    ranks = []
    for question in asked:
        scores = np.round(things @ predictions[question.rows[0]].asked, DIGITS)
        right = np.array([name in rights[question.asked] for name in names])
        over = passed_over(question.asked)
        kept = right | np.array([name not in over for name in names])
        ranks.append(rank_of_first(scores[kept], right[kept]))
    return ranks
