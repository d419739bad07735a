"""Code is written from what it is to do, cut where it ends, and measured by its likeness."""

import pytest

from mm_memgpt.datasets.table_given import GivenTable
from mm_memgpt.tasks.base import Prediction
from mm_memgpt.tasks.code import Code
from mm_memgpt.tasks.prompt import Composed, Prompt

COLUMNS = {"text": "intent", "label": "snippet"}
TABLE = GivenTable([{"intent": "sort list `a`", "snippet": "a.sort()"}], ["intent", "snippet"], ["row 0"])


class Writer:
    """Writes one and the same text."""

    def __init__(self, text):
        self.text = text

    def write(self, prompts, how):
        return [Composed(self.text, True)] * len(prompts)


def test_a_row_is_an_intent_and_its_code():
    example = Code(COLUMNS).example(TABLE, 0)
    assert (example.further, example.target) == (Prompt("sort list `a`"), "a.sort()")


@pytest.mark.parametrize(
    ("ends", "answer"),
    [("none", "x = 1\nassert x"), ("program", "x = 1"), ("body", "    x = 1\n")],
)
def test_an_answer_ends_where_the_option_says(ends, answer):
    task = Code(COLUMNS, (), {"ends": ends})
    [said] = task.predict(Writer("x = 1\nassert x"), [task.example(TABLE, 0)])
    assert said.value == answer


def test_it_is_measured_by_likeness_alone():
    task = Code(COLUMNS)
    scores = task.score([Prediction(value="a.sort()")], [task.example(TABLE, 0)]).values
    assert {name: score.value for name, score in scores.items()} == {"bleu": 1.0, "exact_match": 1.0}


def test_nothing_that_is_saved_can_ask_for_code_to_be_run():
    with pytest.raises(ValueError, match="task code has no option 'run_code'"):
        Code(COLUMNS, (), {"run_code": True})


def test_another_end_is_refused():
    with pytest.raises(ValueError, match="ends 'line' is unknown; known: none, body, program"):
        Code(COLUMNS, (), {"ends": "line"})
