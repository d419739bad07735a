"""`mm-memgpt caption`: a sentence about every photo, sound and clip named, in the order named.

Notable: an input that cannot be used costs one line on standard error and the exit status, never the others; the model
is loaded only when something named is there.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import tee
from typing import TYPE_CHECKING

from tqdm import tqdm

from mm_memgpt.commands.errors import error_line
from mm_memgpt.commands.inputs import EVERYTHING, STANDARD_INPUT, Entry, expand
from mm_memgpt.commands.output import Abstained, Result, results
from mm_memgpt.types import Caption, InputError

if TYPE_CHECKING:
    from mm_memgpt.pipeline import Pipeline


def run(arguments: Namespace) -> int:
    """Captions the inputs; 1 if any of them failed, else 0."""
    entries: Iterable[Entry] = expand(arguments.inputs, sys.stdin, EVERYTHING)
    total = None
    if STANDARD_INPUT in arguments.inputs:
        sys.stdin.reconfigure(errors="surrogateescape")  # file names are bytes
    else:  # a list being piped in may be endless; all else can be counted first
        entries = list(entries)
        total = len(entries)
    model = model_for(entries, arguments)  # before the output is opened: a bad model must not empty a file
    explain = None if arguments.explain is None else strips(model, arguments)
    captions = caption_entries(entries, model, arguments)
    failed = 0
    with results(arguments.format, arguments.output) as write, progress(total, arguments.output) as bar:
        for path, result in captions:
            result = held_back(path, result, arguments.min_confidence)
            write(path, result)
            if isinstance(result, Abstained) and arguments.format == "text":
                bar.write(" ".join(result.reason.split()), file=sys.stderr)
            problem = explain(path, result) if explain is not None and isinstance(result, Caption) else result
            if isinstance(problem, InputError):
                failed += 1
                bar.write(error_line(problem), file=sys.stderr)
            bar.update()
    return 1 if failed else 0


def model_for(entries: Iterable[Entry], arguments: Namespace) -> "Pipeline | None":
    """The model, where any entry can be captioned."""
    if isinstance(entries, list) and all(entry.error for entry in entries):
        return None
    from mm_memgpt.pipeline import load

    model = load(arguments.model, arguments.device)
    if arguments.min_confidence is not None and model.model.config.confidence is None:
        print(f"{arguments.model}: not calibrated, so --min-confidence is no probability here", file=sys.stderr)
    return model


def strips(model: "Pipeline | None", arguments: Namespace) -> Callable[[str, Caption], InputError | None]:
    """What writes a photo's strip into the folder, which is made where missing, and says what went wrong.

    Raises:
        InputError: the folder cannot be made, or lies in one that is captioned.
    """
    from mm_memgpt.commands.strips import make_folder, write_strip

    return partial(write_strip, model, make_folder(arguments.explain, arguments.inputs))


def caption_entries(
    entries: Iterable[Entry], model: "Pipeline | None", arguments: Namespace
) -> Iterator[tuple[str, Caption | InputError]]:
    """Each entry's path with its caption or its error; without a model, every entry has one."""
    if model is None:
        return ((entry.path, entry.error) for entry in entries)
    shown, opened = tee(entries)
    given = (entry.error or entry.path for entry in opened)
    captions = model.caption_each(given, arguments.beams, arguments.batch, arguments.ask, arguments.region)
    return ((entry.path, result) for entry, (_, result) in zip(shown, captions, strict=True))


def held_back(path: str, result: Caption | InputError, least: float | None) -> Result:
    """The result, or why its caption is not shown where its confidence is below `least`."""
    if least is None or isinstance(result, InputError) or result.confidence >= least:
        return result
    for digits in (2, 3, 6):
        sure, wanted = f"{result.confidence:.{digits}f}", f"{least:.{digits}f}"
        if sure != wanted:
            break
    reason = f"{path}: not sure enough ({sure} below {wanted}); lower --min-confidence to see its caption"
    return Abstained(reason, result.confidence)


def progress(total: int | None, output: str | None) -> tqdm:
    """A bar on standard error, where a person watches it and the results do not scroll there themselves."""
    watched = sys.stderr.isatty() and not (output is None and sys.stdout.isatty())
    return tqdm(total=total, unit="photo", file=sys.stderr, disable=not watched)
