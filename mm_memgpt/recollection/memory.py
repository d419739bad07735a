"""The memory object: add, search, ask, look back, forget.

Notable: one writer at a time in an object, and any number of readers beside it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from mm_memgpt.perception import Input
from mm_memgpt.recollection.results import Added, Answer, Hit, Moment
from mm_memgpt.steps import Glimpse, Steps
from mm_memgpt.types import Caption, InputError

if TYPE_CHECKING:
    from mm_memgpt.memory.forgetting import Receipt
    from mm_memgpt.memory.where import Where


class Memory:
    """A memory at an address, as one model perceives it; a context manager."""

    def __init__(self, steps: Steps, address: str | PathLike, *, read_only: bool = False, create: bool = True) -> None:
        """Opens the memory at `address`, a folder or an object store's address; makes it where there is none."""
        self.steps, self.address, self.read_only = steps, str(address), read_only

    def add(
        self,
        inputs: Input | Iterable[Input | InputError],
        time: float | Sequence[float | tuple[float, float] | None] | None = None,
        source: str | Sequence[str | None] | None = None,
        on_progress: Callable[[str, int, float | None], None] | None = None,
    ) -> Added:
        """Adds inputs. `on_progress(source, items, done)`: items committed so far, `done` the share of the input that
        is read (0 to 1), None where nobody knows."""
        raise NotImplementedError

    def watch(self, source: str | PathLike | bytes, every: float | None = 1.0, **how: Any) -> Iterator[Glimpse]:
        """As `Steps.watch`, and adds what it yields while it goes."""
        raise NotImplementedError

    def search(self, query: Input | str, k: int = 10, where: "Where | None" = None) -> list[Hit]:
        """What fits a query best. A str is words to look for; a photo or sound is a path object (Path), PIL, a pair."""
        raise NotImplementedError

    def ask(self, question: str, k: int = 8) -> Answer:
        """An answer with what it rests on, or none."""
        raise NotImplementedError

    def timeline(self) -> list[Moment]:
        """What the bank holds, by time."""
        raise NotImplementedError

    def summarize(self, beams: int = 4) -> Caption:
        """A sentence about all that the bank holds."""
        raise NotImplementedError

    def forget(self, what: "str | PathLike | Sequence[str] | Where", rebuild: bool = False) -> "Receipt":
        """Removes a source (a path or a name), items by id (a list) or all that a Where matches."""
        raise NotImplementedError

    def export(self, path: str | PathLike) -> None:
        """Writes the memory into one portable file."""
        raise NotImplementedError

    def info(self) -> dict[str, Any]:
        """address, items, sources, slots (used), capacity, modalities {name: items}, start, end, fingerprint, version."""
        raise NotImplementedError

    def verify(self) -> "list[Any]":
        """The checks of the store, each with name, passed and figure."""
        raise NotImplementedError

    def reencode(self, on_progress: Callable[[str, int, float | None], None] | None = None) -> Added:
        """Perceives all sources anew with this model, where their files are still to be had."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the use of the memory; all that was added is there already."""

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
