"""The facade of summaries: a document of any length, from a file, standard input or a string, to a summary.

    mm_memgpt.summarize("report.txt", sentences=3).text

Notable: without a model that has learned from summaries, nano says what sentences are like and the document itself what
matters in it; a file is read as a stream, so its length costs no memory.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import BinaryIO

from mm_memgpt.backbones.build import build
from mm_memgpt.datasets.document import Sentence, placed, sentences
from mm_memgpt.models.device import choose_device
from mm_memgpt.tasks.extraction import EMPTY, Extractor
from mm_memgpt.tasks.folder import is_task_folder
from mm_memgpt.tasks.model import TaskModel, create
from mm_memgpt.tasks.saved import read_saved
from mm_memgpt.tasks.summarization import Summarization
from mm_memgpt.tasks.summary import Length, Summary
from mm_memgpt.tasks.summary_writing import SummaryWriting
from mm_memgpt.tasks.writing_model import WritingModel
from mm_memgpt.types import InputError, Text

USUAL = Length(sentences=5)
"""How long a summary is unless told otherwise."""

UNLEARNED = {"learned": False, "share": 0.2, "redundancy": 0.2}
"""Options of a model that has learned from no summaries."""

STANDARD_INPUT = "-"


def load_summarizer(name: str | PathLike = "nano", device: str | None = None) -> "Summarizer":
    """What makes summaries.

    Args:
        name: the folder that finetune wrote for summarization or summary_writing; or a backbone, which has learned from
            no summaries: nano, minilm, or the folder or hub name of another language model.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.

    Raises:
        InputError: no such model or device, or a model of another task.
    """
    chosen = choose_device(device)
    if is_task_folder(name):
        model = read_saved(name)
        if not isinstance(model.task, (Summarization, SummaryWriting)):
            raise InputError(f"{name}: a model of {model.task.name}; give one of summarization, or nano")
    else:
        task = Summarization({"text": "text", "label": "summary"}, (), UNLEARNED)
        model = create(build(name), task).eval()
    return Summarizer(model.to(chosen))


def summarize(
    source: str | PathLike | Text,
    *,
    model: str | PathLike = "nano",
    sentences: int | None = None,
    words: int | None = None,
    share: float | None = None,
    device: str | None = None,
) -> Summary:
    """A summary of a file, or of a `Text`; five sentences where no length is given.

    Raises:
        InputError: a file that cannot be read or holds no text, two lengths, or no such model.
    """
    length = asked(sentences, words, share)
    return load_summarizer(model, device)(source, length)


def asked(sentences: int | None, words: int | None, share: float | None) -> Length:
    """The length that is asked for; the usual one where none is. Raises InputError where several are."""
    if sentences is None and words is None and share is None:
        return USUAL
    return Length(sentences=sentences, words=words, share=share)


class Summarizer:
    """A model that makes summaries.

    Args:
        model: in evaluation mode: a `TaskModel` of summarization, which reads a document of any length in constant
            memory, or a `WritingModel` of summary_writing, which holds all of its sentences.
    """

    def __init__(self, model: TaskModel | WritingModel) -> None:
        self.model = model

    def __call__(self, source: str | PathLike | Text, length: Length = USUAL) -> Summary:
        """The summary of a file, "-" being standard input, or of a `Text`.

        Raises:
            InputError: a file that cannot be read or holds no text, or a text too long for a model that writes.
        """
        if isinstance(source, Text):
            return self._of(placed(source.text), length, "text")
        name = fspath(source)
        if name != STANDARD_INPUT:
            return self._of(sentences(name), length, name)
        with spooled(sys.stdin.buffer) as path:
            try:
                return self._of(sentences(path), length, "standard input")
            except InputError as error:
                raise InputError(str(error).replace(fspath(path), "standard input")) from None

    def _of(self, document: Iterable[Sentence], length: Length, name: str) -> Summary:
        task = self.model.task
        if isinstance(task, Summarization):
            return Extractor(self.model, task.options["redundancy"])(document, length, name)
        whole = list(document)
        if not whole:
            raise InputError(f"{name}: {EMPTY}")
        try:
            return task.summarize(self.model, whole, length)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None


@contextmanager
def spooled(stream: BinaryIO) -> Iterator[Path]:
    """A stream as a file for a while: a text is looked at as a whole before its first sentence is taken."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "input.txt"
        with path.open("wb") as file:
            copyfileobj(stream, file)
        yield path
