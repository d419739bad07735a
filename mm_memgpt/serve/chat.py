"""The page on which one talks with a memory: what is said is kept, what is asked is answered in words that were said.

Notable: each visitor has a conversation of their own, in a temporary folder that goes when they leave; what is said is
shown as plain text, so nothing that is typed can act; a turn that the model writes can be stopped, and what is there
stays.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import gradio
from gradio.context import Context
from gradio.utils import get_upload_folder

from mm_memgpt.pipeline import Pipeline
from mm_memgpt.recollection.answering import Answered
from mm_memgpt.recollection.conversation import SURE, Conversation
from mm_memgpt.serve.memory_visitors import Visitors
from mm_memgpt.serve.options import MODEL, Options
from mm_memgpt.tasks.writing_model import WritingModel
from mm_memgpt.types import InputError

LONGEST = 2_000
"""Characters of a turn."""
NAME = "this conversation"
NOTED, UNKNOWN = "Noted.", "Nothing I remember says that."
EXAMPLES = ("My sister Jana keeps the spare key under the blue pot.", "Who has the spare key?")

Turn = dict[str, str]
"""A turn as the page shows it: role and content."""


class Talker:
    """One visitor's conversation, made at the first turn.

    Args:
        model: perceives and remembers.
        writer: writes the turns that nothing remembered answers; None writes none.
        root: where the folder of the memory is made.
    """

    def __init__(self, model: Pipeline, writer: WritingModel | None, root: str | PathLike) -> None:
        self._model, self._writer = model, writer
        self._folder = TemporaryDirectory(prefix="talker-", dir=root)
        self._conversation: Conversation | None = None
        self.lock, self.last = Lock(), time.monotonic()

    @property
    def conversation(self) -> Conversation:
        """The conversation, with a memory of its own."""
        if self._conversation is None:
            memory = self._model.memory(Path(self._folder.name) / "memory")
            self._conversation = Conversation(memory, self._writer, NAME)
        return self._conversation

    def leave(self) -> None:
        """Deletes everything that was said."""
        with self.lock:
            if self._conversation is not None:
                self._conversation.memory.close()
                self._conversation = None
            self._folder.cleanup()


def add(model: Pipeline, options: Options) -> None:
    """Lays the page out inside the open Blocks, and says what happens on it."""
    dialogues = (reader.model for reader in options.readers.values() if reader.task.name == "dialogue")
    talkers = Visitors(partial(Talker, model, next(dialogues, None)))
    shown = gradio.Chatbot(
        label="A conversation that is remembered", render_markdown=False, height=420, elem_id="chat-shown"
    )
    with gradio.Row():
        said = gradio.Textbox(
            label="You", max_lines=4, max_length=LONGEST, submit_btn="Say", scale=6, elem_id="chat-said"
        )
        stop = gradio.Button("Stop", variant="stop", scale=1, elem_id="chat-stop")
    gradio.Examples([[each] for each in EXAMPLES], [said], label="Say first, ask then", elem_id="chat-examples")

    def talked(turn: str, turns: list[Turn], request: gradio.Request) -> Iterator[tuple[str, list[Turn]]]:
        talker = talkers.of(request.session_hash, get_upload_folder())
        with talker.lock:
            for reply in replies(talker.conversation, turn):
                yield "", [*turns, told("user", turn), told("assistant", reply)]

    def left(request: gradio.Request) -> None:
        talkers.leave(request.session_hash)

    run: dict[str, Any] = {"concurrency_id": MODEL, "api_visibility": "private"}
    talking = said.submit(talked, [said, shown], [said, shown], **run)
    stop.click(None, cancels=[talking])
    Context.root_block.unload(left)
    options.ending.callback(talkers.close)


def replies(conversation: Conversation, turn: str) -> Iterator[str]:
    """All of the reply that is there so far, again and again."""
    try:
        if not turn.strip():
            raise InputError("nothing is said; write a sentence or a question")
        answer = conversation.hear(turn)
        if answer is not None:
            yield quoted(answer)
        elif conversation.writer is None:
            yield UNKNOWN if conversation.asked else NOTED
        else:
            text = ""
            for piece in conversation.reply():
                text += piece
                yield text
    except InputError as error:
        yield str(error)


def quoted(answer: Answered) -> str:
    """What was said, and when."""
    first = answer.sources[0]
    words = f"\u201c{answer.text}\u201d" if answer.text == first.text else answer.text
    perhaps = "" if answer.confidence >= SURE else "Perhaps this: "
    return f"{perhaps}{words}\n(you said so at {datetime.fromtimestamp(first.start):%H:%M:%S})"


def told(role: str, content: str) -> Turn:
    """A turn as the page shows it."""
    return {"role": role, "content": content}
