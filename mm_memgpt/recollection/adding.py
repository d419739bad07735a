"""Adding: inputs perceived and committed in batches while they go, so that a kill loses nothing acknowledged.

Notable: the items that are committed with the last of their source say so (WHOLE behind their digest), so the same
file added again is left alone where it is whole, and gone on with where a kill had cut it short; photos in a row are
perceived together; an input that cannot be used costs its own line, and the others go on.
"""

import itertools
import time as clock
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from mm_memgpt.memory.archive import Origin
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.store import Store
from mm_memgpt.memory.where import Where
from mm_memgpt.perception import GROUP, span
from mm_memgpt.recollection.inputs import WHOLE, Given, given
from mm_memgpt.recollection.perceiving import Perceiver, opened
from mm_memgpt.recollection.results import Added
from mm_memgpt.types import InputError

BATCH = 256
"""Items of a commit, at most so many and a group more."""

EVERY = 3.0
"""Seconds after which what there is is committed."""

Progress = Callable[[str, int, float | None], None]
"""Called with a source, how many items are committed by then, and how much of the source is perceived (0 to 1)."""

THERE = "is there already and has not changed; nothing was added"


class Adding:
    """One call of `Memory.add`: what waits to be perceived together, and what waits to be committed."""

    def __init__(self, store: Store, perceiver: Perceiver, start: float, on_progress: Progress | None) -> None:
        self.store, self.perceiver, self.on_progress = store, perceiver, on_progress
        self.clock = start
        self.origins = store.archive.sources()
        self.photos: list[tuple[Given, Any, bytes]] = []
        self.starts: list[float] = []
        self.pending: list[Item] = []
        self.held: dict[str, set[str]] = {}
        self.committed, self.last = 0, clock.monotonic()
        self.sources: dict[str, None] = {}
        self.skipped: list[tuple[str, str]] = []
        self.errors: list[InputError] = []

    def run(self, inputs: Iterable[tuple[Any, Any, str | None]]) -> Added:
        """Adds each (input, time, name); what was committed stays, whatever stops it."""
        for value, when, name in inputs:
            try:
                if isinstance(value, InputError):
                    raise value
                self.one(given(value, name), when)
            except InputError as error:
                self.errors.append(error)
        self.see()
        self.commit()
        return Added(
            items=self.committed,
            sources=tuple(self.sources),
            skipped=tuple(self.skipped),
            errors=tuple(self.errors),
        )

    def one(self, one: Given, when: Any) -> None:
        """Adds an input, or lets a photo wait for others."""
        if (skip := self.there(one)) is None:
            self.skipped.append((one.name, THERE))
            return
        start = self.clock if when is None else span(when)[0]
        if skip:
            start = self.origins[one.name].start
        if one.kind == "photo":
            self.photos.append((one, *opened(one)))
            self.starts.append(start)
            self.note(one)
            if len(self.photos) >= GROUP:
                self.see()
            self.clock = max(self.clock if when is None else start, start + 1.0)
            return
        self.see()
        self.note(one)
        try:
            self.long(one, self.perceiver.parts(one, start, skip), start)
        except BaseException:
            self.held.get(one.name, set()).discard(one.digest)
            raise

    def long(self, one: Given, parts: Iterator[Any], start: float) -> None:
        """Adds an input of any length; where it breaks off, what came before is committed, and known to be a part."""
        begun, latest, made = len(self.pending), start, 0
        for part in parts:
            self.pending += part.items
            made += len(part.items)
            latest = max(latest, *(item.end + (item.modality == "text") for item in part.items))
            if self.due():
                self.commit(keep=1)  # the last of a source has to be known for it when it is committed
                begun = 0
            self.say(one.name, part.done)
        self.pending[begun:] = [replace(item, digest=whole(item.digest)) for item in self.pending[begun:]]
        if made:
            self.sources[one.name] = None
        self.clock = max(start, latest)
        if self.due():
            self.commit()

    def see(self) -> None:
        """Perceives the photos that wait."""
        if not self.photos:
            return
        made = self.perceiver.photos(self.photos, self.starts)
        self.pending += [replace(item, digest=whole(item.digest)) for item in made]
        self.sources |= dict.fromkeys(one.name for one, _, _ in self.photos)
        last = self.photos[-1][0].name
        self.photos, self.starts = [], []
        if self.due():
            self.commit()
        self.say(last, 1.0)

    def due(self) -> bool:
        return len(self.pending) >= BATCH or clock.monotonic() - self.last > EVERY

    def commit(self, keep: int = 0) -> None:
        """Commits what waits, but the last `keep`."""
        cut = len(self.pending) - keep
        if cut > 0:
            self.store.add(self.pending[:cut])
            self.committed += cut
            self.pending = self.pending[cut:]
        self.last = clock.monotonic()

    def say(self, name: str, done: float | None) -> None:
        if self.on_progress is not None:
            self.on_progress(name, self.committed, done)

    def there(self, one: Given) -> int | None:
        """How many items of an input are kept already; None where all are.

        Raises:
            InputError: the file has changed since it was added.
        """
        if not one.digest:
            return 0
        if one.digest in self.held.get(one.name, ()):
            return None
        origin = self.origins.get(one.name)
        if origin is None:
            return 0
        if one.its_own:
            return self._of_origin(one, origin)
        ids = self.store.archive.find(Where(source=one.name))
        found = {stored.item.digest for stored in self.store.archive.get(item_id for _, item_id in ids)}
        self.held.setdefault(one.name, set()).update(
            digest.removesuffix(WHOLE) for digest in found if digest.endswith(WHOLE)
        )
        return None if whole(one.digest) in found else 0

    def _of_origin(self, one: Given, origin: Origin) -> int | None:
        if origin.digest == whole(one.digest):
            return None
        if origin.digest == one.digest:
            return origin.items
        raise InputError(
            f"{one.name}: has changed since it was added; forget it first (mm-memgpt forget), or give it another name"
        )

    def note(self, one: Given) -> None:
        """Takes note that an input is being added, so that it is not added twice in one go."""
        if one.digest:
            self.held.setdefault(one.name, set()).add(one.digest)


def whole(digest: str) -> str:
    """The digest of an item that is committed with the last of its source."""
    return digest if not digest or digest.endswith(WHOLE) else digest + WHOLE


def matched(
    inputs: Sequence[Any] | Iterable[Any], times: Any, names: str | Sequence[str | None] | None
) -> Iterator[tuple[Any, Any, str | None]]:
    """Each input with its time and name; one time is that of the first, one name that of all.

    Raises:
        InputError: so many times or names, and not so many inputs.
    """
    several = isinstance(inputs, (list, tuple))
    if isinstance(times, (int, float)):
        times = itertools.chain([times], itertools.repeat(None))
    elif several and times is not None and len(times) != len(inputs):
        raise InputError(f"{len(times)} times for {len(inputs)} inputs; give one an input")
    if names is None or isinstance(names, str):
        names = itertools.repeat(names)
    elif several and len(names) != len(inputs):
        raise InputError(f"{len(names)} names for {len(inputs)} inputs; give one an input")
    return zip(inputs, itertools.repeat(None) if times is None else times, names, strict=False)
