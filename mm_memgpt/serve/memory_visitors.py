"""What each visitor of the memory page has: a memory, and the files that went into it, in a folder that goes with them.

Notable: the folder lies where Gradio keeps uploads, under a name nobody can guess, so that a player can fetch from it;
a file is kept under the name its owner gave it, and another one of the same name under a new name; what is forgotten is
deleted here and among the uploads, too.
"""

import filecmp
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Generic, NamedTuple, Protocol, TypeVar
from uuid import uuid4

from mm_memgpt.datasets.document import DOCUMENT_SUFFIXES
from mm_memgpt.datasets.files import reason
from mm_memgpt.kinds import kind_of
from mm_memgpt.memory.forgetting import Receipt
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.recollection.memory import Memory
from mm_memgpt.recollection.results import Added, Answer, Moment
from mm_memgpt.types import InputError

DAY = 86_400
"""Seconds after which a visitor who did nothing counts as gone; most are known to have left at once."""

Progress = Callable[[str, int, float | None], None]
"""Told a source's name, how many of its items were kept, and the share of it that was read, where it is known."""


class Given(NamedTuple):
    """A file that went into a memory."""

    path: Path
    """The visitor's own copy."""
    kind: str
    """photo, sound, clip or note."""
    at: float
    """Second on the memory's clock at which it begins."""
    upload: Path | None = None
    """Where the browser's upload lies, if it is to go with the copy."""


class Visitor:
    """One visitor: a memory, made when something is first to be kept, and the files in it, by name.

    The memory's clock begins when it is made. Whoever calls does one thing at a time; `lock` is for them.
    """

    def __init__(self, model: Pipeline, root: str | os.PathLike) -> None:
        self._model, self._folder = model, TemporaryDirectory(prefix="visitor-", dir=root)
        self._memory: Memory | None = None
        self._began = 0.0
        self._notes = 0
        self.lock, self.last = Lock(), time.monotonic()
        self.files: dict[str, Given] = {}

    @property
    def folder(self) -> Path:
        """Where everything of the visitor's lies."""
        return Path(self._folder.name)

    def keep(
        self, upload: str | os.PathLike, name: str, progress: Progress | None = None, delete: bool = True
    ) -> Added:
        """Adds an uploaded file to the memory; what is wrong with it is in what is returned.

        Args:
            upload: where it lies.
            name: what its owner calls it.
            progress: is told how far it is.
            delete: whether the upload goes when the visitor's copy does; it stays where others use it.
        """
        name = self._free(Path(upload), Path(name).name or "file")
        if name in self.files:
            return Added(items=0, sources=(), skipped=((name, "it was kept before"),))
        try:
            path = self._copy(Path(upload))
        except OSError as error:
            return Added(items=0, sources=(), errors=(InputError(f"{name}: {reason(error)}; give it again"),))
        return self._add(name, path, Path(upload) if delete else None, progress)

    def note(self, text: str, progress: Progress | None = None) -> Added:
        """Adds a note that was typed, as a file of its own, a sentence an item.

        Raises:
            InputError: it has no word.
        """
        if not text.strip():
            raise InputError("nothing to keep; write a sentence or a few words")
        self._notes += 1
        while f"note {self._notes}" in self.files:
            self._notes += 1
        name = f"note {self._notes}"
        path = self._place(".txt")
        path.write_text(text, encoding="utf-8")
        return self._add(name, path, None, progress)

    def ask(self, question: str) -> Answer:
        """An answer from the memory.

        Raises:
            InputError: nothing was kept yet, or nothing is asked.
        """
        return self._opened().ask(" ".join(question.split()))

    def timeline(self) -> list[Moment]:
        """What the memory holds, by time; nothing where nothing was kept."""
        return [] if self._memory is None else self._memory.timeline()

    def forget(self, name: str | None) -> Receipt:
        """Takes a source out of the memory and deletes its file.

        Raises:
            InputError: none is named, there is no such source, or something of it is left.
        """
        if not name:
            raise InputError("nothing is chosen; choose what is to be forgotten")
        if name not in self.files:
            raise InputError(f"{name}: no source of this memory; choose one that was kept")
        receipt = self._opened().forget(name)
        self._drop(self.files.pop(name))
        return receipt

    def leave(self) -> None:
        """Deletes everything of the visitor's, once nothing is being done for them."""
        with self.lock:
            if self._memory is not None:
                self._memory.close()
                self._memory = None
            for name in list(self.files):
                self._drop(self.files.pop(name))
            self._folder.cleanup()

    def _opened(self) -> Memory:
        if self._memory is None:
            raise InputError("nothing was kept yet; give a photo, a sound, a clip or a note first")
        return self._memory

    def _add(self, name: str, path: Path, upload: Path | None, progress: Progress | None) -> Added:
        """What became of a file of the visitor's; one of which nothing was kept is deleted again."""
        kind, at = "note" if path.suffix.lower() in DOCUMENT_SUFFIXES else kind_of(path), 0.0
        try:
            if self._memory is None:
                self._memory, self._began = self._model.memory(self.folder / "memory"), time.monotonic()
            if self.files:  # a note lasts a second a sentence, and what is said later comes later
                at = max(time.monotonic() - self._began, self._memory.end() + 1.0)
            added = self._memory.add([path], time=[at], source=[name], on_progress=progress)
        except InputError as error:
            added = Added(items=0, sources=(), errors=(error,))
        if added.items > 0:
            self.files[name] = Given(path, kind, at, upload)
        else:
            path.unlink()
        return replace(added, errors=tuple(InputError(str(each).replace(str(path), name)) for each in added.errors))

    def _free(self, upload: Path, name: str) -> str:
        """The name itself where it is free or is that of the same file, else with the first free number."""
        stem, suffix, number = Path(name).stem, Path(name).suffix, 1
        while name in self.files and not _same(upload, self.files[name].path):
            number += 1
            name = f"{stem} ({number}){suffix}"
        return name

    def _copy(self, upload: Path) -> Path:
        path = self._place(upload.suffix)
        try:
            os.link(upload, path)
        except OSError:  # another disk, or one without links
            shutil.copyfile(upload, path)
        return path

    def _place(self, suffix: str) -> Path:
        """A path that nothing has had; of a source's name it has the ending alone, so that any name will do."""
        return self.folder / f"{uuid4().hex}{suffix}"

    def _drop(self, given: Given) -> None:
        given.path.unlink()
        if given.upload is not None:
            given.upload.unlink(missing_ok=True)


