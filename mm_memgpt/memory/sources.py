"""The table between the sources of a memory, which are numbers, and their names.

Notable: it lies on the host, beside a state and not in it, so that a state stays a tuple of plain tensors.
"""

from collections.abc import Iterable, Iterator

from mm_memgpt.types import MIXED_SOURCE


class Sources:
    """Names by number, from 0 in the order in which they came; list(sources) saves it, Sources(names) restores it.

    Raises:
        ValueError: a name comes twice.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {}
        for name in names:
            if name in self._numbers:
                raise ValueError(f"source {name!r} comes twice; a name has one number")
            self.number(name)

    def number(self, name: str) -> int:
        """The number of a name; a new name gets the next."""
        return self._numbers.setdefault(name, len(self._numbers))

    def name(self, number: int) -> str | None:
        """The name of a number; None for a slot of several sources, or an empty one.

        Raises:
            KeyError: no name has this number.
        """
        if number == MIXED_SOURCE:
            return None
        names = list(self._numbers)
        if not 0 <= number < len(names):
            raise KeyError(f"no source has number {number}; the table holds {len(names)}")
        return names[number]

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)
