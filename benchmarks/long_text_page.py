"""The page of long text: one table of what each way to read foretells and costs, and one of what a token costs late."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.long_text_results import Results
from benchmarks.long_text_ways import WAYS
from benchmarks.page import interval
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.types import InputError

OURS = "bank"
"""The way that the others are held against."""

HEAD = (
    "| reads | perplexity a token | a word | bits a byte | loss less than with the bank, nats a token "
    "| in the last quarter | million multiply-adds a token |",
    "|---|---:|---:|---:|---:|---:|---:|",
)
COST_HEAD = "| reads | tokens read | process ms a token | kilobytes known | bytes known a token read | process MB |"


def write_page(page: Path, results: Results) -> None:
    """Puts both tables into the page, each between its markers.

    Raises:
        InputError: the page lacks the markers, or nothing has been measured.
    """
    found = {name: results.of(name) for name in WAYS}
    if not any("perplexity" in each or "cost" in each for each in found.values()):
        raise InputError(f"{results.file}: nothing measured yet; run python -m benchmarks.long_text first")
    tables = {"perplexity": perplexities(found), "cost": costs(found)}
    replace_sections(page, {name: "\n".join(["", *lines, ""]) for name, lines in tables.items()})


def perplexities(found: dict[str, dict[str, Any]]) -> list[str]:
    """The first table."""
    lines, ours = list(HEAD), found[OURS].get("perplexity")
    for name, way in WAYS.items():
        if "perplexity" not in (here := found[name]):
            continue
        blocks, tokens = here["perplexity"]["blocks"], here["perplexity"]["tokens"]
        size = tokens / len(blocks)
        scores = [
            mean(blocks, [size] * len(blocks)),
            mean(blocks, [block["words"] for block in blocks]),
            mean(blocks, [math.log(2) * block["bytes"] for block in blocks]),
        ]
        lead = late = ""
        if ours is not None and name != OURS:
            last = max(block["number"] for block in blocks) * 3 / 4
            lead = interval(ahead(blocks, ours["blocks"], size, -1))
            late = interval(ahead(blocks, ours["blocks"], size, last))
        perplexity = [spread(Score(*map(math.exp, score))) for score in scores[:2]]
        million = f"{here['cost']['multiply_adds'] / 1e6:.2f}" if "cost" in here else ""
        lines.append(f"| {' | '.join([way.title, *perplexity, interval(scores[2]), lead, late, million])} |")
    return lines


def mean(blocks: Sequence[dict[str, Any]], units: Sequence[float]) -> Score:
    """The loss a unit, with its interval over blocks."""
    rows = np.column_stack([[block["loss"] for block in blocks], units])
    return bootstrap(rows, lambda sums: sums[:, :1] / sums[:, 1:])[0]


def ahead(blocks: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]], size: float, behind: float) -> Score:
    """How much more a way loses a token than ours, in the blocks behind a number of their stretch."""
    pairs = [
        (each["loss"] - own["loss"]) / size for each, own in zip(blocks, ours, strict=True) if each["number"] > behind
    ]
    return bootstrap(np.column_stack([pairs, np.ones(len(pairs))]), lambda sums: sums[:, :1] / sums[:, 1:])[0]


def spread(score: Score) -> str:
    """A perplexity with its interval."""
    return f"{score.value:.2f} ({score.low:.2f} to {score.high:.2f})"


def costs(found: dict[str, dict[str, Any]]) -> list[str]:
    """The second table, a row a way and mark."""
    lines = [COST_HEAD, "|---|---:|---:|---:|---:|---:|"]
    for name, way in WAYS.items():
        for mark in found[name].get("cost", {}).get("marks", []):
            known, read, process = mark["state"], mark["tokens"], mark["process"] / 2**20
            cells = [way.title, f"{read:,}", f"{mark['milliseconds']:.2f}", f"{known / 1024:,.0f}"]
            lines.append(f"| {' | '.join([*cells, f'{known / read:,.1f}', f'{process:,.0f}'])} |")
    return lines
