"""The page of the memory's benchmarks: each puts its table and plot between two lines of its own."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mm_memgpt.types import InputError


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
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{page}: cannot be read ({error.strerror}); give --page another file") from None
    between = re.compile(f"({re.escape(start)}\n).*?({re.escape(end)})", re.DOTALL)
    if between.search(text) is None:
        raise InputError(f"{page}: no lines {start} and {end}, in this order; add them where the table goes")
    image = page.parent / "images" / f"{name}_benchmark.png"
    image.parent.mkdir(exist_ok=True)
    picture.savefig(image, dpi=120)
    body = "\n".join(["", *lines, "", f"![{pictured}](images/{image.name})", ""])
    page.write_text(between.sub(lambda found: f"{found[1]}{body}\n{found[2]}", text, count=1), encoding="utf-8")
