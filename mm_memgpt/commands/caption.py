"""`mm-memgpt caption`: a sentence about every photo named, in the order named.

Notable: a photo that cannot be used costs one line on standard error and the exit status, never the other photos; the
model is loaded only when something named is there.
"""

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from itertools import tee

from tqdm import tqdm

from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.inputs import STANDARD_INPUT, Entry, expand
from mm_memgpt.commands.output import results
from mm_memgpt.types import Caption, InputError


def run(arguments: Namespace) -> int:
    """Captions the inputs; 1 if any of them failed, else 0."""
    entries: Iterable[Entry] = expand(arguments.inputs, sys.stdin)
    total = None
    if STANDARD_INPUT in arguments.inputs:
        sys.stdin.reconfigure(errors="surrogateescape")  # file names are bytes
    else:  # a list being piped in may be endless; all else can be counted first
        entries = list(entries)
        total = len(entries)
    captions = caption_entries(entries, arguments)  # before the output is opened: a bad model must not empty a file
    failed = 0
    with results(arguments.format, arguments.output) as write, progress(total, arguments.output) as bar:
        for path, result in captions:
            write(path, result)
            if isinstance(result, InputError):
                failed += 1
                bar.write(error_line(result), file=sys.stderr)
            bar.update()
    return 1 if failed else 0


def caption_entries(entries: Iterable[Entry], arguments: Namespace) -> Iterator[tuple[str, Caption | InputError]]:
    """Each entry's path with its caption or its error; loads the model, where any entry can be captioned."""
    if isinstance(entries, list) and all(entry.error for entry in entries):
        return ((entry.path, entry.error) for entry in entries)
    from mm_memgpt.pipeline import load

    model = load(arguments.model, arguments.device)
    shown, opened = tee(entries)
    captions = model.caption_each((entry.error or entry.path for entry in opened), arguments.beams, arguments.batch)
    return ((entry.path, result) for entry, (_, result) in zip(shown, captions, strict=True))


def progress(total: int | None, output: str | None) -> tqdm:
    """A bar on standard error, where a person watches it and the results do not scroll there themselves."""
    watched = sys.stderr.isatty() and not (output is None and sys.stdout.isatty())
    return tqdm(total=total, unit="photo", file=sys.stderr, disable=not watched)
