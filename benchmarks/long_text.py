"""Long text through the memory: `python -m benchmarks.long_text`.

Five ways to read the same novels go on from the same language model, by the same recipe, with the same stretches: the
bank; the same without it; a longer sliding window, as long as costs as many multiply-adds; recurrent memory tokens,
likewise; and all that came before, at more. A sixth has the bank's head over the words of the window alone. Measured
are the perplexity of novels by other authors, and what a token costs when a thousand, or a million, have been read.
What is there already is not done again; the page is written from what is there.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.errors import tells_errors
from benchmarks.long_text_cost import cost
from benchmarks.long_text_page import OURS, write_page
from benchmarks.long_text_perplexity import perplexity
from benchmarks.long_text_results import Results
from benchmarks.long_text_ways import WAYS, Way
from mm_memgpt.models.long_text_files import read_reader
from mm_memgpt.training.long_text import train_file
from mm_memgpt.training.run import last_checkpoint


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Trains, measures and writes the page; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the project's data")
    parser.add_argument("--start", default="runs/books_base", help="language model that all go on from")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/long_text.yaml"), help="how they learn")
    parser.add_argument("--output", type=Path, default=Path("runs/long_text"), help="weights and figures")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_long_text.md"), help="page to write")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), help="which ways to read")
    parser.add_argument("--stretches", type=int, default=128, help="stretches that each learns from")
    parser.add_argument("--rows", type=int, default=12, help="stretches of novels that perplexity is taken over")
    parser.add_argument("--tokens", type=int, default=16384, help="tokens of each of these")
    parser.add_argument("--longest", type=int, default=1_000_000, help="tokens up to which the bank's cost is measured")
    parser.add_argument("--only", nargs="+", default=["train", "perplexity", "cost", "page"], help="steps to do")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    measure(given)
    return 0


def measure(arguments: argparse.Namespace) -> None:
    """All steps that are asked for and not done yet."""
    results = Results(arguments.output / "results.json")
    for step in ("train", "perplexity", "cost"):
        for name in arguments.ways if step in arguments.only else []:
            folder, way = arguments.output / name, WAYS[name]
            if step == "train":
                learn(arguments, folder, way)
            elif step not in results.of(name) and (folder / "model.safetensors").is_file():
                reader = read_reader(folder)
                if step == "perplexity":
                    results.keep(name, perplexity=perplexity(reader, arguments))
                else:
                    longest = arguments.longest if name == OURS else min(way.far, arguments.longest)
                    results.keep(name, cost=cost(reader, arguments, longest, way.whole))
    if "page" in arguments.only:
        write_page(arguments.page, results)


def learn(arguments: argparse.Namespace, folder: Path, way: Way) -> None:
    """Trains a way to read, or goes on where it was stopped."""
    if (folder / "report.json").is_file():
        return
    books = arguments.data / "text" / "books"
    settings = [f"start={arguments.start}", f"output={folder}", f"stretches={arguments.stretches}"]
    settings += [f"train={books / 'train.parquet'}", f"val={books / 'val.parquet'}"]
    settings += [f"reads.{key}={'null' if value is None else value}" for key, value in way.reads.items()]
    train_file(arguments.recipe, settings, resume=last_checkpoint(folder) is not None)


if __name__ == "__main__":
    raise SystemExit(main())
