"""The gallery: a table of photos with the captions a model really gave them, kept up to date inside a Markdown file."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.types import Caption

COLUMNS = 4


def table(photos: Iterable[tuple[Path, Caption]], folder: Path) -> str:
    """A Markdown table, a few photos a row and each one's caption under it; links start from `folder`."""
    cells = [(_link(path, folder), _escape(caption.text)) for path, caption in photos]
    lines = []
    for start in range(0, len(cells), COLUMNS):
        row = cells[start : start + COLUMNS]
        row += [("", "")] * (min(COLUMNS, len(cells)) - len(row))
        lines.append(f"| {' | '.join(picture for picture, _ in row)} |")
        if start == 0:
            lines.append("|" + ":---:|" * len(row))
        lines.append(f"| {' | '.join(caption for _, caption in row)} |")
    return "\n".join(lines)


def update(readme: Path, photos: Iterable[tuple[Path, Caption]]) -> None:
    """Puts the table of `photos` between the markers of `readme`.

    Raises:
        InputError: the file lacks the two markers, in this order.
    """
    replace_sections(readme, {"gallery": table(photos, readme.parent)})


def _link(path: Path, folder: Path) -> str:
    target = quote(Path(os.path.relpath(path, folder)).as_posix())
    return f'<img src="{target}" alt="{_escape(path.stem)}" height="160">'


def _escape(text: str) -> str:
    return re.sub(r"[\\|<>\[\]*_`\"]", lambda found: f"&#{ord(found[0])};", text)
