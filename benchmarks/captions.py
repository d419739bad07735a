"""Which way of captioning is best on the same data, features and budget: one table and one plot.

    python -m benchmarks.captions                                     trains every row, scores it on validation
    python -m benchmarks.captions --rows best --seeds 2027 2028       two more seeds for the two that came first there
    python -m benchmarks.captions --seeds 2026 2027 2028 --test       scores all that is trained on test, once
    python -m benchmarks.captions --write                             writes page and plot

Notable: what is done is kept and never done again, so rows can be run one by one and a killed run goes on; test is read
only with --test, and once for each row, seed and file of weights; times are a core's own, so other work on the machine
hardly changes them.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from safetensors.torch import load_model, save_model
from torch import nn
from transformers import set_seed

from benchmarks.bench import Bench, scored
from benchmarks.errors import tells_errors
from benchmarks.features import digest
from benchmarks.learning import learn, learn_stock
from benchmarks.neighbours import CHOICES, Neighbours
from benchmarks.page import write_page
from benchmarks.rows import Blind, HuggingFace, Ours, Prefix, Size, count_parameters, sentences
from mm_memgpt.models.loading import SHIPPED
from mm_memgpt.pipeline import load
from mm_memgpt.types import InputError


class Learned(NamedTuple):
    """A row that has to be trained."""

    build: Callable[[Size], nn.Module]
    learn: Callable[..., None] = learn
    features: str = "trunk"


class Writer(NamedTuple):
    """A row ready to write."""

    facts: dict[str, Any]
    """What the table says of it beside its scores."""
    split: Callable[[str], Sequence[str]]
    """A sentence about each photo of a split."""
    photo: Callable[[Image.Image], Any]
    """The whole way from one photo to its sentence."""


LEARNED = {
    "hf": Learned(HuggingFace, learn_stock),
    "hf-ours": Learned(HuggingFace),
    "prefix": Learned(Prefix),
    "blind": Learned(Blind),
    "teacher": Learned(Ours, features="teacher"),
    "ours": Learned(Ours),
}
ROWS = ("neighbour", *LEARNED, "shipped")
RIVALS = ("hf", "hf-ours", "prefix", "ours")
"""Learned rows of the same features that see the photo: the best two of them, by validation, get three seeds."""

SEED = 2026
TIMED = 24
"""Photos whose milliseconds are taken, the first two not counted."""
BATCH = 16


def neighbour(bench: Bench) -> Writer:
    """The nearest photos' caption; how many photos is chosen on validation."""
    see, known, val = bench.features("trunk"), bench.part("trunk", "train"), bench.part("trunk", "val")
    before = time.process_time()
    memory = Neighbours(known.views[0], known.captions)
    seconds = time.process_time() - before

    def write(split: str, k: int) -> list[str]:
        return [memory.caption(map_, k) for map_ in bench.part("trunk", split).views[0]]

    k = bench.results.get("neighbour", {}).get("k")
    if k is None:
        k = max(CHOICES, key=lambda k: scored(write("val", k), val.captions)["cider"].value)
    facts = {"k": k, "trained": 0, "parameters": see.parameters, "seconds": seconds}
    return Writer(facts, lambda split: write(split, k), lambda photo: memory.caption(see([photo])[0].numpy(), k))


def learned(bench: Bench, name: str, seed: int, train: bool) -> Writer | None:
    """A row's model with the weights of an earlier run, or trained now; None where it is neither."""
    row, weights = LEARNED[name], bench.folder / f"{name}-{seed}.safetensors"
    facts = bench.results.get(f"{name}-{seed}", {})
    if not weights.exists() and not train:
        return None
    see, val = bench.features(row.features), bench.part(row.features, "val")
    set_seed(seed)
    model = row.build(bench.size(val.views[0]))
    if weights.exists():
        try:
            load_model(model, weights)
        except RuntimeError as error:
            raise InputError(
                f"{weights}: of another shape than the row has now; give --output another folder"
            ) from error
    else:
        known, before = bench.part(row.features, "train"), time.process_time()
        row.learn(model, known, bench.tokenizer, bench.arguments.epochs, seed, bench.folder / "log")
        seconds = time.process_time() - before
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        whole = count_parameters(model) + see.parameters
        bench.keep(f"{name}-{seed}", trained=trained, parameters=whole, seconds=seconds)
        facts = bench.results[f"{name}-{seed}"]
        save_model(model, str(weights))
    model.cpu().eval()  # it may have learned on a GPU; the time of writing is a core's

    def write_split(split: str) -> list[str]:
        return sentences(model, bench.tokenizer, bench.part(row.features, split).views[0])

    return Writer(facts, write_split, lambda photo: sentences(model, bench.tokenizer, see([photo]).numpy()))


