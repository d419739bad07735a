"""A question answered from passages: the best sentence quoted, a piece of it read out, or an answer written from it.

Notable: what is enough evidence is told by the sentences alone, before anybody reads them, so a reader that always has
something to say is not asked where nothing was said; a question that was asked is no answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.recollection.forms import base
from mm_memgpt.recollection.passages import Find, Passage
from mm_memgpt.recollection.quoting import DENSITY
from mm_memgpt.recollection.wanted import content, fits
from mm_memgpt.tasks.answering import Answering
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.model import TaskModel
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing_model import WritingModel

FOUND = 24
"""Sentences that are looked at."""

BESIDE = 2
"""Sentences before and after one that say with it what it is about."""

ASKING = frozenset(["who", "whom", "whose", "what", "which", "when", "where", "why", "how", "did", "do", "does", "is"])
"""Words that a question begins with, where it has no mark at its end."""

ASKED_FOR = ("tell me ", "remind me ", "do you remember ", "do you know ")
"""How one asks without a question."""

Read = Callable[[str, Sequence[str]], str]
"""What makes an answer of a question and a few sentences, the best first; "" where they do not say."""


class Evidence(NamedTuple):
    """A sentence, and how much of the question it has."""

    passage: Passage
    covered: float
    """Share of the question's content words that it has, or those beside it have."""
    near: float
    """Share of them that it has itself, and how little else it says."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An answer with the sentences that it rests on; str() gives its text."""

    text: str
    """A sentence as it was said, a piece of one, or what was written; "" where it is declined."""
    confidence: float
    """How much of the question its first source has, 0 to 1."""
    sources: tuple[Passage, ...]
    """What it rests on, the best first; where it is declined, what came nearest."""
    declined: bool
    """Whether the passages hold too little."""

    def __str__(self) -> str:
        return self.text


class Answerer:
    """What answers from passages.

    Args:
        find: finds sentences: `Passages`, or `of_archive` of a memory.
        read: makes the answer of them; None quotes the best.
        least: the share of the question's content words below which it declines.
        sentences: how many are read, and named as sources.
    """

    def __init__(self, find: Find, read: Read | None = None, least: float = 0.6, sentences: int = 4) -> None:
        if not 0 < least <= 1:
            raise ValueError(f"least {least} must be above 0 and at most 1; try least=0.6")
        if sentences < 1:
            raise ValueError(f"sentences {sentences} must be at least 1; try sentences=4")
        self.find, self.read, self.least, self.sentences = find, read, least, sentences

    def answer(self, question: str) -> Answered:
        """The answer to a question."""
        found = evidence(question, self.find(question, FOUND))[: self.sentences]
        sources = tuple(each.passage for each in found)
        covered = found[0].covered if found else 0.0
        if covered < self.least:
            return Answered(text="", confidence=covered, sources=sources, declined=True)
        text = sources[0].text if self.read is None else self.read(question, [each.text for each in sources])
        return Answered(text=text, confidence=covered, sources=sources, declined=not text)


def evidence(question: str, found: Sequence[Passage]) -> list[Evidence]:
    """The sentences that can be an answer, the best first; of those equally good the newest."""
    wanted, places = _named(question), {each.order: each for each in found}
    if not wanted:
        return []
    scored = []
    for each in found:
        said = _named(each.text)
        own = said & wanted
        if own and not is_question(each.text) and fits(question, each.text):
            steps = range(each.order - BESIDE, each.order + BESIDE + 1)
            beside = [places[step].text for step in steps if step in places and places[step].source == each.source]
            covered = len(_named(" ".join(beside)) & wanted) / len(wanted)
            scored.append(Evidence(each, covered, len(own) / len(wanted) + DENSITY * len(own) / len(said)))
    return sorted(scored, key=lambda one: (-round(one.covered + one.near, 1), -one.passage.start, -one.passage.order))


def _named(text: str) -> set[str]:
    """The stems of the words of a text that name something, of verbs in one form."""
    return {base(stem) for stem in content(text)}


def is_question(sentence: str) -> bool:
    """Whether a sentence asks, by its mark, or by its first words where it has none."""
    sentence = " ".join(sentence.lower().split()).rstrip("\"')")
    if sentence.endswith("?") or sentence.startswith(ASKED_FOR):
        return True
    return not sentence.endswith((".", "!")) and sentence.split(" ")[0].split("'")[0] in ASKING


def by_span(model: TaskModel) -> Read:
    """Reads answers out of sentences, by a model of the task span."""

    def read(question: str, sentences: Sequence[str]) -> str:
        example = Example(Inputs(text=question, text_pair=" ".join(sentences)))
        return model.task.predict(model, [example])[0].value

    return read


def by_writing(model: WritingModel, how: Decoding | None = None) -> Read:
    """Writes answers from sentences; a model of the task answering as it learned to."""
    task = model.task if isinstance(model.task, Answering) else None
    how = how or (task.decoding if task is not None else Decoding(longest=32))

    def read(question: str, sentences: Sequence[str]) -> str:
        if task is not None:
            given = Inputs(text=question, text_pair="\n\n".join(sentences))
            return task.predict(model, [Example(given, None, "", task.prompt(given))])[0].value
        said = f"{' '.join(sentences)}\nQuestion: {question}\n"
        return model.write([Prompt(said, "Answer:")], how)[0].text

    return read
