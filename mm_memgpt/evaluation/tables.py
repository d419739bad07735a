"""Figures as text for the terminal: a line a metric with its interval, a line a class.

Notable: columns line up in every script, for a wide character (Chinese, Japanese, Korean, emoji) takes two places and a
combining one none.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.classification import ClassFigures

LONGEST = 40
"""Places that a name gets; a longer one is cut."""


def as_table(scores: Mapping[str, Score]) -> str:
    """Each metric, its value and its 95% interval."""
    width = max(map(places, ["metric", *scores]))
    values = {name: f"{score.value:.3f}" for name, score in scores.items()}
    digits = max(map(len, ["value", *values.values()]))
    lines = [f"{padded('metric', width)}  {'value':>{digits}}  95% interval"]
    for name, (_, low, high) in scores.items():
        lines.append(f"{padded(name, width)}  {values[name]:>{digits}}  {low:.3f} to {high:.3f}")
    return "\n".join(lines)


def per_class_table(table: Mapping[str, ClassFigures], title: str = "label") -> str:
    """Each class, or each type of entity, with its precision, recall, F1 and support."""
    names = {name: shortened(name) for name in table}
    width = max(map(places, [title, *names.values()]))
    lines = [f"{padded(title, width)}  precision  recall     f1  support"]
    for name, figures in table.items():
        shares = f"{figures['precision']:9.3f}  {figures['recall']:6.3f}  {figures['f1']:5.3f}"
        lines.append(f"{padded(names[name], width)}  {shares}  {figures['support']:7d}")
    return "\n".join(lines)


def places(text: str) -> int:
    """How many places the text takes in a terminal."""
    return sum(map(_places, text))


def padded(text: str, width: int) -> str:
    """The text, and spaces up to a width in places."""
    return text + " " * (width - places(text))


def shortened(name: str, longest: int = LONGEST) -> str:
    """The name in one line of at most `longest` places, with … for what is cut from its middle."""
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    if places(name) <= longest:
        return name
    tail = (longest - 1) // 2
    return _start(name, longest - 1 - tail) + "…" + _start(name[::-1], tail)[::-1]


def _start(text: str, width: int) -> str:
    """As much of the text as fits into a width in places."""
    used = list(accumulate(map(_places, text)))
    return text[: bisect_right(used, width)]


def _places(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
