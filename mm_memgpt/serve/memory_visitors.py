"""What each visitor of the memory page has: a memory, and the files that went into it, in a folder that goes with them.

Notable: the folder lies where Gradio keeps uploads, under a name nobody can guess, so that a player can fetch from it;
a file is kept under the name its owner gave it, and another one of the same name under a new name; what is forgotten is
deleted here and among the uploads, too.
"""

import filecmp
import os
import shutil
import time
from collections import Counter
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

FACT_SUFFIXES = frozenset({".tsv", ".csv", ".parquet", ".nt"})
"""Endings of files of facts; a .txt is a note."""

LONGEST_PART = 200
"""Letters of a head, a relation or a tail that is typed."""

DAY = 86_400
"""Seconds after which a visitor who did nothing counts as gone; most are known to have left at once."""

Progress = Callable[[str, int, float | None], None]
"""Told a source's name, how many of its items were kept, and the share of it that was read, where it is known."""


class Given(NamedTuple):
    """A file that went into a memory."""

    path: Path | None
    """The visitor's own copy; None of a fact that was typed."""
    kind: str
    """photo, sound, clip, note or fact."""
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
        self._typed = Counter[str]()
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
        path = self._place(".txt")
        path.write_text(text, encoding="utf-8")
        return self._add(self._next("note"), path, None, progress)

    def tell(self, head: str, relation: str, tail: str) -> Added:
        """Adds a fact that was typed.

        Raises:
            InputError: a part of it is missing, or too long.
        """
        parts = {"head": head, "relation": relation, "tail": tail}
        fact = {name: " ".join(text.split()) for name, text in parts.items()}
        for name, text in fact.items():
            if not text:
                raise InputError(f"the fact has no {name}; fill in all three, such as: Rex, is a, dog")
            if len(text) > LONGEST_PART:
                raise InputError(f"the {name} has {len(text):,} letters, more than {LONGEST_PART}; write it as a note")
        source, told = self._next("fact"), (*fact.values(),)
        return self._keep(
            source, Given(None, "fact", 0.0), lambda memory, at: memory.knows(told, source=source, time=at)
        )

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
            raise InputError("nothing was kept yet; give a photo, a sound, a clip, a note or a fact first")
        return self._memory

    def _add(self, name: str, path: Path, upload: Path | None, progress: Progress | None) -> Added:
        """What became of a file of the visitor's; one of which nothing was kept is deleted again."""
        kind = _kind_named(path)

        def add(memory: Memory, at: float) -> Added:
            if kind == "fact":
                return memory.knows(path, source=name, time=at, on_progress=progress)
            return memory.add([path], time=[at], source=[name], on_progress=progress)

        added = self._keep(name, Given(path, kind, 0.0, upload), add)
        if added.items == 0:
            path.unlink()
        return replace(added, errors=tuple(InputError(str(each).replace(str(path), name)) for each in added.errors))

    def _keep(self, name: str, given: Given, add: Callable[[Memory, float], Added]) -> Added:
        """What became of what `add` gives the memory, at a second of its clock that it is told."""
        at = 0.0
        try:
            if self._memory is None:
                self._memory, self._began = self._model.memory(self.folder / "memory"), time.monotonic()
            if self.files:  # a note lasts a second a sentence, and what is said later comes later
                at = max(time.monotonic() - self._began, self._memory.end() + 1.0)
            added = add(self._memory, at)
        except (InputError, ImportError) as error:  # N-Triples are read by an extra
            added = Added(items=0, sources=(), errors=(InputError(str(error)),))
        if added.items > 0:
            self.files[name] = given._replace(at=at)
        return added

    def _next(self, kind: str) -> str:
        """A name for what is typed, which nothing has and nothing typed had before."""
        self._typed[kind] += 1
        while f"{kind} {self._typed[kind]}" in self.files:
            self._typed[kind] += 1
        return f"{kind} {self._typed[kind]}"

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
        if given.path is not None:
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


def _kind_named(path: Path) -> str:
    """What a file is, by its ending where that says it."""
    suffix = path.suffix.lower()
    return "fact" if suffix in FACT_SUFFIXES else "note" if suffix in DOCUMENT_SUFFIXES else kind_of(path)


def _same(upload: Path, kept: Path | None) -> bool:
    try:
        return kept is not None and filecmp.cmp(upload, kept, shallow=False)
    except OSError:  # the copy will say what is wrong
        return False
