"""Problems of HumanEval, MBPP and CoNaLa are told by their columns, and their own solutions solve them."""

import pytest

from mm_memgpt.datasets.problems import cut, read_problems
from mm_memgpt.datasets.table import read_table
from mm_memgpt.datasets.table_given import GivenTable
from mm_memgpt.evaluation.sandbox import run_program
from mm_memgpt.types import InputError

HUMANEVAL = {
    "prompt": 'def one():\n    """ One. """\n',
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
    "entry_point": "one",
}
MBPP = {
    "text": "A root.",
    "code": "def root(x):\n  return x ** .5",
    "test_list": ["assert root(4) == math.sqrt(4)"],
}
CONALA = {"intent": "How to?", "rewritten_intent": "sort list `a`", "snippet": "a.sort()"}


def problems(*rows):
    return list(read_problems(GivenTable(list(rows), list(rows[0]), [f"row {n}" for n in range(len(rows))])))


@pytest.mark.parametrize("row", [HUMANEVAL, MBPP])
def test_what_a_person_wrote_passes_and_nothing_does_not(row):
    [problem] = problems(row)
    assert run_program(problem.program(cut(problem.solution, problem.ends)), problem.tests).passed
    assert not run_program(problem.program(cut("", problem.ends)), problem.tests).passed


def test_an_intent_that_was_rewritten_is_the_one_that_is_shown():
    first, second = problems(CONALA, {**CONALA, "rewritten_intent": None})
    assert (first.intent, second.intent, first.solution) == ("sort list `a`", "How to?", "a.sort()")


def test_a_body_ends_where_its_indent_does_and_gets_the_one_that_it_lost():
    assert cut("return 1\n\n\nprint(one())\n", "body") == "    return 1\n\n\n"
    assert cut("    x = (\n        1\n)\n    return x\n# next", "body") == "    x = (\n        1\n)\n    return x\n"
    assert cut("return 1", "body") == "    return 1"


def test_a_program_ends_before_what_tries_it_out():
    assert cut("def f():\n  return 1\n\nassert f() == 1", "program") == "def f():\n  return 1\n"
    assert cut("def f():\n  return 1\nf()", "program") == "def f():\n  return 1\nf()"


def test_a_row_without_tests_costs_itself_alone():
    error, problem = problems({**MBPP, "test_list": []}, MBPP)
    assert str(error) == "row 0: column 'test_list' holds no list of tests; give at least one"
    assert problem.solution == MBPP["code"]


def test_another_table_is_refused():
    with pytest.raises(InputError, match="no problems that are solved by code; give a table with the columns prompt,"):
        problems({"review": "good"})


@pytest.mark.data
@pytest.mark.parametrize(("name", "rows"), [("humaneval", 147), ("mbpp_sanitized", 384), ("conala", 500)])
def test_the_sets_are_read_whole(name, rows, data_folder):
    read = list(read_problems(read_table(data_folder / "text" / name / "test.parquet")))
    assert len(read) == rows
    assert not any(isinstance(each, InputError) for each in read)
