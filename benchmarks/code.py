"""Code from a prompt, on HumanEval, MBPP and CoNaLa: models, and the controls that bound them.

The rows that people wrote say whether the harness is right (each must pass), an empty program and the code of the most
similar training intent say what a figure is worth. Programs are run in the sandbox of `mm_memgpt.evaluation.sandbox`.

    python -m benchmarks.code --data ../shared/data --run-code --model nano
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mm_memgpt.commands.evaluate_code import answers
from mm_memgpt.datasets.problems import Problem, cut, read_problems
from mm_memgpt.datasets.table import read_table
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.code import code_scores, pass_at
from mm_memgpt.evaluation.sandbox import run_program
from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.lexical import BM25
from mm_memgpt.tasks.writing_model import read_writer
from mm_memgpt.types import InputError

SETS = {"humaneval": "humaneval", "mbpp": "mbpp_sanitized", "conala": "conala"}
LONGEST = 96
"""Tokens of an answer."""

Row = Callable[[Sequence[Problem]], list[str]]
"""What a row of the table answers."""


def problems(data: Path, name: str, part: str = "test", limit: int | None = None) -> list[Problem]:
    """The problems of a set."""
    table = read_table(str(data / "text" / SETS[name] / f"{part}.parquet"))
    return [each for each in read_problems(table) if isinstance(each, Problem)][:limit]


def nearest(data: Path) -> Row:
    """The code of the training intent with the likest words, by BM25."""
    known = problems(data, "conala", "train")
    search = BM25([each.intent for each in known])

    def row(asked: Sequence[Problem]) -> list[str]:
        return [known[int(search(each.intent).argmax())].solution for each in asked]

    return row


def by_model(place: str, batch: int) -> Row:
    """What a model writes; a prompt that it cannot hold has no answer."""
    model = read_writer(place, "cpu")

    def row(asked: Sequence[Problem]) -> list[str]:
        how, written = Decoding(longest=LONGEST), []
        for start in range(0, len(asked), batch):
            found = list(answers(model, asked[start : start + batch], how))
            written += ["" if isinstance(each, InputError) else each for each in found]
            print(f"{place}: {len(written)} of {len(asked)}", file=sys.stderr)
        return written

    return row


def measured(asked: Sequence[Problem], written: Sequence[str]) -> dict[str, Score]:
    """The figures of a set: of problems with tests whether they pass, of the others how like they are."""
    texts = [cut(answer, each.ends) for answer, each in zip(written, asked, strict=True)]
    if not asked[0].tests:
        return code_scores(texts, [each.solution for each in asked])
    ran = [run_program(each.program(text), each.tests) for each, text in zip(asked, texts, strict=True)]
    return {"pass@1": pass_at(1, [[verdict.passed] for verdict in ran])}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run-code", action="store_true", help="allow to run what models write, in a sandbox")
    parser.add_argument("--model", action="append", default=[], help="nano, or a folder; may be repeated")
    parser.add_argument("--set", action="append", choices=SETS, help="default: all")
    parser.add_argument("--limit", type=int, help="the first problems of each set only")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--output", type=Path, help="where the figures go as JSON")
    options = parser.parse_args(arguments)
    if not options.run_code and set(options.set or SETS) != {"conala"}:
        parser.error("HumanEval and MBPP run what models write; say --run-code to allow it, or --set conala")
    rows: dict[str, Row] = {
        "what a person wrote": lambda asked: [each.solution for each in asked],
        "nothing": lambda asked: [""] * len(asked),
        "the most similar intent's, BM25": nearest(options.data),
    }
    rows |= {place: by_model(place, options.batch) for place in options.model}
    figures: dict[str, dict[str, dict[str, Score]]] = {}
    for name in options.set or SETS:
        asked = problems(options.data, name, limit=options.limit)
        for title, row in rows.items():
            started = time.monotonic()
            found = measured(asked, row(asked))
            figures.setdefault(name, {})[title] = found
            told = "  ".join(f"{figure} {s.value:.3f} ({s.low:.3f} to {s.high:.3f})" for figure, s in found.items())
            print(f"{name:10} {len(asked):4}  {title:32} {told}  {time.monotonic() - started:.0f} s", flush=True)
    if options.output is not None:
        options.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
