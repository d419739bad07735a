"""`mm-memgpt search`: the photos of a folder that fit a few words best, and a contact sheet of them; or of a memory.

Notable: a photo that cannot be used costs one line on standard error and the exit status, never the other photos.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor

from mm_memgpt.commands.caption import progress
from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.inputs import Entry, expand
from mm_memgpt.commands.sheet import contact_sheet
from mm_memgpt.pipeline import Pipeline, load, rank
from mm_memgpt.types import InputError, Match


def run(arguments: Namespace) -> int:
    """Ranks the photos below the folder; 1 if any of them could not be used, else 0.

    Raises:
        InputError: a model that cannot search, an empty query, no photo that can be used, or a sheet of a kind that
            cannot be written.
    """
    if arguments.memory is not None:
        return of_memory(arguments)
    if any((arguments.modality, arguments.source, arguments.after is not None, arguments.before is not None)):
        arguments.refuse("--modality, --source, --after and --before are of a memory; give --memory DIR")
    folder = "." if arguments.folder is None else arguments.folder
    sheet = None if arguments.sheet is None else checked(Path(arguments.sheet))
    entries = list(expand([folder], []))
    model = load(arguments.model, arguments.device)
    query = model.text_keys([arguments.query])[0]
    failed: list[InputError] = []
    matches = rank(query, list(keys(model, entries, arguments.batch, failed)), arguments.top)
    if not matches:
        raise InputError(f"{folder}: no photo there that can be used; name a folder that holds photos")
    sys.stdout.reconfigure(errors="backslashreplace" if arguments.format == "json" else "surrogateescape")
    for match in matches:
        print(as_line(match, arguments.format))
    if sheet is not None:
        contact_sheet(matches, arguments.query).save(sheet)
    return 1 if failed else 0


def of_memory(arguments: Namespace) -> int:
    """As `run`, of a memory."""
    from mm_memgpt.commands.memory_search import run as search_memory

    if arguments.sheet is not None:
        arguments.refuse("a contact sheet is of a folder's photos; leave out --sheet, or --memory")
    return search_memory(arguments)


def keys(model: Pipeline, entries: list[Entry], batch: int, failed: list[InputError]) -> Iterator[tuple[str, Tensor]]:
    """The path and key of each photo; an error is said on standard error and added to `failed`."""
    photos: Iterable[str | InputError] = (entry.error or entry.path for entry in entries)
    with progress(len(entries), None) as bar:
        for photo, key in model.keys_each(photos, batch):
            bar.update()
            if isinstance(key, InputError):
                failed.append(key)
                bar.write(error_line(key), file=sys.stderr)
            else:
                yield photo, key


def checked(sheet: Path) -> Path:
    """The path of a contact sheet, once it can be written."""
    if sheet.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise InputError(f"{sheet}: a contact sheet ends in .png, .jpg or .webp; rename it")
    if not sheet.parent.is_dir():
        raise InputError(f"{sheet.parent}: no such folder; make it, or write the sheet elsewhere")
    return sheet


def as_line(match: Match, form: str) -> str:
    """`score path`, or {"path", "score"} as JSON."""
    if form == "json":
        return json.dumps({"path": match.photo, "score": round(match.score, 6)}, ensure_ascii=False)
    return f"{match.score:.3f} {match.photo}"
