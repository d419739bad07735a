"""Problems that are solved by code: HumanEval, MBPP, CoNaLa, and tables of one's own.

    for problem in read_problems(read_table("humaneval.parquet")):
        problem.intent, problem.program(answer), problem.tests

Notable: which set a table is from is told by its columns; what a model is shown, and where its answer ends, is what is
usual for the set, so figures can be compared.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mm_memgpt.datasets.fields import as_text
from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.types import InputError

_AFTER_PROGRAM = re.compile(r"\n(?:assert\b|print\b|if\b|class\b|\"\"\"|```|# ?[Tt]est)")
"""What ends a program that is asked for as a whole, as evaluations of MBPP have it."""


INDENT = "    "


class Problem(NamedTuple):
    """What code is asked for."""

    intent: str
    """What a model is shown."""
    solution: str
    """The code that a person wrote."""
    tests: str
    """Statements that must go through after it; "" where the problem has none."""
    before: str
    """The beginning of the program that the answer goes on from; "" where the answer is the whole."""
    ends: str
    """Where an answer ends: with its "body" or "program", or where the model says ("none")."""
    place: str
    """File and row."""

    def program(self, answer: str) -> str:
        """The program that an answer makes."""
        return self.before + answer


def read_problems(table: Table) -> Iterator[Problem | InputError]:
    """The problems of a table, or what is wrong with a row, in their order.

    Raises:
        InputError: columns of no set that is known.
    """
    reads = [read for columns, read in READERS.items() if {*columns} <= {*table.columns}]
    if not reads:
        known = "; or ".join(", ".join(columns) for columns in READERS)
        raise InputError(f"{table.name}: no problems that are solved by code; give a table with the columns {known}")
    return _each(table, reads[0])


def cut(answer: str, ends: str) -> str:
    """An answer up to its end: models that were trained on files write on behind it."""
    if ends == "program":
        found = _AFTER_PROGRAM.search(answer)
        return answer[: found.start()] if found else answer
    if ends == "body":
        return _body(answer)
    return answer


ENDS = ("none", "body", "program")
"""Where an answer may end."""


def _body(answer: str) -> str:
    """The lines up to the first that is not indented: where a function's body ends. The first line itself may have lost
    its indent, for many a model's texts are stripped."""
    first, *rest = answer.split("\n")
    if first and not first[0].isspace():
        first = INDENT + first
    for number, line in enumerate(rest):
        if line and not line[0].isspace() and not line.startswith(")"):
            return "\n".join([first, *rest[:number]]) + "\n"
    return "\n".join([first, *rest])


def _each(table: Table, read: Callable[[Row, str], Problem]) -> Iterator[Problem | InputError]:
    for index in range(len(table)):
        place = table.place(index)
        try:
            yield read(table[index], place)
        except InputError as error:
            yield error


def _humaneval(row: Row, place: str) -> Problem:
    prompt, test, solution = (as_text(row[name], place, name) for name in ("prompt", "test", "canonical_solution"))
    tests = f"{test}\ncheck({as_text(row['entry_point'], place, 'entry_point')})\n"
    return Problem(prompt, solution, tests, prompt, "body", place)


def _mbpp(row: Row, place: str) -> Problem:
    text, code = as_text(row["text"], place, "text"), as_text(row["code"], place, "code")
    tests = row["test_list"]
    if tests is None or isinstance(tests, str) or len(tests) == 0:
        raise InputError(f"{place}: column 'test_list' holds no list of tests; give at least one")
    lines = "\n".join(map(str, tests))
    imports = "import math\n" if "math." in lines else ""  # the set's test_imports, which copies of it leave out
    return Problem(f'"""\n{text}\n{lines}\n"""\n', code, f"{imports}{lines}\n", "", "program", place)


def _conala(row: Row, place: str) -> Problem:
    name = "intent" if row.get("rewritten_intent") in (None, "") else "rewritten_intent"
    return Problem(as_text(row[name], place, name), as_text(row["snippet"], place, "snippet"), "", "", "none", place)


READERS: dict[tuple[str, ...], Callable[[Row, str], Problem]] = {
    ("prompt", "canonical_solution", "test", "entry_point"): _humaneval,
    ("text", "code", "test_list"): _mbpp,
    ("intent", "snippet"): _conala,
}
"""Readers of the sets by the columns that tell them."""
