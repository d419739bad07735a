"""How far adding to a memory has come: a bar with the time left, what is kept by now, and whether it is to stop.

Notable: nothing heavy is imported here, so that Ctrl-C is answered from the first moment on.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

from mm_memgpt.interrupt import remembered

Taken = TypeVar("Taken")


class Progress:
    """A bar over inputs, on standard error where a person watches it; a long input counts by the share that is read.

    Notable: `items` is what was committed when the last word of it came, so it may say one batch too few, never too
    many.
    """

    def __init__(self) -> None:
        self.items, self._finished = 0, 0
        self._pressed = lambda: False
        self._bar: tqdm | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Ends what runs in it at Ctrl-C, also where a library takes the interrupt for something else."""
        with remembered() as self._pressed:
            try:
                yield
            except BaseException:
                if not self.stopped:
                    raise

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C came."""
        return self._pressed()

    @contextmanager
    def bar(self, total: int | None) -> Iterator[None]:
        """Shows it, over that many inputs where their number is known."""
        form = "{l_bar}{bar}| {n:.0f}/{total_fmt} [{elapsed}<{remaining}{postfix}]" if total else None
        watched = sys.stderr.isatty()
        with tqdm(total=total, unit="input", file=sys.stderr, bar_format=form, disable=not watched) as self._bar:
            yield
        self._bar = None

    def over(self, inputs: Iterable[Taken]) -> Iterator[Taken]:
        """The inputs, counted as they are taken."""
        for value in inputs:
            yield value
            self._finished += 1  # whoever asks for the next one is done with this one, or has it in a batch

    def moved(self, _source: str, items: int, done: float | None) -> None:
        """`items` are kept by now, and this share of the newest input is read.

        Raises:
            KeyboardInterrupt: Ctrl-C came, and was lost on the way.
        """
        self.items = items
        if self.stopped:
            raise KeyboardInterrupt
        if self._bar is not None:
            self._bar.set_postfix_str(f"{items:,} items", refresh=False)
            self._bar.n = self._finished + (done or 0.0)
            self._bar.refresh()

    def last_word(self, address: str) -> str:
        """What is kept of a run that was stopped."""
        if not self.items:
            return f"stopped: nothing of this run kept in {address}"
        kept = f"{self.items:,} item{'s' if self.items > 1 else ''}"
        return f"stopped: {kept} of this run kept in {address}; the same command goes on from there"
