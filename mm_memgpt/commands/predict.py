"""`mm-memgpt predict`: what a model of finetune makes of each row of a table, or of each line of a text.

Notable: each row is written as soon as its batch is read; one that cannot be used costs one line on standard error and
the exit status, never the others.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.inputs import STANDARD_INPUT
from mm_memgpt.commands.output import results
from mm_memgpt.commands.predictions import FORMATS, Said
from mm_memgpt.datasets.table import Table, check_ids, read_table
from mm_memgpt.datasets.table_given import LinesTable
from mm_memgpt.task_pipeline import TaskPipeline, load_task
from mm_memgpt.tasks.base import Example
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Predicts of the inputs; 1 if any row failed, else 0."""
    check(arguments)
    model = load_task(arguments.model, arguments.device)  # before the output is opened: it must not empty a file
    failed = cut = 0
    with results(arguments.format, arguments.output, FORMATS) as write:
        for said in said_of(model, arguments):
            if isinstance(said.result, InputError):
                failed += 1
                print(error_line(said.result), file=sys.stderr)
            else:
                cut += "left_out" in said.result.details
            if said.place:
                write(said)
    if cut:
        print(cut_line(model, cut), file=sys.stderr)
    return 1 if failed else 0


def check(arguments: Namespace) -> None:
    """Ends with a usage error where the arguments do not go together.

    Raises:
        InputError: the output would be written over an input.
    """
    given = [text for text in (arguments.text, arguments.text_pair) if text is not None]
    if bool(arguments.inputs) == bool(given):
        arguments.refuse("give INPUT or --text" if not given else "give INPUT or --text, not both")
    if arguments.explain is not None and arguments.format == "csv":
        arguments.refuse("--explain writes no CSV; take --format json")
    for name in [] if arguments.output is None else arguments.inputs:
        if all(map(os.path.exists, (name, arguments.output))) and os.path.samefile(name, arguments.output):
            raise InputError(f"{name}: is read, so --output may not be it; give another file")


def said_of(model: TaskPipeline, arguments: Namespace) -> Iterator[Said]:
    """What comes of each row of each input; of a whole input that cannot be used, its error."""
    if not arguments.inputs:
        given = {"text": arguments.text, "text_pair": arguments.text_pair}
        given = {role: text for role, text in given.items() if text is not None}
        yield from of_placed(model, [("--text", given)], arguments)
    for name in arguments.inputs:
        try:
            if name == STANDARD_INPUT:
                yield from of_placed(model, lines(sys.stdin, one_role(model, name)), arguments)
            else:
                yield from of_table(model, open_table(model, name, arguments.encoding), arguments)
        except InputError as error:
            yield Said("", error)


def of_table(model: TaskPipeline, table: Table, arguments: Namespace) -> Iterator[Said]:
    """What comes of each row; ids that two rows have are an error beside them, not in place of them."""
    named = model.task.columns.get("id")
    named = named if named in table.columns else None
    if named is not None:
        try:
            check_ids(table, named)
        except InputError as error:
            yield Said("", error)
    for row, (place, result) in enumerate(model.predict_table(table, arguments.batch)):
        if isinstance(result, InputError):
            yield Said(place, result)
            continue
        explained = None if arguments.explain is None else explanation(model, model.task.example(table, row), arguments)
        yield Said(place, result, None if named is None else text_of(table[row][named]), explained)


def of_placed(model: TaskPipeline, placed: Iterable[tuple[str, Any]], arguments: Namespace) -> Iterator[Said]:
    """What comes of each input that is no row of a table."""
    if arguments.explain is None:
        yield from (Said(*pair) for pair in model.predict_placed(placed, arguments.batch))
        return
    for place, given in placed:
        [(_, result)] = model.predict_placed([(place, given)])
        bad = isinstance(result, InputError)
        yield Said(place, result, None, None if bad else explanation(model, model.example(given, place), arguments))


def explanation(model: TaskPipeline, example: Example, arguments: Namespace) -> Any:
    """What speaks for a prediction, as the format shows it: coloured where a person watches."""
    found = model.explain(example, arguments.explain)
    if arguments.format == "json":
        return found.to_json()
    coloured = arguments.output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return found.to_ansi(colour=coloured)


def open_table(model: TaskPipeline, name: str, encoding: str | None) -> Table:
    """The table of an input, a .txt file as lines of what the model reads.

    Raises:
        InputError: it cannot be read, or has fewer columns than the model reads.
    """
    if Path(name).suffix.lower() == ".txt":
        return LinesTable(name, model.task.columns[one_role(model, name)], encoding)
    return read_table(name, encoding=encoding)


def one_role(model: TaskPipeline, name: str) -> str:
    """The one role that the model reads. Raises InputError where there are several."""
    if len(model.reads) == 1:
        return model.reads[0]
    columns = " and ".join(model.task.columns[role] for role in model.reads)
    raise InputError(f"{name}: this model reads {' and '.join(model.reads)}; give a table with the columns {columns}")


def lines(stream: TextIO, role: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Place and input of each line that is not blank, one by one, as they come."""
    stream.reconfigure(encoding="utf-8", errors="surrogateescape")  # what is not UTF-8 costs its own line alone
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield f"{STANDARD_INPUT}:{number}", {role: line.rstrip("\r\n")}


def text_of(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def cut_line(model: TaskPipeline, cut: int) -> str:
    """How many rows were cut, and how to read all of them."""
    rows = "1 row is" if cut == 1 else f"{cut} rows are"
    if model.task.writes:
        longest, way_out = model.model.processor.longest, "remember: true"
    else:
        longest, way_out = model.model.backbone.processor.fit.longest, "over: windows"
    return (
        f"{rows} longer than the {longest} tokens that are read, and cut; to read all, train with a larger longest or "
        f"with {way_out}"
    )
