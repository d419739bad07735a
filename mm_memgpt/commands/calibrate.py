"""`mm-memgpt calibrate`: fits a model's confidence to photos with captions, and writes it into the model's folder.

Notable: what is fitted is a few numbers in config.json, so the weights stay as they are; the figures shown are
cross-validated, and say for each signal what it is worth alone.
"""

import json
from argparse import Namespace
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from mm_memgpt.commands.evaluate import name_skipped, status, usable
from mm_memgpt.config import SIGNALS, ConfidenceConfig
from mm_memgpt.datasets.base import read
from mm_memgpt.evaluation.calibration import cross_validated, fit, good
from mm_memgpt.evaluation.captions import scorers
from mm_memgpt.evaluation.confidence import auroc, calibration_error
from mm_memgpt.memory.whole_file import written_whole
from mm_memgpt.pipeline import load
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Captions, fits, and replaces the folder's config.json; what each signal is worth goes to standard output.

    Raises:
        InputError: the model is no folder, a signal is unknown or named twice, or there are too few photos.
    """
    scorers()
    names = tuple(arguments.signals)
    try:
        ConfidenceConfig(signals=names, weights=(0.0,) * len(names), bias=0.0)
    except ValueError as error:
        raise InputError(f"--signals: {error}") from error
    folder = Path(arguments.model).resolve()
    if not folder.is_dir():
        raise InputError(f"{arguments.model}: no such folder; calibrate writes into the folder that the model lies in")
    reader = read(arguments.data, split=arguments.split, images=arguments.images)
    total = min(len(reader), arguments.limit or len(reader))
    write = partial(load(folder, arguments.device).judge_each, beams=arguments.beams, batch=arguments.batch)
    captions, references, rows, skipped = [], [], [], []
    for sample, judged in usable(reader, total, write, skipped):
        captions.append(judged.caption.text)
        references.append(list(sample.captions))
        rows.append([judged.signals[name] for name in SIGNALS])
    name_skipped(skipped, total, arguments.data)
    signals, events = np.array(rows, dtype=np.float64), good(captions, references)
    try:
        print(table(signals, events, names))
        fitted = fit(names, _columns(signals, names), events)
    except ValueError as error:
        raise InputError(f"{arguments.data}: {error}") from error
    print(formula(fitted))
    if not arguments.dry_run:
        store(folder, fitted)
    return status(skipped, total)


def table(signals: np.ndarray, events: np.ndarray, names: tuple[str, ...]) -> str:
    """AUROC, log loss and calibration error of each signal alone, of all and of those chosen, cross-validated."""
    lines = [f"{'signals':24}  AUROC  log loss  calibration error"]
    for title, tried in {**{name: (name,) for name in SIGNALS}, "all": SIGNALS, " + ".join(names): names}.items():
        chance = cross_validated(tried, _columns(signals, tried), events)
        loss = -np.log(np.where(events, chance, 1 - chance)).mean()
        error = calibration_error(chance, events)
        lines.append(f"{title:24}  {auroc(chance, events):.3f}  {loss:8.4f}  {error:.3f}")
    return "\n".join([*lines, f"{len(events)} photos, {events.mean():.0%} of captions good"])


def formula(fitted: ConfidenceConfig) -> str:
    """The fitted confidence as one line."""
    terms = [f"{weight:+.5g} {name}" for name, weight in zip(fitted.signals, fitted.weights, strict=True)]
    return f"confidence = sigmoid({fitted.bias:.5g} {' '.join(terms)})"


def store(folder: Path, fitted: ConfidenceConfig) -> None:
    """Puts the confidence into the folder's config.json: either the old file is there or the whole new one."""
    path = folder / "config.json"
    values = json.loads(path.read_text(encoding="utf-8")) | {"confidence": asdict(fitted)}
    with written_whole(path) as file:
        file.write((json.dumps(values, indent=2, sort_keys=True) + "\n").encode())


def _columns(signals: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    return signals[:, [SIGNALS.index(name) for name in names]]
