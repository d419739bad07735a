"""`mm-memgpt evaluate confidence`: whether a model's confidence in its captions is worth what it says.

Notable: the photos must be none that the confidence was fitted to; the scorers and matplotlib are looked for before the
long work.
"""

import json
import sys
from argparse import Namespace
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np

from mm_memgpt.commands.evaluate import name_skipped, status, usable
from mm_memgpt.datasets.base import read
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.calibration import GOOD, good
from mm_memgpt.evaluation.captions import scorers
from mm_memgpt.evaluation.confidence import BINS, ConfidenceScores, cider_each, score_confidence
from mm_memgpt.evaluation.plots import figure_class, write_plots
from mm_memgpt.pipeline import load
from mm_memgpt.types import InputError

TITLES = {
    "error": "calibration error",
    "auroc": "AUROC",
    "surer_cider": "CIDEr, surer half",
    "other_cider": "CIDEr, other half",
    "ratio": "their ratio",
}
"""Figures of ConfidenceScores that have an interval, and how the table calls them."""


def run(arguments: Namespace) -> int:
    """Captions and scores; the figures go to standard output, the plots to the folder `--plots`.

    Raises:
        InputError: the captions are all good, or none is, so there is nothing to tell apart.
    """
    scorers()
    if arguments.plots is not None:
        figure_class()
    reader = read(arguments.data, split=arguments.split, images=arguments.images)
    total = min(len(reader), arguments.limit or len(reader))
    model = load(arguments.model, arguments.device)
    if model.model.config.confidence is None:
        print(f"{arguments.model}: not calibrated; see mm-memgpt calibrate", file=sys.stderr)
    write = partial(model.caption_each, beams=arguments.beams, batch=arguments.batch)
    captions, references, sure, skipped = [], [], [], []
    for sample, caption in usable(reader, total, write, skipped):
        captions.append(caption.text)
        references.append(list(sample.captions))
        sure.append(caption.confidence)
    name_skipped(skipped, total, arguments.data)
    confidence, events = np.array(sure), good(captions, references)
    if events.all() or not events.any():
        raise InputError(
            f"{arguments.data}: {events.sum()} of {len(events)} captions are good; give photos of both kinds"
        )
    scores = score_confidence(confidence, events, cider_each(captions, references))
    print(json.dumps(as_json(scores)) if arguments.format == "json" else as_table(scores))
    if arguments.plots is not None:
        for path in write_plots(Path(arguments.plots), confidence, events):
            print(f"wrote {path}", file=sys.stderr)
    return status(skipped, total)


def as_json(scores: ConfidenceScores) -> dict:
    """Each figure as {value, low, high}, then the plain ones."""
    values = {field.name: getattr(scores, field.name) for field in fields(scores)}
    return {name: value._asdict() if isinstance(value, Score) else value for name, value in values.items()}


def as_table(scores: ConfidenceScores) -> str:
    """The figures with their intervals, a line each, then what they are of."""
    lines = [f"{'figure':17}  value  95% interval"]
    for name, title in TITLES.items():
        value, low, high = getattr(scores, name)
        lines.append(f"{title:17}  {value:.3f}  {low:.3f} to {high:.3f}")
    lines.append(f"calibration error in {BINS} bins of equal mass; chance alone makes {scores.floor:.3f}")
    return "\n".join(
        [
            *lines,
            f"{scores.photos} photos, {scores.good:.0%} of captions good (ROUGE-L F at least {GOOD} with a reference)",
        ]
    )
