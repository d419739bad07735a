"""`mm-memgpt timeline`: what a memory holds at once, by time, and what of it merged."""

import json
from argparse import Namespace
from typing import Any

from mm_memgpt.commands.memory_lines import amount, as_fact, as_place, place
from mm_memgpt.commands.memory_place import opened, speak
from mm_memgpt.commands.output import as_json
from mm_memgpt.recollection.results import Moment


def run(arguments: Namespace) -> int:
    """Lists the moments.

    Raises:
        InputError: no such model, or no memory that it can read.
    """
    with opened(arguments) as memory:
        moments = memory.timeline()
        summary = memory.summarize(arguments.beams) if arguments.summary and moments else None
    speak(arguments.format)
    for moment in moments:
        print(json.dumps(as_row(moment), ensure_ascii=False) if arguments.format == "json" else line(moment))
    if summary is not None:
        print(json.dumps(as_json(summary), ensure_ascii=False) if arguments.format == "json" else f"in all: {summary}")
    return 0


def line(moment: Moment) -> str:
    """`image  photos/cat.jpg [0:00:03]`, and how many items merged into it."""
    where = place(moment.source, moment.start, moment.end, " / ".join(moment.texts))
    merged = f", {amount(moment.items, 'item')} merged" if moment.merged else ""
    return f"{moment.modality:5}  {where}{merged}"


def as_row(moment: Moment) -> dict[str, Any]:
    """`{slot, path, modality, start, end, text, texts, facts, items, merged}`; the path is null where sources merged.

    A fact is `{head, relation, tail, since, until}`, and one of the texts its sentence.
    """
    where = as_place(moment.source, moment.modality, moment.start, moment.end, " / ".join(moment.texts))
    return {
        "slot": moment.slot,
        **where,
        "texts": list(moment.texts),
        "facts": [as_fact(fact) for fact in moment.facts],
        "items": moment.items,
        "merged": moment.merged,
    }
