"""Does an item cost the same after 100,000 as after 100, and does the memory stay as large? One table and one plot.

    python -m benchmarks.stream                   the bank of nano, and what a list of all items and a FIFO cost
    python -m benchmarks.stream --write           the same, and the page's table and plot
    python -m benchmarks.stream --items 100 1000  a shorter stream

Notable: states are kept as they were at item 100, 1,000, ... and go on from there in short windows that take turns, so
that what else the machine does hits all of them alike; time is core time; each memory has a process of its own, whose
resident memory is read from Linux. The bank of 64 slots is full at each of these items, the first included.

p tokens per item   d width   k key width   w windows   c checkpoints
"""

import argparse
import gc
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.errors import tells_errors
from benchmarks.memory_page import put
from mm_memgpt.evaluation.plots import figure_class
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.types import MODALITIES, Features, MemoryState

BLOCK = 100
"""Items that are written at once between the checkpoints, where nothing is timed."""

THINGS = 200
"""Directions that the keys of the stream scatter about, so that it recurs."""

Coming = Callable[[int], Features]
"""Gives the next so many items (1, n, p, d) of a stream."""

Step = Callable[[Any, Features], Any]
"""What is done with an item, from state to state."""

PICTURED = "Core milliseconds an item and megabytes resident against items that came before"


class Kept(NamedTuple):
    """All items of a stream, as the archive would hold them: what the list keeps."""

    tokens: list[Tensor]
    """(p, d) fp16 each."""
    keys: Tensor
    """(capacity, k), of which the first len(tokens) are real."""


class Newest(NamedTuple):
    """The newest items of a stream: what a FIFO keeps."""

    tokens: Tensor
    """(s, p, d)."""
    keys: Tensor
    """(s, k)."""
    count: int
    """Items that have come."""


class Bank:
    """Our bank."""

    def __init__(self, model: Pipeline) -> None:
        self.bank, self.model = model.bank, model.model
        self.steps = {f"ours, {self.bank.capacity} slots": self.find, "ours, all of it fused and read": self.read}

    def empty(self) -> MemoryState:
        return self.bank.empty()

    def write(self, state: MemoryState, items: Features) -> MemoryState:
        return self.bank.write(state, items)

    def find(self, state: MemoryState, item: Features) -> MemoryState:
        """Writes an item, and finds the slot whose key fits it best."""
        state = self.bank.write(state, item)
        (self.bank.keys(state)[0] @ item.key[0, 0]).argmax().item()
        return state

    def read(self, state: MemoryState, item: Features) -> MemoryState:
        """Writes an item, and reads all that is held, as before a sentence is written."""
        state = self.bank.write(state, item)
        self.model.project_memory(*self.model.read(state))
        return state

    def copy(self, state: MemoryState) -> MemoryState:
        return state

    def size(self, state: MemoryState) -> int:
        return sum(tensor.nbytes for tensor in state)


class Fifo:
    """As many slots as the bank has; the newest item takes the place of the oldest."""

    def __init__(self, model: Pipeline) -> None:
        self.sizes = model.bank.geometry
        self.steps = {f"FIFO, {self.sizes.slots} slots": self.find}

    def empty(self) -> Newest:
        sizes = self.sizes
        return Newest(torch.zeros(sizes.slots, sizes.tokens, sizes.width), torch.zeros(sizes.slots, sizes.key_width), 0)

    def write(self, state: Newest, items: Features) -> Newest:
        for tokens, key in zip(items.tokens[0], items.key[0], strict=True):
            place = state.count % len(state.keys)
            state.tokens[place], state.keys[place] = tokens, key
            state = state._replace(count=state.count + 1)
        return state

    def find(self, state: Newest, item: Features) -> Newest:
        state = self.write(state, item)
        (state.keys @ item.key[0, 0]).argmax().item()
        return state

    def copy(self, state: Newest) -> Newest:
        return Newest(state.tokens.clone(), state.keys.clone(), state.count)

    def size(self, state: Newest) -> int:
        return state.tokens.nbytes + state.keys.nbytes


class Everything:
    """A list of all items, and all their keys to search in."""

    def __init__(self, model: Pipeline) -> None:
        self.sizes = model.bank.geometry
        self.steps = {"a list of all items": self.find}

    def empty(self) -> Kept:
        return Kept([], torch.zeros(self.sizes.slots, self.sizes.key_width))

    def write(self, state: Kept, items: Features) -> Kept:
        for tokens, key in zip(items.tokens[0].half(), items.key[0], strict=True):
            count = len(state.tokens)
            if count == len(state.keys):
                state = state._replace(keys=torch.cat([state.keys, torch.zeros_like(state.keys)]))
            state.tokens.append(tokens.clone())
            state.keys[count] = key
        return state

    def find(self, state: Kept, item: Features) -> Kept:
        state = self.write(state, item)
        (state.keys[: len(state.tokens)] @ item.key[0, 0]).argmax().item()
        return state

    def copy(self, state: Kept) -> Kept:
        return Kept(list(state.tokens), state.keys.clone())

    def size(self, state: Kept) -> int:
        return sum(tokens.nbytes for tokens in state.tokens) + state.keys.nbytes


KINDS = {"ours": Bank, "fifo": Fifo, "everything": Everything}


