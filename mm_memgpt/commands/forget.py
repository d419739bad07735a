"""`mm-memgpt forget`: a source leaves a memory, and the receipt says what was looked through to be sure.

Notable: where anything of the source remains there is no receipt but an error, and the next use of the memory goes on
with the removal.
"""

from argparse import Namespace
from typing import TYPE_CHECKING

from mm_memgpt.commands.memory_lines import amount, check_line
from mm_memgpt.commands.memory_place import opened, speak

if TYPE_CHECKING:
    from mm_memgpt.memory.forgetting import Receipt


def run(arguments: Namespace) -> int:
    """Forgets the source.

    Raises:
        InputError: no such model, memory or source, or something of it that remains.
    """
    with opened(arguments, read_only=False) as memory:
        receipt = memory.forget(arguments.source, rebuild=arguments.rebuild)
    speak(arguments.format)
    print(receipt.to_json() if arguments.format == "json" else text(receipt))
    return 0


def text(receipt: "Receipt") -> str:
    """What was removed from where, and a line a check."""
    how = "all that stays was read anew" if receipt.rebuilt else "merges that it took part in stay decided"
    slots = f"{amount(len(receipt.slots), 'slot')} touched, {len(receipt.emptied)} emptied"
    first = f"forgot {receipt.source}: {amount(receipt.items, 'item')}, {slots}; {how} ({receipt.seconds:.1f} s)"
    return "\n".join([first, *map(check_line, receipt.checks)])
