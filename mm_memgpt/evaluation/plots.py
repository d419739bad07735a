"""Two pictures of a confidence: the reliability diagram, and the risk that is left when only the surest are kept."""

from pathlib import Path
from typing import Any

import numpy as np

from mm_memgpt.evaluation.confidence import bins, risk_coverage


def figure_class() -> type:
    """matplotlib's Figure. Raises ImportError naming the extra where it is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "mm-memgpt[plots]"') from error
    return Figure


def write_plots(folder: Path, confidence: np.ndarray, events: np.ndarray) -> list[Path]:
    """Writes reliability.png and risk_coverage.png into a folder, which is made where it is missing.

    Args:
        folder: where they go.
        confidence: (n,) 0 to 1.
        events: (n,) bool, True for a good caption.

    Raises:
        ImportError: matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        folder / "reliability.png": reliability(confidence, events),
        folder / "risk_coverage.png": risk(confidence, events),
    }
    for path, picture in pictures.items():
        picture.savefig(path, dpi=120)
    return list(pictures)


def reliability(confidence: np.ndarray, events: np.ndarray) -> Any:
    """How often captions are good in each bin against how sure the model is of them, with 95% bars of a share."""
    expected, found, size = bins(confidence, events).T
    middle = (found + 1.92 / size) / (1 + 3.84 / size)  # Wilson's interval (1927), z = 1.96
    half = 1.96 * np.sqrt(found * (1 - found) / size + 0.96 / size**2) / (1 + 3.84 / size)
    bars = np.clip([found - (middle - half), middle + half - found], 0, None)
    picture = figure_class()(figsize=(5, 4.5), layout="constrained")
    axes = picture.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="exactly calibrated")
    axes.errorbar(expected, found, yerr=bars, fmt="o-", capsize=3, label=f"{len(size)} bins of equal mass")
    axes.set(xlabel="confidence", ylabel="share of good captions", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")
    return picture


def risk(confidence: np.ndarray, events: np.ndarray) -> Any:
    """The share of captions that are not good among the surest, against how many are kept."""
    coverage, left = risk_coverage(confidence, events)
    _, perfect = risk_coverage(events.astype(float), events)
    picture = figure_class()(figsize=(5, 4.5), layout="constrained")
    axes = picture.subplots()
    axes.plot(coverage, left, label="kept by confidence")
    axes.axhline(1 - events.mean(), color="grey", linestyle=":", label="kept at random")
    axes.plot(coverage, perfect, color="grey", linestyle="--", label="kept by an oracle")
    axes.set(xlabel="coverage: share of photos captioned", ylabel="risk: share not good", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="lower right")
    return picture
