"""How fast does a persistent memory take items in and find the ten nearest, and are they the nearest? One table.

    python -m benchmarks.archive                       10,000, 100,000 and 1,000,000 rows, beside faiss and SQLite
    python -m benchmarks.archive --rows 10000          fewer
    python -m benchmarks.archive --write               the same, and the page's table and plot

Notable: keys are nano's, of sentences people wrote about photos; where there are more rows than sentences, a row is a
sentence's key with noise as large as what parts two sentences about one photo. Queries are keys of other sentences. All
memories are asked in turn, ten queries each. Ours returns whole items from disk, by way of `Archive.search`; faiss
returns numbers from memory; SQLite has a row a key, which numpy multiplies. Items have few tokens, to spare the disk.

n rows   k key width   q queries
"""

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from benchmarks.errors import tells_errors
from benchmarks.features import digest
from benchmarks.memory_page import put
from mm_memgpt.datasets.base import read
from mm_memgpt.evaluation.plots import figure_class
from mm_memgpt.memory.archive import Archive, Shape
from mm_memgpt.memory.item import Item, new_id
from mm_memgpt.models.loading import find
from mm_memgpt.pipeline import load

TOP = 10
BATCH = 10_000
"""Rows that are added at a time."""

TURN = 10
"""Queries that a memory is asked before the next one's turn."""

SENTENCES = 256
"""Sentences whose keys are made at a time."""

SHAPE = {"tokens": 1, "width": 8}
"""Tokens of an item, far fewer than nano's."""

HEAD = (
    "| rows | memory | µs a row to add | s to build | core ms a query (95 of 100 below) | clock ms (95 of 100 below) "
    "| recall@10 | MB on disk |",
    "|---:|---|---:|---:|---:|---:|---:|---:|",
)
PICTURED = "Core milliseconds a query against rows, by memory"


class Ours:
    """The archive of a persistent memory."""

    title, queries = "ours (LanceDB, on disk)", None

    def __init__(self, folder: Path, width: int) -> None:
        self.folder = folder / "archive"
        shape = Shape(**SHAPE, key_width=width)
        self.archive = Archive.open(self.folder, shape=shape, fingerprint="benchmark", create=True)
        self.tokens = np.zeros((SHAPE["tokens"], SHAPE["width"]), np.float16)
        self.mask = np.ones(SHAPE["tokens"], bool)

    def add(self, keys: np.ndarray) -> None:
        self.archive.add(
            Item(
                id=new_id(), source="benchmark", modality="text", start=0.0, end=0.0, created=0.0,
                key=key, tokens=self.tokens, mask=self.mask,
            )
            for key in keys.astype(np.float16)
        )  # fmt: skip

    def build(self) -> None:
        self.archive.optimize()

    def search(self, key: np.ndarray) -> list[int]:
        return [found.order for found in self.archive.search(key=key, k=TOP)]

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


class Flat:
    """faiss, which compares with every key."""

    title, queries = "faiss flat, in memory", None

    def __init__(self, folder: Path, width: int) -> None:
        self.index = faiss().IndexFlatIP(width)

    def add(self, keys: np.ndarray) -> None:
        self.index.add(keys)

    def build(self) -> None:
        pass

    def search(self, key: np.ndarray) -> list[int]:
        return self.index.search(key[None], TOP)[1][0].tolist()

    def size(self) -> int:
        return 0


class Graph(Flat):
    """faiss, by its graph of neighbours, which is built while rows are added."""

    title = "faiss HNSW (M = 16, ef = 64), in memory"

    def __init__(self, folder: Path, width: int) -> None:
        self.index = faiss().IndexHNSWFlat(width, 16, faiss().METRIC_INNER_PRODUCT)
        self.index.hnsw.efSearch = 64


class Blobs:
    """A table of SQLite; each query reads all keys of it."""

    title, queries = "SQLite and numpy, on disk", 10

    def __init__(self, folder: Path, width: int) -> None:
        self.file, self.width = folder / "keys.sqlite", width
        self.table = sqlite3.connect(self.file)
        self.table.execute("CREATE TABLE items (place INTEGER PRIMARY KEY, key BLOB NOT NULL)")

    def add(self, keys: np.ndarray) -> None:
        with self.table:
            self.table.executemany("INSERT INTO items (key) VALUES (?)", ((key.tobytes(),) for key in keys))

    def build(self) -> None:
        pass

    def search(self, key: np.ndarray) -> list[int]:
        rows = self.table.execute("SELECT key FROM items ORDER BY place").fetchall()
        keys = np.frombuffer(b"".join(row for (row,) in rows), np.float32).reshape(-1, self.width)
        return best(keys @ key).tolist()

    def size(self) -> int:
        return self.file.stat().st_size


MEMORIES = {"ours": Ours, "flat": Flat, "graph": Graph, "sqlite": Blobs}


def faiss() -> ModuleType:
    """The library, on one core. Raises ImportError naming what to install where it is missing."""
    try:
        import faiss
    except ImportError as error:
        raise ImportError("the comparison needs faiss: pip install faiss-cpu") from error
    faiss.omp_set_num_threads(1)
    return faiss


def best(scores: np.ndarray) -> np.ndarray:
    """The places of the TOP highest of (n,) scores, the best first."""
    top = np.argpartition(-scores, TOP)[:TOP] if len(scores) > TOP else np.arange(len(scores))
    return top[np.argsort(-scores[top], kind="stable")]


