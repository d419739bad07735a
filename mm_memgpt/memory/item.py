"""An item as a persistent memory keeps it: one moment of one source, with what it takes to show it again.

Notable: tokens and key are float16 here, before anything is folded, so that sums of them in float64 are exact; a fact
is an item whose text is its sentence, so all that is done with a note is done with a fact.

p tokens per item   d width   k key width
"""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

import numpy as np

from mm_memgpt.types import Fact


@dataclass(frozen=True, kw_only=True, eq=False)
class Item:
    """One moment of one source."""

    id: str
    """Opaque: `new_id` makes one. It is the only thing that logs and delete predicates may name."""
    source: str
    """Where it came from: a resolved path, or the name it was given."""
    modality: str
    """One of MODALITIES."""
    start: float
    """First second, on the clock of the memory."""
    end: float
    """Last second."""
    created: float
    """When it was added, in seconds of Unix time."""
    key: np.ndarray
    """(k,) float16: unit-length retrieval key."""
    tokens: np.ndarray
    """(p, d) float16: what it holds."""
    mask: np.ndarray
    """(p,) bool: True where the token is real."""
    text: str = ""
    """Its words, to be searched and quoted."""
    preview: bytes = b""
    """A small JPEG, where there is a picture."""
    digest: str = ""
    """Of the content of its source as it was when added: a source that changed since has another."""
    fact: Fact | None = None
    """What its text says, where it is a fact."""


class Stored(NamedTuple):
    """An item in the archive, and its place there."""

    order: int
    """Position in commit order; grows, and stays the same for ever."""
    item: Item


def new_id() -> str:
    """An id that no other item has and that says nothing about the item."""
    return uuid4().hex
