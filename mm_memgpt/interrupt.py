"""Ctrl-C at a moment when a library is imported or called, which may take it for a failure of its own.

Notable: nothing heavy is imported here, so that Ctrl-C is answered from the first moment on.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


@contextmanager
def ending() -> Iterator[None]:
    """Within it Ctrl-C ends the process at once, as a signal does that nobody handles.

    Notable: for imports, some of which abort at an exception, and some lose it; nothing may be half written meanwhile.
    """
    with _answered_by(signal.SIG_DFL):
        yield


@contextmanager
def remembered() -> Iterator[Callable[[], bool]]:
    """Within it Ctrl-C does what it did before, and what this gives says whether it came."""
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        before(number, frame)

    with _answered_by(press):
        yield lambda: bool(pressed)


@contextmanager
def _answered_by(handler: signal.Handlers | Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    heard = callable(before) and current_thread() is main_thread()  # else it is ignored, or not this thread's to answer
    if heard:
        signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if heard:
            signal.signal(signal.SIGINT, before)
