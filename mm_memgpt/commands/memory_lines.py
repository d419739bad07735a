"""What is found in a memory, as lines of text and as JSON: places, spans of time, amounts.

Notable: a memory's clock is whatever its owner counts by, so seconds read as on a player where they are few and as a
date where they are many.
"""

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any

from mm_memgpt.commands.moments import clock

if TYPE_CHECKING:
    from mm_memgpt.memory.forgetting import Check
    from mm_memgpt.types import Fact

LONGEST_CLOCK = 366 * 86400
"""Seconds that are still shown as hours; more are taken for a date, for they are more than a year."""

LONGEST_QUOTE = 100
"""Characters of a text that a line shows."""


def when(start: float, end: float) -> str:
    """A span of time; a moment where both ends read alike: `0:00:03`, `0:00:03 to 0:00:09`, `2026-05-31 14:30:00`."""
    first, last = _read(start), _read(end)
    return first if first == last else f"{first} to {last}"


def _read(seconds: float) -> str:
    if 0 <= seconds < LONGEST_CLOCK:
        return clock(seconds)
    try:
        return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):  # no year of the calendar
        return f"{seconds:g} s"


def amount(count: int, one: str, several: str | None = None) -> str:
    """A number of things: `1 item`, `3 items`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def quoted(text: str) -> str:
    """A text in quotation marks on one line, its end left out where it is long; nothing where there is none."""
    text = " ".join(text.split())
    return f'"{text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1].rstrip() + "…"}"' if text else ""


def place(source: str | None, start: float, end: float, text: str) -> str:
    """Where something lies: its source, its span and its words."""
    return " ".join(part for part in (source or "several sources", f"[{when(start, end)}]", quoted(text)) if part)


def as_place(source: str | None, modality: str, start: float, end: float, text: str) -> dict[str, Any]:
    """The same as JSON holds it."""
    return {"path": source, "modality": modality, "start": round(start, 3), "end": round(end, 3), "text": text}


def validity(fact: "Fact") -> str:
    """When a fact holds, of UTC: `from 1949-05-23 until 1990-10-03`; nothing where it is not said."""
    ends = (("from", fact.since), ("until", fact.until))
    return " ".join(f"{word} {_date(second)}" for word, second in ends if isfinite(second))


def _date(second: float) -> str:
    try:
        said = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    except OverflowError:  # no year of the calendar
        return f"{second:g} s"
    return said.strftime("%Y-%m-%d" if second % 86400 == 0 else "%Y-%m-%dT%H:%M:%S")


def as_fact(fact: "Fact") -> dict[str, Any]:
    """A fact as JSON holds it: identifiers, and seconds in Unix time, null where they are not said."""
    ends = {
        name: second if isfinite(second) else None for name, second in (("since", fact.since), ("until", fact.until))
    }
    return {"head": fact.head, "relation": fact.relation, "tail": fact.tail, **ends}


def check_line(check: "Check") -> str:
    """`ok      table: 0 rows`."""
    return f"{'ok' if check.passed else 'FAILED':6}  {check.name}: {check.figure}"


def as_check(check: "Check") -> dict[str, Any]:
    """The same as JSON holds it."""
    return {"name": check.name, "passed": check.passed, "figure": check.figure}
