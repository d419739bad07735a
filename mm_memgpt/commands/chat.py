"""`mm-memgpt chat`: a conversation in the terminal, with a memory that answers in the words it was told.

Notable: answers stand on standard output and all else on standard error, so a conversation can be piped; Ctrl-C stops
what is being written and nothing else, Ctrl-D ends, and all that was said by then is kept already.
"""

import signal
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from mm_memgpt.commands.chat_slash import Slash
from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.memory_lines import when
from mm_memgpt.commands.memory_place import speak
from mm_memgpt.types import InputError

if TYPE_CHECKING:
    from mm_memgpt.recollection.answering import Answered
    from mm_memgpt.recollection.conversation import Conversation

WELCOME = "what you say is remembered, and what you ask is answered from it; /help lists commands, Ctrl-D ends"
SHORT_LIVED = "no --memory: what is said is forgotten at the end"
UNKNOWN = "Nothing I remember says that."
NOTED = "Noted."


def run(arguments: Namespace) -> int:
    """Talks until the input ends; 1 if anything that was asked for failed in a conversation that is piped, else 0.

    Raises:
        InputError: no such model, or a memory that cannot be had.
    """
    from mm_memgpt.models.loading import find, is_own
    from mm_memgpt.pipeline import load
    from mm_memgpt.recollection.conversation import Conversation
    from mm_memgpt.tasks.writing_model import read_writer

    speak("text")
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    named = arguments.model
    pipeline = load(named if named is not None and is_own(find(named)) else "nano", arguments.device)
    writer = None if named is None else read_writer(named, arguments.device)
    name = f"chat {datetime.now():%Y-%m-%d %H:%M:%S}"
    with tempfile.TemporaryDirectory() as folder, pipeline.memory(arguments.memory or f"{folder}/memory") as memory:
        say(WELCOME if arguments.memory else f"{WELCOME}; {SHORT_LIVED}")
        failed = talk(Conversation(memory, writer, name))
    return 1 if failed and not sys.stdin.isatty() else 0


def talk(conversation: "Conversation") -> bool:
    """Takes turns until the input ends or /quit; whether anything failed."""
    slash, failed = Slash(conversation), False
    for line in turns():
        try:
            if line.startswith("/"):
                if not slash.run(line):
                    break
            else:
                respond(conversation, line)
        except InputError as error:
            failed = True
            say(error_line(error))
    return failed


def turns() -> Iterator[str]:
    """The lines that are typed or piped in, without blank ones; Ctrl-C drops a line that is being typed."""
    typed = sys.stdin.isatty()
    if typed:
        with suppress(ImportError):
            import readline  # noqa: F401 - input() then edits lines and keeps a history
    while True:
        try:
            line = input("> ") if typed else sys.stdin.readline()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            if not typed:
                raise
            say("\n(Ctrl-D ends)")
            continue
        if not typed and not line:
            return
        if line.strip():
            yield line.strip()


def respond(conversation: "Conversation", turn: str) -> None:
    """Says what the memory answers, or what the model writes, as it is written."""
    answer = conversation.hear(turn)
    if answer is not None:
        print("\n".join(lines(answer)), flush=True)
    elif conversation.writer is None:
        print(NOTED if not conversation.asked else UNKNOWN, flush=True)
    else:
        with interruptible() as stopped:
            for piece in conversation.reply(stopped):
                print(piece, end="", flush=True)
        print(" [stopped]" if stopped() else "", flush=True)


def lines(answer: "Answered") -> list[str]:
    """A quote, and a line that names where it comes from."""
    from mm_memgpt.recollection.conversation import SURE

    first = answer.sources[0]
    said = f'"{answer.text}"' if answer.text == first.text else answer.text
    perhaps = "" if answer.confidence >= SURE else "Perhaps this: "
    return [f"{perhaps}{said}", f"  ({first.source}, {when(first.start, first.end)})"]


def say(line: str) -> None:
    """A line beside the conversation."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within it Ctrl-C is no exception: what it gives says whether it was pressed."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
