"""`mm-memgpt evaluate code`: whether the code that a model writes works, and how like it is to a person's.

Notable: programs that a model wrote are run only where that is asked for, each by itself in the sandbox; a problem with
a prompt that the model cannot hold counts as unsolved, because it is.
"""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.output import results
from mm_memgpt.datasets.problems import Problem, cut, read_problems
from mm_memgpt.datasets.table import read_table
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.code import code_scores, pass_at
from mm_memgpt.evaluation.sandbox import Limits, Verdict, run_program
from mm_memgpt.evaluation.tables import as_table
from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing_model import WritingModel, read_writer
from mm_memgpt.types import InputError


class Tried(NamedTuple):
    """A problem, what was answered, and what came of it."""

    problem: Problem
    answers: list[str]
    verdicts: list[Verdict]
    """One an answer, of a problem with tests that was run."""


def run(arguments: Namespace) -> int:
    """Writes, scores, and runs where it is told to; the figures go to standard output.

    Raises:
        InputError: problems with tests that are not to be run, or no problem, or no such model.
    """
    limits = Limits(seconds=arguments.seconds, memory=arguments.megabytes << 20)
    table = read_table(arguments.data, split=arguments.split, encoding=arguments.encoding)
    rows = list(read_problems(table))[: arguments.limit]
    problems = [row for row in rows if isinstance(row, Problem)]
    failed = [row for row in rows if isinstance(row, InputError)]
    for error in failed:
        print(error_line(error), file=sys.stderr)
    if not problems:
        raise InputError(f"{table.name}: no row can be used; give at least one problem")
    if any(problem.tests for problem in problems) and not arguments.run_code:
        raise InputError(
            f"{table.name}: its tests run the programs that the model writes; to allow that, say --run-code: each runs "
            f"by itself, without network, may write no file, and has {limits.seconds:g} s and {arguments.megabytes} MiB"
        )
    started = time.monotonic()
    tried, refused = attempt(read_writer(arguments.model, arguments.device), problems, arguments, limits)
    seconds = round(time.monotonic() - started, 1)
    scores = figures(tried)
    if arguments.format == "json":
        said = {name: score._asdict() for name, score in scores.items()}
        print(json.dumps(said | {"rows": len(tried), "skipped": len(failed), "seconds": seconds}))
    else:
        print(f"{as_table(scores)}\n\n{len(tried)} problems, {seconds} s")
    if arguments.predictions is not None:
        write_answers(arguments.predictions, tried)
    return 1 if failed or refused else 0


def attempt(
    model: WritingModel, problems: Sequence[Problem], arguments: Namespace, limits: Limits
) -> tuple[list[Tried], int]:
    """What the model answers to each problem, and what comes of it; and how many prompts it could not hold."""
    how, tried, refused = decoding(model, arguments), [], 0
    for start in range(0, len(problems), arguments.batch):
        some = problems[start : start + arguments.batch]
        drawn = []
        for draw in range(arguments.samples):
            seeded = replace(how, seed=arguments.seed + draw) if how.sample else how
            drawn.append(list(answers(model, some, seeded)))
        for problem, *written in zip(some, *drawn, strict=True):
            if isinstance(written[0], InputError):
                refused += 1
                print(error_line(f"{problem.place}: {written[0]}; it counts as unsolved"), file=sys.stderr)
            texts = [cut("" if isinstance(each, InputError) else each, problem.ends) for each in written]
            ran = [run_program(problem.program(each), problem.tests, limits) for each in texts] if problem.tests else []
            tried.append(Tried(problem, texts, ran))
        print(f"{len(tried)} of {len(problems)} problems", file=sys.stderr)
    return tried, refused


def decoding(model: WritingModel, arguments: Namespace) -> Decoding:
    """How it is written: as the task says, in as many tokens as asked for; several answers are drawn."""
    how = Decoding() if model.task is None else model.task.decoding
    how = replace(how, longest=arguments.longest, shortest=min(how.shortest, arguments.longest))
    if arguments.samples == 1:
        return how
    return replace(how, sample=True, beams=1, temperature=arguments.temperature, top_p=0.95)


def answers(model: WritingModel, problems: Sequence[Problem], how: Decoding) -> Iterator[str | InputError]:
    """An answer to each problem, or why there is none; one that the model cannot hold costs itself alone."""
    prompts = [prompt_of(model, problem) for problem in problems]
    held = [too_long(model, prompt, how) for prompt in prompts]
    fitting = [prompt for prompt, error in zip(prompts, held, strict=True) if error is None]
    written = iter(model.write(fitting, how) if fitting else [])
    for error in held:
        yield next(written).text if error is None else error


def prompt_of(model: WritingModel, problem: Problem) -> Prompt:
    """What a model is asked: as its own task asks, or the intent as it stands."""
    return Prompt(problem.intent) if model.task is None else model.task.prompt(Inputs(text=problem.intent))


def too_long(model: WritingModel, prompt: Prompt, how: Decoding) -> InputError | None:
    """Why a model cannot hold a prompt and what is to follow it; None where it can."""
    tokens = model.processor.length(prompt)
    if model.room is None or tokens + how.longest <= model.room:
        return None
    return InputError(
        f"prompt of {tokens} tokens with up to {how.longest} to be written is too long for the {model.room} that the "
        "model can hold; shorten it, or write fewer"
    )


def figures(tried: Sequence[Tried]) -> dict[str, Score]:
    """pass@k of the problems with tests, and how like the first answers are to what people wrote."""
    passed = [[verdict.passed for verdict in each.verdicts] for each in tried if each.verdicts]
    scores = {f"pass@{k}": pass_at(k, passed) for k in (1, 10, 100) if passed and len(passed[0]) >= k}
    return scores | code_scores([each.answers[0] for each in tried], [each.problem.solution for each in tried])


def write_answers(path: str, tried: Sequence[Tried]) -> None:
    """A JSON line a problem: where it stands, what was answered and what came of it."""
    form = {"json": lambda stream: lambda row: print(json.dumps(row, ensure_ascii=False), file=stream)}
    with results("json", path, form) as write:
        for problem, texts, verdicts in tried:
            ran = [{"passed": verdict.passed, "line": verdict.line} for verdict in verdicts]
            write({"place": problem.place, "answers": texts, "target": problem.solution, "ran": ran})