def shipped(bench: Bench) -> Writer:
    """The model in the package, as a user has it: another budget, another recipe."""
    weights = " ".join(digest(bench.arguments.model / name) for name in ("model.safetensors", "config.json"))
    if bench.results.get("shipped", {}).get("weights") != weights:
        bench.forget("shipped")
    pipeline = load(str(bench.arguments.model), device="cpu")
    parameters = count_parameters(pipeline.model)

    def write_split(split: str) -> list[str]:
        written = pipeline.caption_each((sample.image for sample in bench.samples(split)), batch=BATCH)
        return [caption.text for _, caption in written]

    return Writer({"weights": weights, "parameters": parameters}, write_split, pipeline.caption)


def measure(bench: Bench, name: str, seed: int, test: bool) -> None:
    """Validation figures of a row, or with `test` its test figures, where they are not yet known."""
    key = f"{name}-{seed}" if name in LEARNED else name
    if name != "shipped" and ("test" if test else "val") in bench.results.get(key, {}):
        return
    if name in LEARNED:
        writer = learned(bench, name, seed, train=not test)
    else:
        writer = {"neighbour": neighbour, "shipped": shipped}[name](bench)
    if writer is None:
        return
    for split in ("val", "test") if test else ("val",):
        if split not in bench.results.get(key, {}):
            bench.keep(key, **writer.facts, **{split: scored(writer.split(split), bench.part("trunk", split).captions)})
    if "milliseconds" not in bench.results[key]:
        bench.keep(key, milliseconds=milliseconds(writer, bench))


def milliseconds(writer: Writer, bench: Bench) -> float:
    """Median time of one core from an opened photo to its sentence."""
    taken = []
    for sample in islice(bench.samples("val"), TIMED + 2):
        before = time.process_time()
        writer.photo(sample.image)
        taken.append(1000 * (time.process_time() - before))
    return statistics.median(taken[2:] or taken)


def best(bench: Bench, count: int = 2) -> list[str]:
    """The rivals with the highest CIDEr on validation."""
    known = {name: bench.results.get(f"{name}-{SEED}", {}).get("val") for name in RIVALS}
    if missing := [name for name, val in known.items() if val is None]:
        raise InputError(f"{bench.file}: no validation figures of {', '.join(missing)}; run --rows {' '.join(missing)}")
    return sorted(RIVALS, key=lambda name: -known[name]["cider"][0])[:count]


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", nargs="+", choices=[*ROWS, "all", "best"], default=["all"], help="what to run")
    parser.add_argument("--seeds", nargs="+", type=int, default=[SEED], help="one run each")
    parser.add_argument("--test", action="store_true", help="score what is trained on test")
    parser.add_argument("--write", action="store_true", help="write the page and the plot")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--trunk", type=Path, default=Path("runs/trunk/trunk.safetensors"), help="its weights")
    parser.add_argument("--tokenizer", type=Path, default=SHIPPED / "nano", help="folder of the tokenizer")
    parser.add_argument("--model", type=Path, default=SHIPPED / "nano", help="folder of the shipped model")
    parser.add_argument("--preset", default="nano", help="shape of the models")
    parser.add_argument("--epochs", type=float, default=3, help="passes over the train photos")
    parser.add_argument("--limit", type=int, help="only the first photos of each part, to try it")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmark"), help="features, weights and figures")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"), help="the page to write")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    bench = Bench(given)
    if given.write:
        write_page(given.page, bench.results)
        return 0
    rows = ROWS if "all" in given.rows else best(bench) if "best" in given.rows else given.rows
    for name in rows:
        for seed in given.seeds if name in LEARNED else [SEED]:
            measure(bench, name, seed, given.test)
    return 0


if __name__ == "__main__":
    sys.exit(main())