def stream(bank: MemoryBank, seed: int = 0) -> Coming:
    """An endless stream of recurring things."""
    sizes, chance, clock = bank.geometry, torch.Generator().manual_seed(seed), 0
    things = torch.randn(THINGS, sizes.key_width, generator=chance)

    def items(count: int) -> Features:
        nonlocal clock
        which = torch.randint(THINGS, (count,), generator=chance)
        noise = torch.randn(count, sizes.key_width, generator=chance)
        seconds = torch.arange(clock, clock + count, dtype=torch.float64)
        clock += count
        return Features(
            tokens=torch.randn(1, count, sizes.tokens, sizes.width, generator=chance),
            mask=torch.ones(1, count, sizes.tokens, dtype=torch.bool),
            key=normalize(things[which] + noise / 2, dim=-1).unsqueeze(0),
            time=torch.stack([seconds, seconds + 1], dim=-1).unsqueeze(0),
            modality=(which % len(MODALITIES)).unsqueeze(0),
            source=which.unsqueeze(0),
        )

    return items


def resident() -> int:
    """What this process has resident, in bytes."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) * 1024


def measure(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Of one memory by title core milliseconds an item (w, c), and at each checkpoint the bytes of the state, and of
    what is resident more than before the stream."""
    torch.set_num_threads(1)
    model = load(given.model, "cpu")
    with torch.inference_mode():
        memory, items = KINDS[name](model), stream(model.bank)
        memory.write(memory.empty(), items(BLOCK))  # what is allocated once is not growth
        state, seen, states, before = memory.empty(), 0, [], resident()
        found: dict[str, Any] = {"grown": [], "bytes": [], "milliseconds": {}}
        for checkpoint in given.items:
            while seen < checkpoint:
                count = min(BLOCK, checkpoint - seen)
                state, seen = memory.write(state, items(count)), seen + count
            found["grown"].append(resident() - before)
            found["bytes"].append(memory.size(state))
            states.append(memory.copy(state))
        for title, step in memory.steps.items():
            found["milliseconds"][title] = windows(memory, step, states, items, given).tolist()
    return found


def windows(memory: Any, step: Step, states: Sequence[Any], items: Coming, given: argparse.Namespace) -> np.ndarray:
    """Core milliseconds an item (w, c): in a window each state goes on from where it was kept; one more warms up."""
    spent = np.zeros((given.windows + 1, len(states)))
    for window in range(len(spent)):
        coming = [items(1) for _ in range(given.steps)]
        for place in np.roll(np.arange(len(states)), window):
            state = memory.copy(states[place])
            began = time.process_time()
            for item in coming:
                state = step(state, item)
            spent[window, place] = time.process_time() - began
    return 1e3 * spent[1:] / given.steps


def ratio(milliseconds: np.ndarray) -> tuple[float, float, float]:
    """The median over windows of the last checkpoint's cost over the first's, and its 95% bootstrap interval."""
    ratios = milliseconds[:, -1] / milliseconds[:, 0]
    draws = np.random.default_rng(0).choice(ratios, (1000, len(ratios)))
    return (float(np.median(ratios)), *map(float, np.percentile(np.median(draws, axis=1), [2.5, 97.5])))


def table(found: dict[str, dict[str, Any]], items: Sequence[int]) -> list[str]:
    """The table, a row a memory and what is done with it."""
    head = ["memory", *(f"ms at {count:,}" for count in items), "last over first"]
    head += [*(f"MB at {count:,}" for count in items), "of them state"]
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for each in found.values():
        first, last = (f"{each['bytes'][place] / 1e6:,.1f}" for place in (0, -1))
        grown = [f"{grown / 1e6:,.0f}" for grown in each["grown"]]
        for title, windows in each["milliseconds"].items():
            costs = [f"{cost:.2f}" for cost in np.median(windows, axis=0)]
            value, low, high = ratio(np.array(windows))
            state = first if each["bytes"][0] == each["bytes"][-1] else f"{first} to {last}"
            cells = [title, *costs, f"{value:.2f} ({low:.2f} to {high:.2f})", *grown, state]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def plot(found: dict[str, dict[str, Any]], items: Sequence[int]) -> Any:
    """Cost and resident memory against items, both axes logarithmic."""
    picture = figure_class()(figsize=(9, 3.8), layout="constrained")
    cost, size = picture.subplots(1, 2)
    for each in found.values():
        for place, (title, windows) in enumerate(each["milliseconds"].items()):
            [drawn] = cost.plot(items, np.median(windows, axis=0), "o-" if place == 0 else "s--", label=title)
            if place == 0:
                size.plot(items, [max(grown / 1e6, 1) for grown in each["grown"]], "o-", color=drawn.get_color())
    cost.set(xscale="log", yscale="log", xlabel="items before", ylabel="core milliseconds an item")
    size.set(xscale="log", yscale="log", xlabel="items before", ylabel="MB resident more than before (1 at least)")
    cost.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(0, 0.72))
    return picture


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--model", default="nano", help="whose bank; nano, a folder, or a hub name; default: %(default)s"
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="default: all")
    parser.add_argument("--items", nargs="+", type=int, default=[100, 1_000, 10_000, 100_000], help="checkpoints")
    parser.add_argument("--windows", type=int, default=60, help="turns of each checkpoint; default: %(default)s")
    parser.add_argument("--steps", type=int, default=10, help="items of a window; default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("runs/stream.json"), help="where the figures go, too")
    parser.add_argument("--write", action="store_true", help="put table and plot into the page")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_memory.md"), help="default: %(default)s")
    given = parser.parse_args(arguments)
    found = {}
    for name in given.kinds:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
            found[name] = apart.submit(measure, name, given).result()
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    lines = table(found, given.items)
    print("\n".join(lines))
    if given.write:
        put(given.page, "stream", lines, plot(found, given.items), PICTURED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
