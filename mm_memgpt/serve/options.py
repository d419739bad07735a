"""What the demo's pages are told beside the model, and the photos it offers where the user names none."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mm_memgpt.task_pipeline import TaskPipeline

PACKAGE = Path(__file__).parents[1]
PHOTO_FOLDERS = (PACKAGE / "photos", PACKAGE.parent / "demos" / "photos")
"""Where the package's example photos lie: in a wheel, and in a checkout."""
MODEL = "model"
"""Events with this `concurrency_id` run one after another, on whatever page they are."""

HOUR = 3600
"""Seconds after which what a user gave is deleted, and what was made of it."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the pages show a model."""

    name: str = "nano"
    """What the page calls the model."""
    beams: int = 4
    """Sentences the search keeps at a time."""
    examples: Sequence[Path] = ()
    """Photos to pick from."""
    readers: Mapping[str, "TaskPipeline"] = field(default_factory=dict)
    """Models of tasks by name, for the page of texts."""
    ending: ExitStack = field(default_factory=ExitStack)
    """What pages leave to be done when the demo ends."""


def packaged_photos() -> list[Path]:
    """The example photos that came with the package, sorted; none where it came without."""
    return sorted(path for folder in PHOTO_FOLDERS for path in folder.glob("*.jpg"))
