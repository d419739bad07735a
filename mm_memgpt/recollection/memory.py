"""The memory object: add, know, search, ask, look back, forget.

Notable: it holds no state but the store, so what it says follows from what is committed, and a new process says the
same; one writer at a time in an object, and any number of readers beside it.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from mm_memgpt.datasets.clip import ALIKE
from mm_memgpt.knowledge.graph import KnowledgeGraph
from mm_memgpt.memory.forgetting import Check, Receipt
from mm_memgpt.memory.store import Store
from mm_memgpt.memory.where import Where
from mm_memgpt.models.fingerprint import fingerprint
from mm_memgpt.perception import Input, Perception, Watched
from mm_memgpt.recollection.adding import Adding, Progress, matched, whole
from mm_memgpt.recollection.asking import Asking
from mm_memgpt.recollection.evidence import readable
from mm_memgpt.recollection.info import end, info
from mm_memgpt.recollection.inputs import called, given, single
from mm_memgpt.recollection.knowing import Knowing
from mm_memgpt.recollection.known import Known, Time, second
from mm_memgpt.recollection.perceiving import Perceiver
from mm_memgpt.recollection.reencoding import reencode
from mm_memgpt.recollection.results import Added, Answer, Hit, KnownFact, Moment
from mm_memgpt.recollection.searching import hit, recall, search
from mm_memgpt.recollection.telling import Facts, FilePath, Telling
from mm_memgpt.recollection.timeline import timeline
from mm_memgpt.recollection.watching import watch
from mm_memgpt.steps import Glimpse, Steps, check_counts
from mm_memgpt.types import Caption, InputError, Text


class Memory:
    """A memory at an address, as one model perceives it; a context manager. `Pipeline.memory` opens one."""

    def __init__(self, steps: Steps, address: str | PathLike, *, read_only: bool = False, create: bool = True) -> None:
        """Opens the memory at `address`, a folder or an object store's address; makes it where there is none.

        Raises:
            InputError: something else is there, a memory by another encoder, or one that may not be read or written.
        """
        self.steps, self.address, self.read_only = steps, str(address), read_only
        self._perceiver = Perceiver(Perception(steps.model, steps.processor))
        self._writing = threading.RLock()
        self._known_facts: Known | None = None
        self.store = Store.open(
            self.address,
            bank=steps.bank,
            fingerprint=fingerprint(steps.model),
            create=create and not read_only,
            read_only=read_only,
        )

    def __len__(self) -> int:
        return len(self.store.archive)

    def add(
        self,
        inputs: Input | InputError | Iterable[Input | InputError],
        time: float | Sequence[float | tuple[float, float] | None] | None = None,
        source: str | Sequence[str | None] | None = None,
        on_progress: Progress | None = None,
    ) -> Added:
        """Adds photos, sounds, clips, notes (`Text`) and plain text files, in batches that are committed as it goes.

        A file is kept once: added again it is left alone, and gone on with where it had been cut short; one that has
        changed is refused. An input that cannot be used costs its own line, and the others go on.

        Args:
            inputs: one, or any number of them; a str is a path.
            time: second on the memory's clock at which the first begins, or the time of each; where None, one after
                another behind what is there.
            source: what all are called, or what each is; by default the resolved path.
            on_progress: called with a source, the items committed so far, and how much of the source is read, 0 to 1,
                None where nobody knows.

        Raises:
            InputError: the memory cannot be written, or times or names that are not one an input.
        """
        self._check_writable("add to it")
        inputs = [inputs] if single(inputs) else inputs
        with self._writing:
            return Adding(self.store, self._perceiver, self.end(), on_progress).run(matched(inputs, time, source))

    def knows(
        self,
        facts: Facts,
        source: str | None = None,
        time: float | None = None,
        names: FilePath | Mapping[str, str] | None = None,
        where: Mapping[str, Any] | None = None,
        on_progress: Progress | None = None,
        split_at: str | None = None,
    ) -> Added:
        """Adds facts, each an item whose text is its sentence, in batches that are committed as it goes.

        The same fact of the same source is kept once. What cannot be used costs its own line, and the others go on.

        Args:
            facts: one (head, relation, tail), a `Fact` or `Triple`, a file (.tsv, .txt, .csv, .parquet, .nt), or any
                number of these; a str is a path.
            source: who says so; by default each triple's own source, else the resolved path of its file, else "facts".
            time: second on the memory's clock at which they are told; where None, behind what is there.
            names: what identifiers are called: a file of id and text, or a mapping.
            where: column of a file to the value, or values, that a row must hold.
            on_progress: called with a source, the facts committed so far, and None.
            split_at: what parts a name from its description, in a file of names.

        Raises:
            InputError: the memory cannot be written, the file of names not read, or the model reads no text.
            ImportError: rdflib, which reads N-Triples, is not installed; the message names the extra.
        """
        self._check_writable("tell it facts")
        telling = Telling(source=source, names=names, split_at=split_at, where=where)
        with self._writing:
            when = self.end() if time is None else time
            return Knowing(self.store, self._perceiver, when, on_progress).run(telling.read(facts))

    def facts(self, about: str | None = None, at: Time | None = None, most: int | None = 1000) -> list[KnownFact]:
        """Facts it was told, the first told first.

        Args:
            about: an identifier or a name, whatever its case, of their head or tail; several entities may share one.
            at: when they hold: seconds in Unix time, a date, or a text that says one ("1990").
            most: how many, at most; all where None.

        Raises:
            InputError: no entity of that name, with those that come near; no such time; or a `most` below 1.
        """
        return self._known().about(about, at, most)

    def graph(self, at: Time | None = None) -> KnowledgeGraph:
        """The facts it was told as a graph, with times and sources; with `at`, those that hold then.

        Raises:
            InputError: a time that is none.
        """
        return self._known().graph(at)

    def watch(
        self,
        source: str | PathLike | bytes,
        every: float | None = 1.0,
        alike: float | None = ALIKE,
        fps: float | None = None,
        beams: int = 4,
        name: str | None = None,
    ) -> Iterator[Glimpse]:
        """A clip or stream as it goes, as `Steps.watch` gives it, and added as it goes; `name` is what it is called.

        Raises:
            InputError: as `Steps.watch`, the memory cannot be written, or the file is there already.
        """
        self._check_writable("add to it")
        check_counts(beams, 1)
        one, start = given(source, name), self.end()
        origin = self.store.archive.sources().get(one.name)
        if origin is not None and one.digest and one.its_own:
            raise InputError(f"{one.name}: is there already; forget it first, or watch it under another name")
        one = one._replace(digest=whole(one.digest))
        how = Watched(every, alike, fps)
        return watch(self.steps, self._perceiver.perception, one, start, how, beams, self._commit)

    def search(self, query: Input, k: int = 10, where: Where | None = None) -> list[Hit]:
        """What fits a query best, the best first; of pieces of one sound or clip that lie close together, the best.

        Args:
            query: words (a str or a `Text`), or a photo, sound or clip (a path as a `Path`, an image, a pair).
            k: how many, at most.
            where: which items are meant; all where None.

        Raises:
            InputError: a query that holds nothing, or that cannot be used; or a k below 1.
        """
        if k < 1:
            raise InputError(f"k {k} must be at least 1; try k=10")
        words = query if isinstance(query, str) else query.text if isinstance(query, Text) else None
        if words is None:
            return [hit(found) for found in search(self.store.archive, self._perceiver.key(given(query)), "", k, where)]
        key, gaps = self._perceiver.text_key(words), self.steps.model.config.search
        return [hit(found) for found in search(self.store.archive, key, words, k, where, gaps)]

    def recall(self, question: str, k: int = 5, where: Where | None = None) -> list[Hit]:
        """The sentences that say something on a question, the best first, by what each says and what is said around it.

        Args:
            question: in words.
            k: how many, at most.
            where: which items are meant; all sentences where None.

        Raises:
            InputError: no question, or a k below 1.
        """
        if not question.strip():
            raise InputError('nothing is asked; give a question, such as "When did we meet?"')
        if k < 1:
            raise InputError(f"k {k} must be at least 1; try k=5")
        return [hit(found) for found in recall(self.store.archive, question, k, where)]

    def ask(self, question: str, k: int = 8, at: Time | None = None) -> Answer:
        """An answer with what each of its words rests on; with nothing to answer from, one that is `declined`.

        Args:
            question: about what was seen, heard or read.
            k: how many items that fit the question are read beside what is remembered and the facts around them.
            at: when facts must hold: seconds in Unix time, a date, or a text that says one; all count where None.

        Raises:
            InputError: no question, one that is too long, a k below 1, or no such time.
        """
        asking = Asking(self.steps, self.store, self._perceiver, self._known().linked)
        return asking.ask(question, k, None if at is None else second(at))

    def timeline(self) -> list[Moment]:
        """What the memory still tells apart, by time."""
        return timeline(self.store)

    def summarize(self, beams: int = 4) -> Caption:
        """A sentence about all that is remembered."""
        return self.steps.summarize(readable(self.steps.model, self.store.state()), beams)

    def forget(self, what: str | PathLike | Sequence[str] | Where, rebuild: bool = False) -> Receipt:
        """Removes something, and shows that it is gone.

        Args:
            what: a source (a name, or a path however it is written), a list of ids, or all that a Where matches.
            rebuild: whether the bank is folded anew from what remains, so that merges that it had a part in go too.

        Raises:
            InputError: nothing of it is there, the memory cannot be written, or something of it remains.
        """
        self._check_writable("forget something")
        with self._writing:
            name, where = self._meant(what)
            ids = [item_id for _, item_id in self.store.archive.find(where)]
            if not ids:
                raise InputError(f"{name}: nothing of it is in {self.address}; its timeline says what is")
            return self.store.forget(ids, source_name=name, rebuild=rebuild)

    def export(self, path: str | PathLike) -> None:
        """Writes the memory into one portable file, which `mm-memgpt memory import` reads.

        Raises:
            InputError: the file cannot be written.
        """
        self.store.archive.export(path)

    def info(self) -> dict[str, Any]:
        """How much there is: address, items, sources, items a modality, facts, slots, seconds, fingerprint, version."""
        return info(self.address, self.store, self.steps.bank.capacity)

    def end(self) -> float:
        """The last second on the memory's clock, behind which what has no time of its own is put."""
        return end(self.store)

    def verify(self) -> list[Check]:
        """Whether fold, ledger and archive agree; reads everything."""
        return self.store.verify()

    def reencode(self, on_progress: Progress | None = None) -> Added:
        """Perceives everything anew; `Pipeline.reencode` does that to a memory that another encoder wrote.

        Raises:
            InputError: a memory in an object store, or one that may not be written.
        """
        self._check_writable("re-encode it")
        with self._writing:
            self.store.close()
            try:
                return reencode(self.steps.model, self._perceiver, self.address, on_progress)
            finally:
                self.store = Store.open(self.address, bank=self.steps.bank, fingerprint=fingerprint(self.steps.model))

    def close(self) -> None:
        """Ends the use of the memory; all that was added is there already."""
        self.store.close()

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _known(self) -> Known:
        """Its facts, read again where it has changed."""
        known = self._known_facts
        if known is None or known.version != self.store.archive.version:
            known = self._known_facts = Known(self.store.archive)
        return known

    def _commit(self, items: list[Any]) -> None:
        with self._writing:
            self.store.add(items)

    def _check_writable(self, purpose: str) -> None:
        if self.read_only:
            raise InputError(f"{self.address}: opened read-only; open it for writing to {purpose}")

    def _meant(self, what: str | PathLike | Sequence[str] | Where) -> tuple[str, Where]:
        """What is to be forgotten, in words and as a filter."""
        if isinstance(what, Where):
            return "items that match", what
        if not isinstance(what, (str, PathLike)):
            return f"{len(what)} items", Where(ids=tuple(what))
        names = (str(what), str(Path(what)), called(what))
        named = next((name for name in names if self.store.archive.find(Where(source=name))), names[0])
        return named, Where(source=named)
