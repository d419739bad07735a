"""What became of what a memory was to keep, told to the user: by `remember`, `know` and `memory reencode`."""

import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from mm_memgpt.commands.errors import tell_errors
from mm_memgpt.commands.memory_lines import amount
from mm_memgpt.commands.memory_place import speak

if TYPE_CHECKING:
    from mm_memgpt.recollection.results import Added


def say(added: "Added", arguments: Namespace, what: str = "item", most: int | None = None) -> None:
    """Remarks and errors on standard error, a line or an object on standard output.

    Args:
        added: what came of it.
        arguments: of the command: memory and format.
        what: one of what was added is called.
        most: remarks, and errors, that are told one by one; all where None.
    """
    for source, why in added.skipped[:most]:
        print(f"{source}: {why}", file=sys.stderr)
    if most is not None and len(added.skipped) > most:
        print(f"of {len(added.skipped) - most:,} more sources {what}s are there already", file=sys.stderr)
    tell_errors(added.errors, most)
    speak(arguments.format)
    if arguments.format == "json":
        row = {
            "memory": arguments.memory,
            f"{what}s": added.items,
            "sources": list(added.sources),
            "skipped": [{"path": source, "reason": why} for source, why in added.skipped],
            "errors": [str(error) for error in added.errors],
        }
        print(json.dumps(row, ensure_ascii=False))
    else:
        of = amount(len(added.sources), "source")
        new = f"{amount(added.items, what)} of {of}" if added.items else "nothing new"
        print(f"kept {new} in {arguments.memory}")
