"""The ways to read long text that are compared: the bank, four controls, and what of the bank is its head alone."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Way:
    """One way."""

    title: str
    """As the page calls it."""
    reads: dict[str, Any] = field(default_factory=dict)
    """What differs from the recipe."""
    far: int = 100_000
    """Tokens up to which its cost is measured."""
    whole: bool = False
    """Whether it keeps everything where its cost is measured."""


WAYS = {
    "bank": Way("the bank, written by the decoder"),
    "none": Way("without memory", {"writes": "none"}),
    "window": Way("sliding window, as costly as the bank", {"writes": "none", "window": 247}),
    "recurrent": Way("recurrent memory tokens", {"writes": "recurrent", "recurrent": 4}),
    "recent": Way("words copied from the window alone", {"items": 128, "slots": 131, "ring": 128}),
    "full": Way(
        "full attention, over the 2,048 tokens it learned from", {"writes": "none", "window": 2048}, 10_000, whole=True
    ),
}
"""By name, in the page's order. The window and the number of memory tokens are chosen so that a token costs as many
multiply-adds as with the bank; full attention costs more."""
