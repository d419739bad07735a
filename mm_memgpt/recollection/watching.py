"""Watching into a memory: what a clip or stream shows is said as it goes, and added as it goes.

Notable: a glimpse is out before its items are committed, a few seconds at most; however the watching ends, what was
perceived until then is committed.
"""

import time as clock
from collections.abc import Callable, Iterator
from dataclasses import replace

from mm_memgpt.memory.item import Item
from mm_memgpt.perception import Perception, Watched
from mm_memgpt.recollection.adding import BATCH, EVERY
from mm_memgpt.recollection.inputs import Given, preview
from mm_memgpt.recollection.perceiving import items_of
from mm_memgpt.steps import Glimpse, Steps
from mm_memgpt.types import Features


def watch(
    steps: Steps,
    perception: Perception,
    one: Given,
    start: float,
    how: Watched,
    beams: int,
    add: Callable[[list[Item]], None],
) -> Iterator[Glimpse]:
    """The glimpses of a clip or stream, whose items are given to `add` some at a time.

    Args:
        steps: what says something.
        perception: what perceives.
        one: what is watched.
        start: second on the memory's clock at which it begins.
        how: as `Steps.watch` takes it.
        beams: of each sentence.
        add: commits items.

    Raises:
        InputError: it cannot be opened or breaks off, after what came before.
    """
    pending: list[Item] = []
    smalls: list[bytes] = []
    last = clock.monotonic()

    def noticed() -> Iterator[Features]:
        nonlocal last
        moments = perception.watch(one.value, 0, 0.0, how, 1, lambda frame: smalls.append(preview(frame)))
        for moment in moments:
            for item in items_of(moment, one):
                small = smalls[-1] if item.modality == "image" and smalls else b""
                smalls.clear()
                pending.append(replace(item, start=item.start + start, end=item.end + start, preview=small))
            yield moment
            if len(pending) >= BATCH or clock.monotonic() - last > EVERY:
                flush()
                last = clock.monotonic()

    def flush() -> None:
        add(pending[:])
        pending.clear()

    try:
        yield from steps.glimpses(noticed(), how.every, beams)
    finally:
        flush()
