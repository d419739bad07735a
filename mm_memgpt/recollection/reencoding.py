"""Re-encoding: a memory that another encoder wrote, perceived anew by this one.

Notable: sentences are read from the memory itself, the rest from the files it came from, photos whose file is gone
from their previews; the new memory is made beside the old one and takes its place when it is whole. Where something
could not be had, the old one is kept under another name, so nothing is lost.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from uuid import uuid4

from mm_memgpt.memory.archive import Archive, Origin
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.store import Store
from mm_memgpt.models.fingerprint import fingerprint
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.recollection.adding import Progress, whole
from mm_memgpt.recollection.inputs import Given, given
from mm_memgpt.recollection.perceiving import SENTENCES, Perceiver
from mm_memgpt.recollection.results import Added
from mm_memgpt.types import InputError

FROM_PREVIEW = "its file is gone or has changed; seen anew from the small picture that the memory has"


class Reencoding:
    """One re-encoding: what is read from the old memory, and what came of it."""

    def __init__(self, old: Archive, new: Store, perceiver: Perceiver, on_progress: Progress | None) -> None:
        self.old, self.new, self.perceiver, self.on_progress = old, new, perceiver, on_progress
        self.origins = old.sources()
        self.items = 0
        self.done: set[str] = set()
        self.skipped: dict[str, str] = {}
        self.errors: list[InputError] = []

    def run(self) -> Added:
        """Perceives everything anew, in the order in which it was added."""
        rows = (row.item for row in self.old.since())
        for (source, modality), items in groupby(rows, key=lambda item: (item.source, item.modality == "text")):
            try:
                for made in self._read(items) if modality else self._perceive(source, items):
                    self.new.add(made)
                    self.items += len(made)
                    if self.on_progress is not None:
                        self.on_progress(source, self.items, None)
            except InputError as error:
                self.errors.append(error)
        sources = tuple(self.new.archive.sources())
        return Added(items=self.items, sources=sources, skipped=tuple(self.skipped.items()), errors=tuple(self.errors))

    def _read(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        """The same sentences, read anew."""
        items = iter(items)
        while group := list(islice(items, SENTENCES)):
            yield [
                replace(old, key=new.key, tokens=new.tokens, mask=new.mask)
                for old, new in zip(group, self.perceiver.read([item.text for item in group]), strict=True)
            ]

    def _perceive(self, source: str, items: Iterable[Item]) -> Iterator[list[Item]]:
        """A photo, sound or clip from its file, once for all its items."""
        first, *rest = items
        if source in self.done:
            return
        self.done.add(source)
        one = _same_file(source, self.origins[source])
        if one is not None:
            for part in self.perceiver.parts(one, self.origins[source].start):
                yield [replace(item, digest=whole(item.digest), created=first.created) for item in part.items]
            return
        pictures = [item for item in [first, *rest] if item.preview]
        if not pictures:
            raise InputError(f"{source}: gone or changed, so it cannot be perceived anew; bring the file back")
        self.skipped[source] = FROM_PREVIEW
        yield [self._from_preview(item) for item in pictures]

    def _from_preview(self, item: Item) -> Item:
        one = Given(item.preview, "photo", item.source, item.digest, True)
        [part] = self.perceiver.parts(one, item.start)
        new = part.items[0]
        return replace(item, key=new.key, tokens=new.tokens, mask=new.mask)


def _same_file(source: str, origin: Origin) -> Given | None:
    """The file of a source, where it is there and holds what it held."""
    if not os.path.exists(source):
        return None
    one = given(source)
    return one if whole(one.digest) == whole(origin.digest) else None


def reencode(
    model: MMMemGPTForConditionalGeneration,
    perceiver: Perceiver,
    address: str | os.PathLike,
    on_progress: Progress | None = None,
) -> Added:
    """The memory in a folder, perceived anew by this model, in its old place.

    Raises:
        InputError: no memory there, one in an object store, or one that may not be written.
    """
    address = os.fspath(address)
    if "://" in address:
        raise InputError(f"{address}: only a memory in a folder can be re-encoded; export it into one first")
    folder = Path(address).resolve()
    beside = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        with (
            Archive.open(folder) as old,
            old.turn(),
            Store.open(beside, bank=model.bank, fingerprint=fingerprint(model), create=True) as new,
        ):
            added = Reencoding(old, new, perceiver, on_progress).run()
        kept = _exchange(folder, beside, bool(added.errors))
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return added if kept is None else replace(added, skipped=(*added.skipped, (str(kept), "the memory as it was")))


def _exchange(folder: Path, beside: Path, keep: bool) -> Path | None:
    """Puts the new memory in the old one's place; returns where the old one is kept, if it is."""
    before = folder.with_name(f"{folder.name}.before-{uuid4().hex[:8]}")
    folder.rename(before)
    beside.rename(folder)
    if keep:
        return before
    shutil.rmtree(before)
    return None
