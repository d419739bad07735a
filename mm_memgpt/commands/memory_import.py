"""`mm-memgpt memory import`: a memory made of the file that an export wrote; no model is needed."""

import json
from argparse import Namespace

from mm_memgpt.commands.memory_lines import amount
from mm_memgpt.commands.memory_place import place_of, speak
from mm_memgpt.memory.archive import Archive


def run(arguments: Namespace) -> int:
    """Makes the memory.

    Raises:
        InputError: no such file or none that an export wrote, or a memory that cannot be made there.
    """
    place, file = place_of(arguments), arguments.file
    with Archive.bring(file, place) as archive:
        items = len(archive)
    speak(arguments.format)
    if arguments.format == "json":
        print(json.dumps({"memory": place, "file": file, "items": items}))
    else:
        print(f"read {amount(items, 'item')} of {file} into {place}")
    return 0
