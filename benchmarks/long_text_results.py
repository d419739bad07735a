"""Figures measured so far, kept in one file as soon as they are there."""

import json
from pathlib import Path
from typing import Any


class Results:
    """Figures by way to read.

    Args:
        file: where they are kept.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def of(self, name: str) -> dict[str, Any]:
        """What is known of one."""
        return self._read().get(name, {})

    def keep(self, name: str, **figures: Any) -> None:
        """Adds to what is known of one, whole or not at all."""
        known = self._read()
        known[name] = known.get(name, {}) | figures
        self.file.parent.mkdir(parents=True, exist_ok=True)
        beside = self.file.with_suffix(".unfinished")
        beside.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        beside.replace(self.file)

    def _read(self) -> dict[str, Any]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
