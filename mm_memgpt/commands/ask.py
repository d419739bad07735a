"""`mm-memgpt ask`: a question answered from a memory, with the photo, second or sentence that each answer rests on.

Notable: a memory that holds too little declines, which is an answer and no failure: the exit status stays 0.
"""

import json
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from mm_memgpt.commands.memory_lines import as_place, place, when
from mm_memgpt.commands.memory_place import opened, speak
from mm_memgpt.commands.picture import svg_at
from mm_memgpt.knowledge.saying import names
from mm_memgpt.recollection.answer_graph import answer_graph
from mm_memgpt.recollection.answer_nodes import Shown, shown_as
from mm_memgpt.recollection.results import Answer


def run(arguments: Namespace) -> int:
    """Answers the question.

    Raises:
        InputError: no question, no such model, no memory that it can read, or a picture that cannot be.
    """
    drawing = None if arguments.graph is None else svg_at(arguments.graph)
    with opened(arguments) as memory:
        answer = memory.ask(arguments.question, arguments.top, arguments.at)
    if drawing is not None:
        how = [Shown(shown_as(source).kind, when(source.start, source.end)) for source in answer.sources]
        drawing.write_text(answer_graph(answer, how), encoding="utf-8")
    speak(arguments.format)
    if arguments.format == "json":
        print(json.dumps(as_json(answer), ensure_ascii=False))
    else:
        print("\n".join(lines(answer, arguments.memory)))
    return 0


def as_json(answer: Answer) -> dict[str, Any]:
    """`{answer, confidence, grounded, declined, sources, links: [{one, other, kind, name, weight}], path}`.

    A source is `{path, modality, start, end, text, fact, evidence}`, a fact `[head, relation, tail]` by names, or null;
    the path has a `[name, relation, name]` for each step.
    """
    return {
        "answer": answer.text,
        "confidence": round(answer.confidence, 6),
        "grounded": round(answer.grounded, 6),
        "declined": answer.declined,
        "sources": [
            {
                **as_place(source.path, source.modality, source.start, source.end, source.text),
                "fact": None if source.fact is None else names(source.fact),
                "evidence": round(source.evidence, 6),
            }
            for source in answer.sources
        ],
        "links": [asdict(link) | {"weight": round(link.weight, 6)} for link in answer.links],
        "path": answer.path,
    }


def lines(answer: Answer, address: str) -> list[str]:
    """The answer, how sure it is, and a line a source, in the order of the answer's."""
    if answer.declined:
        return [f"no answer: {address} holds too little about this"]
    sources = (
        f"{source.evidence:6.2f} nats  {place(source.path, source.start, source.end, source.text)}"
        for source in answer.sources
    )
    return [answer.text, f"confidence {answer.confidence:.2f}, grounded by {answer.grounded:.2f} nats:", *sources]
