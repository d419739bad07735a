"""Which items are meant: a filter on source, modality, time, id and whether it is a fact, as a value.

Notable: it becomes a filter of the table here only, with every text quoted, so that a source name may hold anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mm_memgpt.types import MODALITIES


@dataclass(frozen=True, kw_only=True)
class Where:
    """Items that fulfil all that is given; nothing given means all items.

    Raises:
        ValueError: a modality that is not one of MODALITIES.
    """

    source: str | tuple[str, ...] | None = None
    """Of this source, or of one of these."""
    modality: str | tuple[str, ...] | None = None
    """Of this modality, or of one of these."""
    start: float | None = None
    """Items that end at this second or after."""
    end: float | None = None
    """Items that start at this second or before."""
    ids: tuple[str, ...] | None = None
    """Items with one of these ids."""
    facts: bool | None = None
    """True: facts alone; False: all but facts."""

    def __post_init__(self) -> None:
        unknown = set(_several(self.modality or ())) - set(MODALITIES)
        if unknown:
            raise ValueError(f"unknown modality {', '.join(sorted(unknown))}; known are {', '.join(MODALITIES)}")

    def condition(self, *, ids: bool = True) -> str | None:
        """The filter of the table, with or without the ids; None for all items."""
        named = {"source": self.source, "modality": self.modality, "id": self.ids if ids else None}
        parts = [among(column, _several(values)) for column, values in named.items() if values is not None]
        if self.start is not None:
            parts.append(f"`end` >= {float(self.start)!r}")
        if self.end is not None:
            parts.append(f"`start` <= {float(self.end)!r}")
        if self.facts is not None:
            parts.append(f"`head` IS {'NOT NULL' if self.facts else 'NULL'}")
        return " AND ".join(parts) or None

    def meets(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the table, read already, is meant: it has source, modality, start, end, id and head."""
        named = {"source": self.source, "modality": self.modality, "id": self.ids}
        if any(values is not None and row[column] not in _several(values) for column, values in named.items()):
            return False
        if self.facts is not None and self.facts != (row["head"] is not None):
            return False
        return (self.start is None or row["end"] >= self.start) and (self.end is None or row["start"] <= self.end)


def among(column: str, values: Iterable[str]) -> str:
    """The filter for rows whose column has one of these values; none at all for no values."""
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"`{column}` IN ({quoted})" if quoted else "false"


def _several(values: str | Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)
