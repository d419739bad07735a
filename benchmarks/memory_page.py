"""The page of the memory's benchmarks: each puts its table and plot between two lines of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mm_memgpt.evaluation.markers import replace_sections


def put(page: Path, name: str, lines: Sequence[str], picture: Any, pictured: str) -> None:
    """Replaces what lies between `<!-- name:start -->` and `<!-- name:end -->` by a table and a plot, below images/.

    Args:
        page: the Markdown file.
        name: the benchmark's, and its picture's.
        lines: of the table.
        picture: the plot, a matplotlib figure.
        pictured: what it shows, for those who do not see it.

    Raises:
        InputError: the page cannot be read, or lacks the two lines.
    """
    image = page.parent / "images" / f"{name}_benchmark.png"
    section = "\n".join(["", *lines, "", f"![{pictured}](images/{image.name})", ""])
    replace_sections(page, {name: section})
    image.parent.mkdir(exist_ok=True)
    picture.savefig(image, dpi=120)