def sentence_keys(given: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Keys (n, k) of sentences of training photos, five a photo in a row, and (q, k) of others to ask for."""
    name = f"{digest(find(given.model) / 'model.safetensors')}-{given.sentences}-{given.queries}.npz"
    file = given.output / name
    if not file.exists():
        model, made = load(given.model, "cpu"), []
        for part, count in (("train", given.sentences), ("val", given.queries)):
            texts = read(given.data / "text" / "flickr30k_captions" / f"{part}.parquet").texts()
            sentences = [text for text, _ in zip(texts, range(count), strict=False)]
            groups = [sentences[start : start + SENTENCES] for start in range(0, len(sentences), SENTENCES)]
            made.append(np.concatenate([model.text_keys(group).float().numpy() for group in groups]))
        given.output.mkdir(parents=True, exist_ok=True)
        np.savez(file, rows=made[0], queries=made[1])
    with np.load(file) as kept:
        return kept["rows"], kept["queries"]


def rows(keys: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """So many keys (at most BATCH, k), the given ones first and then noisy copies of them, unit length."""
    chance = np.random.default_rng(0)
    apart = np.linalg.norm(keys[0:-1:5] - keys[1::5][: len(keys[0:-1:5])], axis=1)
    spread = np.median(apart) / np.sqrt(keys.shape[1])
    for start in range(0, count, BATCH):
        places = np.arange(start, min(start + BATCH, count))
        batch = keys[places % len(keys)].copy()
        noisy = places >= len(keys)
        batch[noisy] += spread * chance.normal(size=(noisy.sum(), keys.shape[1]))
        batch = batch / np.linalg.norm(batch, axis=1, keepdims=True)
        yield batch.astype(np.float16).astype(np.float32)  # as the archive keeps them, for all alike


def measure(keys: np.ndarray, queries: np.ndarray, count: int, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of each memory what it costs to add so many rows, and to find the nearest to each query."""
    with tempfile.TemporaryDirectory() as folder:
        memories = {name: MEMORIES[name](Path(folder), keys.shape[1]) for name in names}
        found = {name: {"title": each.title} for name, each in memories.items()}
        for name, memory in memories.items():
            began = time.process_time()
            for batch in rows(keys, count):
                memory.add(batch)
            added = time.process_time()
            memory.build()
            found[name] |= {"add": (added - began) / count, "build": time.process_time() - added}
            found[name]["bytes"] = memory.size()
        whole = np.concatenate(list(rows(keys, count)))
        nearest = [best(whole @ query) for query in queries]
        for name, each in ask(memories, queries, nearest).items():
            found[name] |= each
        return found


def ask(memories: dict[str, Any], queries: np.ndarray, nearest: Sequence[np.ndarray]) -> dict[str, dict[str, Any]]:
    """Seconds of each query, of a core and on the clock, and the shares of the true nearest that are found."""
    found: dict[str, dict[str, list[float]]] = {name: {"core": [], "clock": [], "recall": []} for name in memories}
    for memory in memories.values():
        memory.search(queries[0])  # what is opened once is no query's cost
    asked = list(zip(queries, nearest, strict=True))
    for start in range(0, len(asked), TURN):
        for name, memory in memories.items():
            for query, true in asked[start : start + TURN] if start < (memory.queries or len(asked)) else ():
                clock, core = time.perf_counter(), time.process_time()
                places = memory.search(query)
                found[name]["core"].append(time.process_time() - core)
                found[name]["clock"].append(time.perf_counter() - clock)
                found[name]["recall"].append(len(set(places) & set(true.tolist())) / len(true))
    return found


def line(count: int, found: dict[str, Any]) -> str:
    """A row of the table."""
    core, clock = (
        f"{1e3 * np.median(found[name]):.1f} ({1e3 * np.percentile(found[name], 95):.1f})" for name in ("core", "clock")
    )
    cells = [f"{count:,}", found["title"], f"{1e6 * found['add']:.0f}", f"{found['build']:.1f}", core, clock]
    cells += [f"{np.mean(found['recall']):.3f}", f"{found['bytes'] / 1e6:,.0f}" if found["bytes"] else ""]
    return f"| {' | '.join(cells)} |"


def plot(results: dict[int, dict[str, Any]]) -> Any:
    """Core time of a query against rows, both axes logarithmic."""
    picture = figure_class()(figsize=(6, 4), layout="constrained")
    axes = picture.subplots()
    for name in next(iter(results.values())):
        costs = [1e3 * np.median(found[name]["core"]) for found in results.values()]
        axes.plot(list(results), costs, "o-", label=next(iter(results.values()))[name]["title"])
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="core milliseconds a query")
    axes.legend(fontsize="small")
    return picture


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="nano", help="whose keys: nano, a folder, or a hub name")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000], help="default: 3 sizes")
    parser.add_argument("--sentences", type=int, default=10_000, help="whose keys are made; default: %(default)s")
    parser.add_argument("--queries", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--memories", nargs="+", choices=MEMORIES, default=list(MEMORIES), help="default: all")
    parser.add_argument("--output", type=Path, default=Path("runs/archive"), help="keys and figures")
    parser.add_argument("--write", action="store_true", help="put table and plot into the page")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_memory.md"), help="default: %(default)s")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    keys, queries = sentence_keys(given)
    results, lines = {}, list(HEAD)
    for count in given.rows:
        results[count] = measure(keys, queries, count, given.memories)
        lines += [line(count, found) for found in results[count].values()]
        print("\n".join(lines if len(results) == 1 else lines[-len(given.memories) :]), flush=True)
    (given.output / "figures.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.write:
        put(given.page, "archive", lines, plot(results), PICTURED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
