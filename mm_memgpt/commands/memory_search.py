"""`mm-memgpt search --memory`: the moments of a memory that fit a few words, a photo or a sound best.

Notable: a query that is the path of a photo or sound is looked at or listened to; all other queries are words.
"""

import json
import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from mm_memgpt.commands.memory_lines import as_fact, as_place, place
from mm_memgpt.commands.memory_place import archived, opened, speak
from mm_memgpt.kinds import SUFFIXES
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.results import Hit
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Lists what is found, the best first.

    Raises:
        InputError: no such model, no memory that it can read, an empty query, or a folder of which nothing is kept.
    """
    with opened(arguments) as memory:
        hits = memory.search(query_of(arguments.query), arguments.top, where_of(arguments))
    speak(arguments.format)
    for hit in hits:
        print(json.dumps(as_json(hit), ensure_ascii=False) if arguments.format == "json" else line(hit))
    return 0


def query_of(query: str) -> str | Path:
    """The words, or the path where a photo or sound lies."""
    suffix = Path(query).suffix.lower()
    perceived = suffix in SUFFIXES["photo"] or suffix in SUFFIXES["sound"]
    return Path(query) if perceived and os.path.isfile(query) else query


def where_of(arguments: Namespace) -> Where:
    """What of the memory is searched.

    Raises:
        InputError: nothing that is kept came from the folder.
    """
    names = None
    if arguments.source is not None:
        names = (arguments.source, str(Path(arguments.source).resolve()))
    elif arguments.folder is not None:
        names = below(arguments.folder, arguments.memory)
    return Where(source=names, modality=arguments.modality, start=arguments.after, end=arguments.before)


def below(folder: str, address: str) -> tuple[str, ...]:
    """The sources of a memory that lie in a folder, or below it."""
    start = os.path.join(Path(folder).resolve(), "")
    with archived(address) as archive:
        names = tuple(name for name in archive.sources() if name.startswith(start))
    if not names:
        raise InputError(f"{folder}: nothing from this folder is kept in {address}; leave it out to search all of it")
    return names


def line(hit: Hit) -> str:
    """`0.0328 photos/cat.jpg [0:00:03]`, with the words of a text."""
    return f"{hit.score:.4f} {place(hit.source, hit.start, hit.end, hit.text)}"


def as_json(hit: Hit) -> dict[str, Any]:
    """`{path, modality, start, end, text, score}`, and of a fact `fact: {head, relation, tail, since, until}`."""
    row = {**as_place(hit.source, hit.modality, hit.start, hit.end, hit.text), "score": round(hit.score, 6)}
    return row if hit.fact is None else {**row, "fact": as_fact(hit.fact)}
