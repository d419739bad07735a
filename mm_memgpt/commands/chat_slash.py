"""What a chat does when a line begins with a slash: remember, forget, show sources, and the like.

Notable: a command that is unknown or lacks something costs one line, never the conversation.
"""

import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from mm_memgpt.commands.forget import text as receipt_text
from mm_memgpt.commands.memory_lines import amount, place
from mm_memgpt.types import InputError, Text

if TYPE_CHECKING:
    from mm_memgpt.recollection.conversation import Conversation

HELP = """\
/remember TEXT or FILE   keep a sentence, or a document, photo, sound or clip
/forget SOURCE or N      remove a source, or the Nth of the last answer's, and prove that it is gone
/sources                 what the last answer rests on
/memory                  what is remembered
/help                    these lines
/quit                    end; Ctrl-D does, too"""


class Slash:
    """The commands of one conversation."""

    def __init__(self, conversation: "Conversation") -> None:
        self.conversation = conversation
        self.commands: dict[str, Callable[[str], None]] = {
            "/remember": self.remember,
            "/forget": self.forget,
            "/sources": self.sources,
            "/memory": self.memory,
            "/help": lambda given: print(HELP),
        }

    def run(self, line: str) -> bool:
        """Runs a command; False where the conversation is to end.

        Raises:
            InputError: an unknown command, or one that cannot be run.
        """
        name, _, given = line.partition(" ")
        if name == "/quit":
            return False
        if name not in self.commands:
            close = get_close_matches(name, [*self.commands, "/quit"], 1)
            raise InputError(f"{name}: no such command; {f'did you mean {close[0]}?' if close else 'try /help'}")
        self.commands[name](given.strip())
        sys.stdout.flush()
        return True

    def remember(self, given: str) -> None:
        """Keeps a sentence or a file."""
        if not given:
            raise InputError("/remember: nothing named; give a sentence, or the path of a file")
        added = self.conversation.keep(Path(given).expanduser() if is_path(given) else Text(given))
        for source, why in added.skipped:
            print(f"{source}: {why}")
        if added.errors:
            raise added.errors[0]
        if added.items:
            print(f"remembered {amount(added.items, 'item')} of {added.sources[0]}")

    def forget(self, given: str) -> None:
        """Forgets a source, or one item that the last answer rests on."""
        if not given:
            raise InputError("/forget: nothing named; give a source, or the number of one that /sources lists")
        last, what = self.conversation.last, given
        if given.isdecimal() and last is not None and 0 < int(given) <= len(last.sources):
            what = [last.sources[int(given) - 1].id]
        print(receipt_text(self.conversation.forget(what)))

    def sources(self, given: str) -> None:
        """Lists what the last answer rests on."""
        last = self.conversation.last
        if last is None:
            print("no answer yet that rests on the memory")
        else:
            for number, each in enumerate(last.sources, start=1):
                print(f"{number}  {place(each.source, each.start, each.end, each.text)}")

    def memory(self, given: str) -> None:
        """Says what is remembered."""
        info = self.conversation.memory.info()
        kinds = ", ".join(f"{count} {kind}" for kind, count in info["modalities"].items() if count)
        print(f"{info['address']}: {amount(info['items'], 'item')}{f' ({kinds})' if kinds else ''}")
        for name, origin in self.conversation.memory.store.archive.sources().items():
            print(f"  {place(name, origin.start, origin.end, '')} {amount(origin.items, 'item')}")


def is_path(given: str) -> bool:
    """Whether what is given is a file, or named as one, and no sentence."""
    if " " not in given and (given.startswith(("/", "~", "./", "../")) or Path(given).suffix):
        return not given.endswith((".", "!", "?", "…"))
    try:
        return Path(given).expanduser().exists()
    except (OSError, ValueError):  # too long, or a character that no path has
        return False
