"""`mm-memgpt ask-graph`: questions about a graph, each answer with the walk that leads to it, and a picture of them.

Notable: a question that cannot be asked costs one line on standard error and the exit status, never the others; so does
a broken triple.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence

from mm_memgpt.commands.errors import PROGRAM, error_line, tell_errors
from mm_memgpt.commands.picture import svg_at
from mm_memgpt.explain.graph_paths import draw
from mm_memgpt.knowledge.graph_reader import GraphAnswer, Step, load_graph_reader
from mm_memgpt.knowledge.reading import read_graph
from mm_memgpt.knowledge.surroundings import WalkGraph
from mm_memgpt.types import InputError

TOLD = 5
"""Broken triples that are told one by one."""


def run(arguments: Namespace) -> int:
    """Answers the questions; 1 if any could not be asked or a triple was broken, else 0.

    Raises:
        InputError: no such model or graph, or a picture that cannot be.
    """
    if arguments.draw is not None and len(arguments.questions) > 1:
        arguments.refuse("--draw shows one question; ask one at a time")
    drawing = None if arguments.draw is None else svg_at(arguments.draw)
    reader = load_graph_reader(arguments.model)
    broken: list[InputError] = []
    graph = WalkGraph(read_graph(arguments.graph, arguments.names, skip=broken.append)[0], reader.model.shape.inverses)
    tell_errors(broken, TOLD)
    failed = bool(broken)
    for question in arguments.questions:
        try:
            answers = reader.ask(question, graph, arguments.entity, arguments.top)
            tell(question, answers, arguments.format)
            if drawing is not None:
                drawing.write_text(draw(question, answers), encoding="utf-8")
        except InputError as error:
            failed = True
            print(error_line(error), file=sys.stderr)
    return 1 if failed else 0


def tell(question: str, answers: Sequence[GraphAnswer], form: str) -> None:
    """Writes the answers to standard output, and to standard error what was left out."""
    if answers[0].cut:
        print(f"{PROGRAM}: {question}: {answers[0].cut:,} edges were too many to look at", file=sys.stderr)
    if form == "json":
        found = [{**each._asdict(), "path": [step._asdict() for step in each.path]} for each in answers]
        print(json.dumps({"question": question, "answers": found}, ensure_ascii=False))
        return
    for each in answers:
        print(f"{each.answer}  {each.score:.3f}")
        print("".join(["  ", _start(each.path[0]), *map(_arrow, each.path)]))


def _start(step: Step) -> str:
    return step.tail if step.backwards else step.head


def _arrow(step: Step) -> str:
    """A step behind where it starts."""
    said = f"{step.relation} {step.weight:.2f}"
    return f" <-{said}- {step.head}" if step.backwards else f" -{said}-> {step.tail}"
