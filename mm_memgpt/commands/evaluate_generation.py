"""`mm-memgpt evaluate generation`: how well a model foresees texts, by token, word and byte."""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from mm_memgpt.commands.errors import error_line
from mm_memgpt.datasets.document import DOCUMENT_SUFFIXES
from mm_memgpt.datasets.fields import as_text
from mm_memgpt.datasets.plain import plain_text
from mm_memgpt.datasets.table import column, read_table
from mm_memgpt.evaluation.perplexity import perplexity_scores
from mm_memgpt.evaluation.tables import as_table
from mm_memgpt.tasks.generation import likelihood
from mm_memgpt.tasks.writing_model import read_writer
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Scores texts; the figures go to standard output.

    Raises:
        InputError: no such model or column, or no text that can be used.
    """
    found = texts(arguments)
    model = read_writer(arguments.model, arguments.device)
    started, pieces, read, failed = time.monotonic(), [], 0, 0
    for text in found:
        if isinstance(text, InputError):
            failed += 1
            print(error_line(text), file=sys.stderr)
            continue
        pieces += likelihood(model, text, arguments.batch)
        read += 1
        print(f"{read} texts, {sum(piece.size for piece in pieces)} bytes", file=sys.stderr)
        if arguments.limit is not None and read >= arguments.limit:
            break
    if not pieces:
        raise InputError(f"{arguments.data}: no text can be used; give at least one")
    seconds = round(time.monotonic() - started, 1)
    scores = perplexity_scores(pieces)
    counts = {"texts": read, "tokens": sum(each.tokens for each in pieces), "bytes": sum(each.size for each in pieces)}
    if arguments.format == "json":
        said = {name: score._asdict() for name, score in scores.items()}
        print(json.dumps(said | counts | {"skipped": failed, "seconds": seconds}))
    else:
        told = ", ".join(f"{count} {name}" for name, count in counts.items())
        print(f"{as_table(scores)}\n\n{told}, {seconds} s")
    return 1 if failed else 0


def texts(arguments: Namespace) -> Iterator[str | InputError]:
    """The texts of a table's column, or a plain text file as one text."""
    if Path(arguments.data).suffix.lower() in DOCUMENT_SUFFIXES:
        return iter([plain_text(arguments.data)])
    table = read_table(arguments.data, split=arguments.split, encoding=arguments.encoding)
    name = column(table, arguments.text, "text")

    def each() -> Iterator[str | InputError]:
        for index in range(len(table)):
            try:
                yield as_text(table[index][name], table.place(index), name)
            except InputError as error:
                yield error

    return each()
