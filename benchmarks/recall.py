"""What is still found of a long stream in 64 slots, of what came just now and of what came once, long ago? One table.

    python -m benchmarks.recall               nano's keys of test photos and of sounds that it did not learn from
    python -m benchmarks.recall --write       the same, and the page's table and plot

Notable: a stream shows a few photos and kinds of sound again and again, scene by scene, never twice the same view, and
among them things that come once. A cue is a view that was not in the stream: the photo uncropped, another second of the
recording. It finds the slot whose key fits it best, and that is right where the slot holds the thing and, of the cues
for all that came, this one fits the slot best. Every memory sees the same streams.

b streams   n items   s slots   k key width   t things   v views
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bounded import MEMORIES, OURS, Held, Streams
from benchmarks.errors import tells_errors
from benchmarks.memory_page import put
from benchmarks.recall_streams import Pool, Stream, make, pool
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.plots import figure_class

ASKED = {"then": "then: came once, long ago", "now": "now: among the newest 16", "words": "then, photos, by a caption"}
PICTURED = "Recall by kind of memory, then and now, and then against how many things come once"


def right(held: Held, streams: Sequence[Stream]) -> dict[str, np.ndarray]:
    """Of each stream the share of things (b,) that are found, by what is asked."""
    found: dict[str, list[float]] = {name: [] for name in ASKED}
    for keys, shares, stream in zip(held.keys, held.shares, streams, strict=True):
        fits = stream.cues @ keys.T  # (t, s)
        told = fits.argmax(0)  # (s,)
        numbers = np.arange(len(fits))

        def recalled(slot: np.ndarray, told=told, shares=shares, numbers=numbers) -> np.ndarray:
            return (told[slot] == numbers) & (shares[slot, numbers] > 0)

        by_cue = recalled(fits.argmax(1))
        by_words = recalled((np.nan_to_num(stream.captions) @ keys.T).argmax(1))
        photos = stream.then & ~np.isnan(stream.captions[:, 0])
        found["then"].append(by_cue[stream.then].mean())
        found["now"].append(by_cue[stream.now].mean())
        found["words"].append(by_words[photos].mean())
    return {name: np.array(shares) for name, shares in found.items()}


def measure(pool: Pool, given: argparse.Namespace, rare: int, count: int) -> dict[str, dict[str, list[float]]]:
    """Of each memory, by what is asked, the share that is found of each stream."""
    made = [make(pool, given.items, rare, seed) for seed in range(count)]
    keys, modality, thing = (
        np.stack([getattr(stream, name) for stream in made]) for name in ("keys", "modality", "thing")
    )
    streams = Streams(keys, modality, thing, len(made[0].cues))
    return {
        name: {
            asked: shares.tolist() for asked, shares in right(memory(streams, given.slots, given.ring), made).items()
        }
        for name, memory in MEMORIES.items()
    }


def mean(shares: Sequence[float] | np.ndarray) -> Score:
    """Mean over streams, with its 95% interval."""
    return bootstrap(np.stack([shares, np.ones(len(shares))], axis=1), lambda sums: sums[:, :1] / sums[:, 1:])[0]


def interval(score: Score) -> str:
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def table(found: dict[str, dict[str, list[float]]]) -> list[str]:
    """The table, a row a memory; of each control also by how much ours is ahead of it, stream by stream."""
    head = ["memory", *(part for title in ASKED.values() for part in (title, "ours ahead by"))]
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for name, shares in found.items():
        cells = [name]
        for asked in ASKED:
            ahead = np.subtract(found[OURS][asked], shares[asked])
            cells += [interval(mean(shares[asked])), "" if name == OURS else interval(mean(ahead))]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def plot(found: dict[str, Any], swept: dict[int, dict[str, Any]]) -> Any:
    """Then and now of each memory, and then against how many things come once."""
    picture = figure_class()(figsize=(12, 4), layout="constrained")
    kinds, rare = picture.subplots(1, 2)
    for place, asked in enumerate(("then", "now")):
        scores = [mean(found[name][asked]) for name in found]
        bars = np.array([[score.value - score.low, score.high - score.value] for score in scores]).T
        heights = np.arange(len(scores)) + 0.3 * place - 0.15
        kinds.barh(heights, [score.value for score in scores], 0.28, xerr=np.clip(bars, 0, None), label=asked)
    kinds.set(yticks=range(len(found)), yticklabels=[name.replace(" (", "\n(") for name in found], xlabel="recall")
    kinds.invert_yaxis()
    kinds.legend()
    for name in found:
        rare.plot(list(swept), [mean(each[name]["then"]).value for each in swept.values()], "o-", label=name)
    rare.set(xscale="log", xlabel="things that come once", ylabel="recall, then", xticks=list(swept))
    rare.set_xticklabels(list(map(str, swept)))
    rare.minorticks_off()
    rare.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    return picture


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--model", default="nano", help="whose keys; nano, a folder, or a hub name; default: %(default)s"
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument(
        "--fold", type=int, default=4, help="of ESC-10, that training did not hear; default: %(default)s"
    )
    parser.add_argument("--streams", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--items", type=int, default=3000, help="of a stream; default: %(default)s")
    parser.add_argument("--slots", type=int, default=64, help="of every memory; default: %(default)s")
    parser.add_argument("--ring", type=int, default=8, help="of the slots, in our bank; default: %(default)s")
    parser.add_argument("--rare", type=int, default=24, help="things that come once, long ago; default: %(default)s")
    parser.add_argument("--sweep", type=int, nargs="*", default=[8, 16, 32, 64, 128], help="for the plot, as --rare")
    parser.add_argument("--sweep-streams", type=int, default=12, help="for the plot; default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("runs/recall"), help="keys and figures")
    parser.add_argument("--write", action="store_true", help="put table and plot into the page")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_memory.md"), help="default: %(default)s")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    known = pool(given)
    found = measure(known, given, given.rare, given.streams)
    print("\n".join(table(found)), flush=True)
    swept = {rare: measure(known, given, rare, given.sweep_streams) for rare in given.sweep}
    kept = {"found": found, "swept": swept}
    (given.output / "figures.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if given.write:
        put(given.page, "recall", table(found), plot(found, swept), PICTURED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