class Leaving(Protocol):
    """Somebody who is gone at some time."""

    last: float
    """When they did something last."""

    def leave(self) -> None:
        """Deletes everything of theirs."""


Someone = TypeVar("Someone", bound=Leaving)


class Visitors(Generic[Someone]):
    """The visitors of a page, by the number of their session.

    Args:
        make: a new visitor, told where their folder is made.
    """

    def __init__(self, make: Callable[[str | os.PathLike], Someone]) -> None:
        self._make, self._lock = make, Lock()
        self._visitors: dict[str, Someone] = {}

    def of(self, session: str, root: str | os.PathLike) -> Someone:
        """The visitor of a session, new where there was none; those who did nothing for a day are gone.

        Args:
            session: its number.
            root: where folders of visitors are made.
        """
        now = time.monotonic()
        for idle in [number for number, each in list(self._visitors.items()) if now - each.last > DAY]:
            self.leave(idle)
        with self._lock:
            if session not in self._visitors:
                os.makedirs(root, exist_ok=True)
                self._visitors[session] = self._make(root)
            visitor = self._visitors[session]
        visitor.last = now
        return visitor

    def leave(self, session: str) -> None:
        """Deletes everything of a session's visitor."""
        with self._lock:
            visitor = self._visitors.pop(session, None)
        if visitor is not None:
            visitor.leave()

    def close(self) -> None:
        """Deletes everything of everybody."""
        for session in list(self._visitors):
            self.leave(session)


def _same(upload: Path, kept: Path) -> bool:
    try:
        return filecmp.cmp(upload, kept, shallow=False)
    except OSError:  # the copy will say what is wrong
        return False
