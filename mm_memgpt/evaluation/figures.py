"""Two pictures of a classifier: the confusion matrix, and precision, recall and F1 of each class (as a CSV file too).

Notable: a class may be called anything: names are cut to fit, are never read as formulas, and are drawn in whichever
installed fonts have their letters; a name that none has is drawn as its number (from 0), in the order of per_class.csv.
Past NAMED classes the axes carry numbers alone.

k classes
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mm_memgpt.evaluation.classification import ClassFigures
from mm_memgpt.evaluation.plots import figure_class
from mm_memgpt.evaluation.tables import shortened

COUNTED = 20
"""Classes up to which each cell of the confusion matrix has its count written in it."""

NAMED = 150
"""Classes up to which they are named."""

FAMILY = "DejaVu Sans"
"""Comes with matplotlib; Latin, Greek, Cyrillic, Arabic and more."""

MARKS = {"precision": "<", "recall": ">", "f1": "o"}


def write_confusion(folder: Path, matrix: np.ndarray, labels: Sequence[str]) -> Path:
    """Writes confusion_matrix.png of counts (k, k), rows the truth, into a folder, which is made where it is missing.

    Colours are shares of the row, so that a rare class is seen as well as a frequent one.

    Raises:
        ValueError: the matrix is not of as many classes as there are labels, or of none.
        ImportError: matplotlib is not installed.
    """
    k = len(labels)
    if matrix.shape != (k, k) or k == 0:
        raise ValueError(f"a matrix of shape {matrix.shape} for {k} labels: it must be ({k}, {k}), of at least one")
    side = float(np.clip(3 + 0.16 * k, 5, 27))
    picture = figure_class()(figsize=(side + 1, side), layout="constrained")
    axes = picture.subplots()
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    bar = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    picture.colorbar(bar, ax=axes, fraction=0.046, pad=0.02, label="share of the true class")
    axes.set(xlabel="predicted", ylabel="true")
    _name(axes.xaxis, labels)
    _name(axes.yaxis, labels)
    axes.tick_params(axis="x", labelrotation=90)
    if k <= COUNTED:
        for (row, column), count in np.ndenumerate(matrix):
            shade = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count:d}", ha="center", va="center", color=shade, fontsize=10 - k / 5)
    return _saved(picture, folder / "confusion_matrix.png")


def write_per_class(folder: Path, table: Mapping[str, ClassFigures]) -> list[Path]:
    """Writes per_class.png and per_class.csv of each class, or type of entity, into a folder.

    Raises:
        ValueError: no class.
        ImportError: matplotlib is not installed.
    """
    if not table:
        raise ValueError("no classes to show: give at least one")
    picture = figure_class()(figsize=(7, float(np.clip(1.2 + 0.22 * len(table), 2.5, 40))), layout="constrained")
    axes = picture.subplots()
    for name, mark in MARKS.items():
        axes.plot([figures[name] for figures in table.values()], range(len(table)), mark, label=name, alpha=0.7)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(table) - 0.5, -0.5))  # the first on top
    axes.grid(alpha=0.3)
    _name(axes.yaxis, list(table))
    picture.legend(loc="outside upper center", ncols=len(MARKS), frameon=False)
    path = _saved(picture, folder / "per_class.png")
    with (folder / "per_class.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", *MARKS, "support"])
        writer.writerows([label, *(figures[name] for name in (*MARKS, "support"))] for label, figures in table.items())
    return [path, folder / "per_class.csv"]


def families(text: str) -> tuple[list[str], set[str]]:
    """Font families that together draw the text, FAMILY first, and the letters that no installed font has."""
    from matplotlib.font_manager import findfont, fontManager
    from matplotlib.ft2font import FT2Font

    def lacking(file: str, letters: set[str]) -> set[str]:
        font = FT2Font(file)
        return {letter for letter in letters if not font.get_char_index(ord(letter))}

    found, missing = [FAMILY], lacking(findfont(FAMILY), set(text))
    for font in fontManager.ttflist:
        plain = font.weight in (400, "normal") and font.style == font.stretch == "normal"  # what a family draws with
        if not missing or not plain or font.name.startswith("Last Resort"):  # which has a box for everything
            continue
        try:
            left = lacking(font.fname, missing)
        except (OSError, RuntimeError):  # removed or broken since matplotlib listed it
            continue
        if left < missing:
            found.append(font.name)
            missing = left
    return found, missing


def _name(axis: Any, labels: Sequence[str]) -> None:
    """Names the places 0, 1, ... of an axis."""
    if len(labels) > NAMED:
        axis.set_label_text(f"{axis.get_label_text()} class, by its number".strip())
        return
    names = [shortened(str(label), 24) for label in labels]
    fonts, missing = families("".join(names))
    drawn = [f"class {number}" if missing & set(name) else name for number, name in enumerate(names)]
    size = float(np.clip(9 - len(labels) / 50, 7, 9))
    axis.set_ticks(range(len(labels)))
    for text in axis.set_ticklabels(drawn, fontsize=size, fontfamily=fonts):
        text.set_parse_math(False)  # a "$" is a letter


def _saved(picture: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=120)
    return path
