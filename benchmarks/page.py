"""The benchmark's page: a table between two markers, and a plot of quality against size and time."""

import re
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.evaluation.plots import figure_class
from mm_memgpt.types import InputError

TITLES = {
    "neighbour": "nearest neighbours' caption",
    "hf": "VisionEncoderDecoderModel, its own recipe",
    "hf-ours": "VisionEncoderDecoderModel, our recipe",
    "prefix": "plain prefix",
    "blind": "gates at zero (floor)",
    "teacher": "ours on the teacher's features (ceiling)",
    "ours": "ours",
    "shipped": "ours, as shipped",
}
"""Rows and how the page calls them, in its order."""

PICTURED = "CIDEr against parameters and against milliseconds a photo"
HEAD = (
    "| row | parameters (trained), M | CIDEr "
    "| shipped leads by | BLEU-4 | ROUGE-L | distinct | ms a photo | training, s |",
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
)


def write_page(page: Path, results: dict[str, Any]) -> None:
    """Puts the table of all rows that have test figures into the page, and the plot beside it, below images/.

    Raises:
        InputError: the page lacks the two markers, or no row has been scored on test.
        ImportError: matplotlib is not installed.
    """
    rows = first_seeds(results)
    if not rows:
        raise InputError(f"{page}: no row has test figures yet; run python -m benchmarks.captions --test first")
    image = page.parent / "images" / "captions_benchmark.png"
    table = [*HEAD, *(line(name, row, rows) for name, row in rows.items())]
    body = "\n".join(["", *table, "", *seeds(results), f"![{PICTURED}](images/{image.name})", ""])
    replace_sections(page, {"benchmark": body})
    image.parent.mkdir(exist_ok=True)
    plot(rows).savefig(image, dpi=120)


def runs(results: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """The runs of a row that have test figures, by seed; of a row without a seed, one run."""
    keys = [key for key in results if key == name or re.fullmatch(f"{re.escape(name)}-[0-9]+", key)]
    return {key.removeprefix(name).removeprefix("-"): results[key] for key in keys if "test" in results[key]}


def first_seeds(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each row's figures at its first seed, in the page's order."""
    return {name: found[min(found)] for name in TITLES if (found := runs(results, name))}


def lead(row: dict[str, Any], other: dict[str, Any]) -> Score:
    """Mean CIDEr by which one run is ahead of another on the same test photos, resampled photo by photo."""
    ahead = np.subtract(row["test"]["each"], other["test"]["each"])
    return bootstrap(np.column_stack([ahead, np.ones(len(ahead))]), lambda sums: sums[:, :1] / sums[:, 1:])[0]


def line(name: str, row: dict[str, Any], rows: dict[str, dict[str, Any]]) -> str:
    """A row of the table."""
    scores, million = row["test"], row["parameters"] / 1e6
    trained = f" ({row['trained'] / 1e6:.1f})" if row.get("trained") else ""
    cells = [
        TITLES[name] + (f" (k = {row['k']})" if "k" in row else ""),
        f"{million:.1f}{trained}",
        interval(scores["cider"]),
        interval(lead(rows["shipped"], row)) if name != "shipped" and "shipped" in rows else "",
        interval(scores["bleu_4"]),
        interval(scores["rouge_l"]),
        f"{scores['distinct_share']:.0%}",
        f"{row['milliseconds']:.0f}",
        f"{row['seconds']:,.0f}" if "seconds" in row else "see its card",
    ]
    return f"| {' | '.join(cells)} |"


def interval(score: list[float]) -> str:
    """A figure with its 95% interval."""
    value, low, high = score
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def seeds(results: dict[str, Any]) -> list[str]:
    """A line for each row with several seeds: CIDEr of each run, and their mean."""
    lines = []
    for name, title in TITLES.items():
        found = {seed: run["test"]["cider"][0] for seed, run in sorted(runs(results, name).items())}
        if len(found) > 1:
            each = ", ".join(f"{value:.3f} (seed {seed})" for seed, value in found.items())
            lines.append(f"- {title}: CIDEr {each}; mean {statistics.mean(found.values()):.3f}")
    return ["CIDEr of the rows that were run with several seeds:", "", *lines, ""] if lines else []


def plot(rows: dict[str, dict[str, Any]]) -> Any:
    """CIDEr with its interval against parameters, and against milliseconds a photo."""
    picture = figure_class()(figsize=(10, 4.8), layout="constrained")
    for axes, (measure, scale, label) in zip(
        picture.subplots(1, 2, sharey=True),
        (("parameters", 1e-6, "parameters, millions"), ("milliseconds", 1, "milliseconds a photo, one core")),
        strict=True,
    ):
        for number, (name, row) in enumerate(rows.items()):
            value, low, high = row["test"]["cider"]
            bars = [[max(0, value - low)], [max(0, high - value)]]
            shape = "*" if name in ("ours", "shipped") else "o"
            at = row[measure] * scale
            axes.errorbar(at, value, yerr=bars, fmt=shape, ms=8, capsize=3, color=f"C{number}", label=TITLES[name])
        axes.set(xlabel=label, ylim=(0, None))
        axes.grid(alpha=0.3)
    picture.axes[0].set_ylabel("CIDEr on test, 95% interval")
    handles, labels = picture.axes[0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    return picture
