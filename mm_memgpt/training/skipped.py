"""Samples that a run could not use.

Notable: they are written to a file as they come, so that worker processes and a resumed run add to one list.
"""

import json
from pathlib import Path

from mm_memgpt.types import InputError


class Skipped:
    """A list on file of what was wrong with samples; each counts once, however often it was met."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.met: set[str] = set()

    def __call__(self, error: InputError) -> None:
        """Takes note of a sample. A line is appended whole, whichever process writes."""
        if str(error) not in self.met:
            self.met.add(str(error))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(str(error), ensure_ascii=False) + "\n")

    def all(self) -> list[str]:
        """What was wrong with each, sorted, one line a sample."""
        if not self.path.exists():
            return []
        return sorted({json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()})
