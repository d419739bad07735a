"""What several commands take on the command line: options they share, the types of their values, and what runs them.

Notable: a type's name stands in the frozen command line (tests/test_surface.py), and its error is what a user reads.
"""

import math
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from importlib import import_module

from mm_memgpt.interrupt import ending


def add_model_options(command: ArgumentParser, batch: bool = True, beams: bool = True) -> None:
    """Adds which model runs, and how."""
    command.add_argument("--model", default="nano", help="nano, a folder, or a hub name; default: %(default)s")
    add_decoding_options(command, batch, beams)


def add_decoding_options(command: ArgumentParser, batch: bool = True, beams: bool = True) -> None:
    """Adds how a model that is named elsewhere runs."""
    if beams:
        command.add_argument("--beams", type=positive, default=4, metavar="N", help="default: %(default)s")
    if batch:
        command.add_argument(
            "--batch", type=positive, default=16, metavar="N", help="photos at a time; default: %(default)s"
        )
    command.add_argument("--device", help="cpu, cuda, ...; default: the GPU where there is one")


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def probability(text: str) -> float:
    """A number from 0 to 1."""
    with suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise ArgumentTypeError(f"{text!r} is not a probability, a number from 0 to 1")


def at_least_0(text: str) -> float:
    """A finite number of at least 0."""
    with suppress(ValueError):
        if 0 <= float(text) < float("inf"):
            return float(text)
    raise ArgumentTypeError(f"{text!r} is not a number of at least 0")


def alike(text: str) -> float | None:
    """Grey levels, or none."""
    return None if text == "none" else at_least_0(text)


def region(text: str) -> str | tuple[float, ...]:
    """Where to look closely: motion, or the sides of a window."""
    return text if text == "motion" else tuple(at_least_0(each) for each in text.split(","))


def port(text: str) -> int:
    """A port, 0 for any."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ArgumentTypeError(f"{text!r} is not a port, a whole number from 0 to 65535")
    return int(text)


def moment(text: str) -> float:
    """Seconds, of a number or of a date in ISO 8601: since 1970, in this machine's time zone where it names none."""
    with suppress(ValueError):
        if math.isfinite(float(text)):
            return float(text)
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromisoformat(text).timestamp()
    raise ArgumentTypeError(f"{text!r} is no moment; give seconds, or a date such as 2026-05-31T14:30")


def instant(text: str) -> float:
    """Seconds of a year, a date or a time of ISO 8601, of UTC where it names no zone; or seconds since 1970."""
    from mm_memgpt.datasets.triples import instant as seconds
    from mm_memgpt.types import InputError

    with suppress(InputError):
        if (found := seconds(text, "", "")) is not None:
            return found
    raise ArgumentTypeError(f"{text!r} is no time; write 1999, 1999-12-31 or 1999-12-31T23:59:00")


def assignment(text: str) -> tuple[str, str]:
    """A name and a value."""
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise ArgumentTypeError(f"{text!r} does not say what is what; write COLUMN=VALUE")
    return name.strip(), value.strip()


def command_called(name: str) -> Callable[[Namespace], int]:
    """What runs the command of that name; its file is imported only then."""

    def run(arguments: Namespace) -> int:
        _quiet()
        with ending():
            command = import_module(f"mm_memgpt.commands.{name}")
        return command.run(arguments)

    return run


def _quiet() -> None:
    """Leaves standard error to our own lines: libraries' warnings say nothing a caption's reader can act on."""
    import warnings

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
