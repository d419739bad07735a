"""`mm-memgpt summarize`: the sentences that matter of each document, and where they stand in it.

Notable: a document is read as a stream, so its length costs no memory; one that cannot be read costs one line on
standard error and the exit status, never the others.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from os import PathLike
from typing import TextIO

from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.output import results
from mm_memgpt.summaries import asked, load_summarizer
from mm_memgpt.tasks.summary import Summary
from mm_memgpt.types import InputError

Result = Summary | InputError


def run(arguments: Namespace) -> int:
    """Summarises the files; 1 if any could not be read, else 0."""
    length = asked(arguments.sentences, arguments.words, arguments.share)
    summarizer = load_summarizer(arguments.model, arguments.device)
    failed = 0
    forms = {"text": partial(text_rows, several=len(arguments.files) > 1, sources=arguments.sources), "json": json_rows}
    with results(arguments.format, arguments.output, forms) as write:
        for name in arguments.files:
            try:
                found: Result = summarizer(name, length)
            except InputError as error:
                found = error
                failed += 1
                print(error_line(error), file=sys.stderr)
            if isinstance(found, Summary) and found.bounded:
                kept = len(found.sentences)
                print(f"{name}: longer than what is kept of it, so the summary is {kept} sentences", file=sys.stderr)
            write(name, found)
    return 1 if failed else 0


def text_rows(stream: TextIO, several: bool, sources: bool) -> Callable[[str, Result], None]:
    """A sentence a line, with its sources behind it where they are asked for; of several files, below their names."""

    def write(name: str | PathLike, result: Result) -> None:
        if isinstance(result, InputError):
            return
        if several:
            print(f"{name}:", file=stream)
        for sentence in result.sentences:
            print(sentence.text, file=stream)
            for source in sentence.sources if sources else ():
                said = "" if source.text == sentence.text else f" ({source.share:.0%}): {source.text}"
                print(f"    {name}:{source.line}: {source.place}{said}", file=stream)
        if several:
            print(file=stream)

    return write


def json_rows(stream: TextIO) -> Callable[[str, Result], None]:
    """An object a file: `{path, summary, sentences: [{text, sources}], of_sentences, of_words}` or `{path, error}`."""

    def write(name: str, result: Result) -> None:
        said = {"error": str(result)} if isinstance(result, InputError) else result.to_json()
        print(json.dumps({"path": name, **said}, ensure_ascii=False), file=stream)

    return write
