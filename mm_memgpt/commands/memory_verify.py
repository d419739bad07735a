"""`mm-memgpt memory verify`: whether the parts of a memory agree: archive, ledger, cache and bank."""

import json
from argparse import Namespace

from mm_memgpt.commands.memory_lines import as_check, check_line
from mm_memgpt.commands.memory_place import opened, place_of, speak


def run(arguments: Namespace) -> int:
    """Makes every check; 1 if any of them failed, else 0.

    Raises:
        InputError: no such model, or no memory that it can read.
    """
    arguments.memory = place_of(arguments)
    with opened(arguments) as memory:
        checks = memory.verify()
    whole = all(check.passed for check in checks)
    speak(arguments.format)
    if arguments.format == "json":
        row = {"memory": arguments.memory, "passed": whole, "checks": [as_check(check) for check in checks]}
        print(json.dumps(row, ensure_ascii=False))
    else:
        print("\n".join(map(check_line, checks)))
    return 0 if whole else 1
