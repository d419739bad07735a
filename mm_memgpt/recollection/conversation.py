"""A conversation with a memory: what is said is remembered, and what is asked is answered with what was said.

Notable: only what the other side says is kept, never an answer, so nothing is quoted that nobody said; a question is
looked up before it is kept, and a statement is never answered with itself.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import time as now

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.document import split
from mm_memgpt.memory.forgetting import Receipt
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.answering import Answered, Answerer, is_question
from mm_memgpt.recollection.memory import Memory
from mm_memgpt.recollection.passages import Passage, of_archive
from mm_memgpt.recollection.results import Added
from mm_memgpt.recollection.wanted import of_perception
from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.dialogue import Dialogue
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing_model import WritingModel
from mm_memgpt.types import Text

SURE = 0.75
"""Share of a question's content words from which a sentence is quoted as its answer, and not as what may be one."""

RECENT = 2
"""Turns that a model reads as they stand, where its task says nothing."""

KEPT = 32
"""Turns before those that a model with a memory has in it; older ones answer questions, as sentences of the memory."""

HOW = Decoding(longest=40, sample=True, temperature=0.7, top_p=0.9, repetition_penalty=1.2)
"""How a model writes, where its task says nothing."""


class Conversation:
    """One conversation.

    Args:
        memory: what is said is kept there, and looked up.
        writer: writes the turns that nothing in the memory answers; None writes none.
        name: what the conversation is called as a source.
        clock: gives the second at which something is said.
    """

    def __init__(
        self, memory: Memory, writer: WritingModel | None, name: str, clock: Callable[[], float] = now
    ) -> None:
        self.memory, self.writer, self.name, self.clock = memory, writer, name, clock
        self.turns: list[str] = []
        self.last: Answered | None = None
        """The last answer from the memory, with its sources."""
        self.asked = False
        """Whether the last turn was a question."""
        self._answerer = Answerer(of_archive(memory.store.archive), least=0.5)

    def hear(self, turn: str) -> Answered | None:
        """Keeps a turn; the answer to it where it asks and the memory has one.

        Raises:
            InputError: the memory cannot be written.
        """
        question = " ".join(filter(is_question, split(turn)))
        self.asked = bool(question)
        answer = self._recalled(question) if question else None
        added = self.memory.add(Text(turn), self._time(), self.name)
        if added.errors and any(map(str.isalnum, turn)):  # what holds no word is nothing to keep
            raise added.errors[0]
        self.turns.append(" ".join(turn.split()))
        if answer is not None:
            self.last = answer
            self.turns.append(answer.text)
        return answer

    def keep(self, what: Text | Path) -> Added:
        """Keeps a sentence, under the conversation's name, or a file, under its own.

        Raises:
            InputError: the memory cannot be written.
        """
        return self.memory.add(what, self._time(), self.name if isinstance(what, Text) else None)

    def forget(self, what: str | list[str]) -> Receipt:
        """Removes a source or items from the memory, and all turns from what a model reads, for they may repeat it.

        Raises:
            InputError: as `Memory.forget`.
        """
        receipt = self.memory.forget(what)
        self.turns, self.last = [], None
        return receipt

    def reply(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """The next turn as the model writes it, a piece at a time; what was written by then is kept.

        Raises:
            InputError: what was said is too long for the model.
        """
        if self.writer is None:
            return
        task, written = self.writer.task, ""
        how = task.decoding if isinstance(task, Dialogue) else HOW
        pieces = self.writer.stream(self._prompt(how.longest), how, stopped)
        try:
            for piece in pieces:
                written += piece
                yield piece
        finally:
            if written.strip():
                self.turns.append(" ".join(written.split()))

    def _recalled(self, question: str) -> Answered | None:
        answer = self._answerer.answer(question)
        if not answer.declined:
            return answer
        if of_perception(question) and self._seen_or_heard():
            asked = self.memory.ask(question)
            if not asked.declined and asked.sources:
                sources = tuple(
                    Passage(each.text, each.path, 0, each.start, each.end, each.id) for each in asked.sources
                )
                return Answered(text=asked.text, confidence=asked.confidence, sources=sources, declined=False)
        return None

    def _seen_or_heard(self) -> bool:
        return bool(self.memory.store.archive.find(Where(modality=("image", "audio"))))

    def _time(self) -> float:
        """Now, behind all that was said."""
        return max(self.clock(), self.memory.end() + 1)

    def _prompt(self, longest: int) -> Prompt:
        """The last turns, as many as there is room for; those before are remembered by a model that has a memory."""
        writer, turns = self.writer, self.turns
        recent = RECENT
        if isinstance(writer.task, Dialogue):
            recent = writer.task.options["recent"]
        for count in range(min(recent, len(turns)), 0, -1):
            prompt = self._of(turns[-count:], turns[:-count][-KEPT:])
            if count == 1 or writer.room is None or writer.processor.length(prompt) + longest <= writer.room:
                break
        return prompt

    def _of(self, recent: list[str], earlier: list[str]) -> Prompt:
        task, kept = self.writer.task, tuple(earlier) if self.writer.remembers else ()
        if isinstance(task, Dialogue):
            return task.prompt(Inputs(text="\n".join(recent)), kept)
        return Prompt("".join(f"{turn}\n" for turn in recent), "", kept)
