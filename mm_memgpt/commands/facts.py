"""`mm-memgpt facts`: the facts that a memory was told, by name and by time; no model is needed to look."""

import json
from argparse import Namespace
from typing import Any

from mm_memgpt.commands.memory_lines import as_fact, validity
from mm_memgpt.commands.memory_place import archived, speak
from mm_memgpt.knowledge.saying import names, sentence_of
from mm_memgpt.recollection.known import Known
from mm_memgpt.recollection.results import KnownFact


def run(arguments: Namespace) -> int:
    """Lists the facts, the first told first.

    Raises:
        InputError: no memory there, or no entity of that name.
    """
    with archived(arguments.memory) as archive:
        found = Known(archive).about(arguments.about, arguments.at, most=None)
    speak(arguments.format)
    for known in found:
        print(json.dumps(as_row(known), ensure_ascii=False) if arguments.format == "json" else line(known))
    return 0


def line(known: KnownFact) -> str:
    """`Bonn is the capital of Germany (atlas, from 1949-05-23 until 1990-10-03)`."""
    said_by = ", ".join(part for part in (known.source, validity(known.fact)) if part)
    return f"{sentence_of(known.fact)} ({said_by})"


def as_row(known: KnownFact) -> dict[str, Any]:
    """`{head, relation, tail, since, until, names, text, path, time, id}`; names are those of head, relation, tail."""
    return {
        **as_fact(known.fact),
        "names": list(names(known.fact)),
        "text": sentence_of(known.fact),
        "path": known.source,
        "time": round(known.time, 3),
        "id": known.id,
    }
