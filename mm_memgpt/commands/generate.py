"""`mm-memgpt generate`: goes on with a text, or writes what a prompt asks for.

Notable: to a terminal each word goes as it is written; Ctrl-C ends the text where it is, so what is written stays. A
prompt that the model cannot hold is refused with both numbers, or, where asked for, all but its end is read through the
bounded memory, sentence by sentence.
"""

import json
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import path
from pathlib import Path
from threading import Event
from typing import NamedTuple

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.commands.errors import INTERRUPTED, PROGRAM, error_line
from mm_memgpt.commands.inputs import STANDARD_INPUT
from mm_memgpt.commands.memory_place import archived, speak
from mm_memgpt.datasets.document import sentences, split
from mm_memgpt.datasets.fields import as_text
from mm_memgpt.datasets.plain import decoded
from mm_memgpt.datasets.table import Table, column, read_table
from mm_memgpt.datasets.table_given import LinesTable
from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing_model import WritingModel, read_writer
from mm_memgpt.types import InputError


class Asked(NamedTuple):
    """A prompt, or why there is none."""

    place: str
    text: str | InputError


def run(arguments: Namespace) -> int:
    """Writes a text a prompt; 1 if any prompt failed, 130 if it was stopped, else 0.

    Raises:
        InputError: no such model or memory, or choices that contradict each other.
    """
    how = chosen(arguments)
    asked = prompts(arguments)
    model = read_writer(arguments.model, arguments.device)
    memory = remembered(arguments.memory)
    speak(arguments.format)
    failed, several = False, len(asked) > 1
    with stoppable() as stopped:
        for place, text in asked:
            try:
                if isinstance(text, InputError):
                    raise text
                prompt = held(model, text, memory, arguments.long)
                write(model, prompt, how, stopped, place if several else None, arguments)
            except InputError as error:
                failed = True
                print(error_line(error if str(error).startswith(place) else f"{place}: {error}"), file=sys.stderr)
            if stopped():
                print(f"{PROGRAM}: stopped; what was written stays", file=sys.stderr)
                return INTERRUPTED
    return 1 if failed else 0


def chosen(arguments: Namespace) -> Decoding:
    """The choices of the command line; any of sampling turns sampling on.

    Raises:
        InputError: they contradict each other.
    """
    names = [name for name in Decoding.__dataclass_fields__ if getattr(arguments, name, None) is not None]
    how = {name: getattr(arguments, name) for name in names if name != "sample"}
    drawn = {"temperature", "top_p", "top_k", "seed"} & how.keys()
    try:
        return Decoding(**how, sample=arguments.sample or bool(drawn))
    except ValueError as error:
        raise InputError(str(error)) from None


def prompts(arguments: Namespace) -> list[Asked]:
    """The prompts of the command line, or of a file, in order.

    Raises:
        InputError: a file that cannot be read, or nothing on standard input.
    """
    if bool(arguments.prompts) == (arguments.prompt_file is not None):
        arguments.refuse("give PROMPT or --prompt-file" + (", not both" if arguments.prompts else ""))
    if arguments.prompt_file is not None:
        return list(of_file(arguments.prompt_file, arguments.column))
    asked = []
    for number, text in enumerate(arguments.prompts, start=1):
        if text == STANDARD_INPUT:
            asked.append(Asked("standard input", decoded(sys.stdin.buffer.read(), "standard input")))
        else:
            asked.append(Asked(f"prompt {number}", text if text.strip() else InputError("is empty; write some words")))
    return asked


def of_file(name: str, named: str) -> Iterator[Asked]:
    """The prompts of a file: a line each of a .txt file, else a row each of a table's column."""
    table: Table = LinesTable(name, named) if Path(name).suffix.lower() == ".txt" else read_table(name)
    column(table, named, "the prompt")
    for index in range(len(table)):
        place = table.place(index)
        try:
            yield Asked(place, as_text(table[index][named], place, named))
        except InputError as error:
            yield Asked(place, error)


def remembered(places: Sequence[str]) -> tuple[str, ...]:
    """The sentences of text files, and of memories in folders, the oldest first.

    Raises:
        InputError: one of them cannot be read, or holds no sentence.
    """
    found: list[str] = []
    for place in places:
        if path.isdir(place):
            with archived(place) as archive:
                own = [item.text for item in archive.since() if item.text]
        else:
            own = [sentence.text for sentence in sentences(place)]
        if not own:
            raise InputError(f"{place}: holds no sentence to remember; name a text file, or a memory with notes")
        found += own
    return tuple(found)


def held(model: WritingModel, text: str, memory: tuple[str, ...], long: bool) -> Prompt:
    """A prompt that the model can hold, together with what is to follow it.

    Raises:
        InputError: it cannot, and is not to be read through the memory.
    """
    prompt = Prompt(text) if model.task is None else model.task.prompt(Inputs(text=text))
    prompt = prompt._replace(memory=(*memory, *prompt.memory))
    room, tokens = space(model), length(model, prompt)
    if tokens <= room:
        return prompt
    numbers = f"prompt of {tokens} tokens is too long for the {room} that the model can hold ahead of a word"
    if not long:
        raise InputError(f"{numbers}; shorten it, or say --long: all but its end is then read through the memory")
    if not model.remembers:
        raise InputError(f"{numbers}, and it has no memory for the rest; shorten it, or take nano or a model of ours")
    ahead = split(text)
    end: list[str] = []
    while ahead and length(model, prompt._replace(text=" ".join([ahead[-1], *end]))) <= room // 2:
        end.insert(0, ahead.pop())
    return prompt._replace(text=" ".join(end), memory=(*prompt.memory, *ahead))


def space(model: WritingModel) -> int:
    """Tokens of a prompt that the model can hold: beside the text of an encoder-decoder, ahead of any other's."""
    if model.encodes:
        return model.processor.longest
    return sys.maxsize if model.room is None else model.room - 1


def length(model: WritingModel, prompt: Prompt) -> int:
    """Tokens of a prompt as the model reads it."""
    return model.processor.read(prompt.text) if model.encodes else model.processor.length(prompt)


def write(
    model: WritingModel,
    prompt: Prompt,
    how: Decoding,
    stopped: Callable[[], bool],
    place: str | None,
    arguments: Namespace,
) -> None:
    """Writes one text to standard output: piece by piece where a person watches, and as far as it came if stopped."""
    pieces = model.stream(prompt, how, stopped)
    if arguments.format == "json":
        text = "".join(pieces).strip()
        row = {"place": place, "prompt": prompt.text, "text": text, "stopped": stopped()}
        print(json.dumps({key: value for key, value in row.items() if value is not None}, ensure_ascii=False))
        sys.stdout.flush()
        return
    begun = False
    if place is not None:
        sys.stdout.write(f"{place}: ")
    watched = arguments.stream or sys.stdout.isatty()
    for piece in pieces if watched else ["".join(pieces).rstrip()]:
        piece = piece if begun else piece.lstrip()
        begun = begun or bool(piece)
        sys.stdout.write(piece)
        sys.stdout.flush()
    print(flush=True)


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """What says whether Ctrl-C was pressed; pressed once more, it ends the command at once."""
    pressed = Event()

    def press(number: int, frame: object) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
