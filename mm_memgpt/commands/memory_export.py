"""`mm-memgpt memory export`: a memory as one file that can be carried elsewhere; no model is needed."""

import json
import os
from argparse import Namespace

from mm_memgpt.commands.memory_lines import amount
from mm_memgpt.commands.memory_place import archived, place_of, speak
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Writes the file.

    Raises:
        InputError: no memory there, a file that is there already, or one that cannot be written.
    """
    place, file = place_of(arguments), arguments.file
    if os.path.lexists(file):
        raise InputError(f"{file}: is there already; give another name, or remove it first")
    with archived(place) as archive:
        archive.export(file)
        items = len(archive)
    speak(arguments.format)
    if arguments.format == "json":
        print(json.dumps({"memory": place, "file": file, "items": items, "bytes": os.path.getsize(file)}))
    else:
        print(f"wrote {amount(items, 'item')} of {place} into {file} ({os.path.getsize(file) / 1e6:.1f} MB)")
    return 0
