"""Sections of a Markdown file that a command writes anew, between `<!-- NAME:start -->` and `<!-- NAME:end -->`."""

import re
from pathlib import Path

from mm_memgpt.types import InputError


def replace_sections(file: Path, sections: dict[str, str]) -> None:
    """Puts each text between the markers of its name; all of them or none.

    Raises:
        InputError: the file cannot be read, or lacks the two markers of a name, in this order.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); give another file") from None
    for name, section in sections.items():
        start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
        between = re.compile(f"({re.escape(start)}\n).*?({re.escape(end)})", re.DOTALL)
        if between.search(text) is None:
            raise InputError(f"{file}: no lines {start} and {end}, in this order; add them where the {name} go")
        text = between.sub(lambda found, section=section: f"{found[1]}{section}\n{found[2]}", text, count=1)
    file.write_text(text, encoding="utf-8")
