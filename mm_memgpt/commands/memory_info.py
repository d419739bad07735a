"""`mm-memgpt memory info`: what a memory holds, and how much; no model is needed to look."""

import json
from argparse import Namespace
from collections import Counter
from typing import Any

from mm_memgpt.commands.memory_lines import amount, when
from mm_memgpt.commands.memory_place import archived, place_of, speak
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.where import Where
from mm_memgpt.types import MODALITIES


def run(arguments: Namespace) -> int:
    """Says what the memory holds.

    Raises:
        InputError: no memory there, or one that cannot be read.
    """
    with archived(place_of(arguments)) as archive:
        found = facts(archive)
    speak(arguments.format)
    print(json.dumps(found, ensure_ascii=False) if arguments.format == "json" else "\n".join(lines(found)))
    return 0


def facts(archive: Archive) -> dict[str, Any]:
    """`{memory, items, facts, sources: [{path, modalities, items, start, end, created}], fingerprint, version}`."""
    origins = archive.sources()
    return {
        "memory": str(archive.address),
        "items": len(archive),
        "facts": len(archive.find(Where(facts=True))),
        "sources": [
            {
                "path": name,
                "modalities": list(origin.modalities),
                "items": origin.items,
                "start": round(origin.start, 3),
                "end": round(origin.end, 3),
                "created": round(origin.created, 3),
            }
            for name, origin in origins.items()
        ],
        "fingerprint": archive.fingerprint,
        "version": archive.version,
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The sums first, then a line a source."""
    sources = found["sources"]
    kinds = Counter(kind for source in sources for kind in source["modalities"])
    head = f"{found['memory']}: {amount(found['items'], 'item')} of {amount(len(sources), 'source')}"
    head += f", {amount(found['facts'], 'fact')} among them" if found["facts"] else ""
    of_kind = ", ".join(f"{kind} in {kinds[kind]:,}" for kind in MODALITIES if kind in kinds)
    return [
        f"{head} ({of_kind})" if of_kind else head,
        f"perceived by encoder {found['fingerprint']}",
        *(f"{each['path']} [{when(each['start'], each['end'])}]: {amount(each['items'], 'item')}" for each in sources),
    ]
