"""Which image trunk, at which size: what it costs a photo, and what captions come of it.

    python -m benchmarks.trunks mobilenetv4_conv_small@160 lcnet_100@192     distils each briefly, and prints a table
    python -m benchmarks.trunks mobilenetv4_conv_small@160 --write           and trains a decoder on each, too

Notable: every trunk learns from as many crops, by `recipes/trunk.yaml`, from random weights; a run this short ranks how
fast trunks learn, not how good they end. The neighbours' caption needs no decoder, so it judges the trunk alone.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, set_seed

from benchmarks.bench import scored
from benchmarks.features import Part, TrunkFeatures, part
from benchmarks.learning import learn
from benchmarks.neighbours import CHOICES, Neighbours
from benchmarks.rows import STRIDE, Ours, Size, sentences
from mm_memgpt.config import ImageConfig
from mm_memgpt.datasets.base import read
from mm_memgpt.models.loading import SHIPPED
from mm_memgpt.presets import PRESETS
from mm_memgpt.training.run import train
from mm_memgpt.types import InputError

PRESET, SEED, TIMED = "nano", 2026, 40
HEAD = (
    "| trunk | side | parameters, M | ms a photo | of the teacher missed | neighbours' CIDEr | ours, CIDEr |",
    "|---|---:|---:|---:|---:|---:|---:|",
)


def measure(name: str, size: int, given: argparse.Namespace) -> dict[str, Any]:
    """A trunk's figures; what an earlier run has found is not found again.

    Raises:
        InputError: no such trunk, no data, or the folder holds a run of another length.
    """
    folder = given.output / f"{name}@{size}"
    file = folder / "trunk.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"epochs": given.epochs}
    if known["epochs"] != given.epochs:
        raise InputError(f"{file}: of {known['epochs']} epochs, not {given.epochs}; give --output another folder")

    def keep(**figures: Any) -> None:
        known.update(figures)
        file.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")

    weights, preset = folder / "trunk.safetensors", PRESETS[PRESET]().image
    if not weights.exists():
        changes = {"tower": name, "size": size, "output": folder, "data.root": given.data, "checkpoints": 1}
        changes |= {"optimiser.epochs": given.epochs, "optimiser.warmup": 0.1}
        figures = train(given.recipe, [f"{key}={value}" for key, value in changes.items()])
        keep(missed=figures["eval_loss"])
    config = replace(preset, trunk=name, size=size, grid=size // STRIDE)
    parts = [_part(config, weights, folder, split, given) for split in ("train", "val")]
    if "milliseconds" not in known:
        see = TrunkFeatures(config, weights)
        keep(milliseconds=milliseconds(see, size), parameters=see.parameters)
    if "neighbours" not in known:
        keep(neighbours=neighbours(*parts))
    if given.write and "ours" not in known:
        keep(ours=ours(*parts, folder / "log"))
    return known


def _part(config: ImageConfig, weights: Path, folder: Path, split: str, given: argparse.Namespace) -> Part:
    reader = read(given.data / "flickr8k" / f"{split}.parquet")
    return part(reader, len(reader), lambda: TrunkFeatures(config, weights), folder / split)


@torch.inference_mode()
def milliseconds(see: TrunkFeatures, size: int) -> float:
    """Median core time of the trunk alone on one photo."""
    pixels, taken = torch.randn(1, 3, size, size), []
    for _ in range(TIMED):
        before = time.process_time()
        see.trunk(pixels)
        taken.append(1000 * (time.process_time() - before))
    return statistics.median(taken[TIMED // 4 :])


def neighbours(known: Part, val: Part) -> dict[str, Any]:
    """Scores on validation of the caption that the nearest photos agree on, at the best number of them."""
    memory = Neighbours(known.views[0], known.captions)
    scores = {k: scored([memory.caption(map_, k) for map_ in val.views[0]], val.captions) for k in CHOICES}
    best = max(scores, key=lambda k: scores[k]["cider"].value)
    return scores[best] | {"k": best}


def ours(known: Part, val: Part, log: Path) -> dict[str, Any]:
    """Scores on validation of the package's decoder after one epoch on the cached maps."""
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / "nano", local_files_only=True)
    set_seed(SEED)
    model = Ours(Size(PRESET, tokenizer, *val.views[0].shape[1:3]))
    learn(model, known, tokenizer, 1, SEED, log)
    model.cpu().eval()
    return scored(sentences(model, tokenizer, val.views[0]), val.captions)


def line(name: str, size: int, row: dict[str, Any]) -> str:
    """A row of the table."""
    ciders = [row[way]["cider"] if way in row else None for way in ("neighbours", "ours")]
    cells = [name, str(size), f"{row['parameters'] / 1e6:.2f}", f"{row['milliseconds']:.1f}", f"{row['missed']:.2f}"]
    cells += [f"{each[0]:.3f} ({each[1]:.3f} to {each[2]:.3f})" if each else "" for each in ciders]
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("trunks", nargs="+", help="name@side in pixels, of timm or of another library (library/name)")
    parser.add_argument("--write", action="store_true", help="train a decoder on each trunk's maps for one epoch, too")
    parser.add_argument("--epochs", type=float, default=2, help="passes of the distillation")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/trunk.yaml"), help="of the distillation")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--output", type=Path, default=Path("runs/trunks"), help="weights, features and figures")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    try:
        for trunk in given.trunks:
            name, _, size = trunk.rpartition("@")
            if not name or not size.isdecimal() or int(size) % STRIDE:
                raise InputError(f"{trunk}: give a name, an @ and a multiple of {STRIDE} pixels, as in lcnet_100@192")
            rows.append(line(name, int(size), measure(name, int(size), given)))
    except (InputError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
    print("\n".join([*HEAD, *rows]))
    return 0 if len(rows) == len(given.trunks) else 1


if __name__ == "__main__":
    sys.exit(main())
