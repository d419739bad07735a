"""`mm-memgpt card`: measures a model on photos with captions and writes the figures into its model card.

Notable: every figure of the card comes from here, in one run over one file; the words around them are kept.
"""

import time
from argparse import Namespace
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mm_memgpt.commands.evaluate import TITLES as CAPTION_TITLES
from mm_memgpt.commands.evaluate import name_skipped, status, usable
from mm_memgpt.commands.evaluate_confidence import TITLES as CONFIDENCE_TITLES
from mm_memgpt.datasets.base import Reader, read
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.calibration import good
from mm_memgpt.evaluation.captions import score_captions, scorers
from mm_memgpt.evaluation.card import examples_table, figures_table, parts_table, runs_table
from mm_memgpt.evaluation.confidence import cider_each, score_confidence
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.evaluation.retrieval import score_retrieval
from mm_memgpt.models.loading import find
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.types import InputError

TIMED = 20
"""Photos that the time of one is the median of."""


def run(arguments: Namespace) -> int:
    """Measures, and replaces the card's sections; nothing is written unless all of it could be measured.

    Raises:
        InputError: no card with its markers, a report that is none, or no photo that can be used.
    """
    scorers()
    card = find(arguments.model) / "README.md"
    if not card.is_file():
        raise InputError(f"{card}: no such file; write a card with the four pairs of markers first")
    reader = read(arguments.data, split=arguments.split, images=arguments.images)
    total, skipped = min(len(reader), arguments.limit or len(reader)), []
    model = load(arguments.model, arguments.device)
    runs = runs_table([Path(report) for report in arguments.reports])
    write = partial(model.caption_each, beams=arguments.beams, batch=arguments.batch)
    found = list(usable(reader, total, write, skipped))
    name_skipped(skipped, total, arguments.data)
    captions, references = [caption.text for _, caption in found], [list(sample.captions) for sample, _ in found]
    confidence, cider = np.array([caption.confidence for _, caption in found]), cider_each(captions, references)
    scores = score_captions(captions, references)
    sure = score_confidence(confidence, good(captions, references), cider)
    figures = {title: getattr(scores, name) for name, title in CAPTION_TITLES.items()}
    figures |= recalls(model, reader, total, arguments.batch)
    figures |= {title: getattr(sure, name) for name, title in CONFIDENCE_TITLES.items()}
    greedy, beams = (milliseconds(model, reader, total, count) for count in (1, arguments.beams))
    notes = [
        f"{scores.photos} photos, beam {arguments.beams}: {scores.distinct} distinct captions "
        f"({scores.distinct_share:.0%}), {scores.mean_length:.1f} words a caption; {sure.good:.0%} are good (ROUGE-L F "
        f"at least 0.5 with a reference). Calibration error by chance alone: {sure.floor:.3f}.",
        "",
        f"One photo at a time on {model.device}, {torch.get_num_threads()} threads: {greedy:.0f} ms greedy, "
        f"{beams:.0f} ms with beam {arguments.beams} (median of {min(TIMED, total)}).",
    ]
    sections = {"parts": parts_table(model.model), "runs": runs, "figures": figures_table(figures, notes)}
    sources = [Path(sample.source).name for sample, _ in found]
    sections["examples"] = examples_table(sources, captions, confidence, cider)
    replace_sections(card, sections)
    return status(skipped, total)


def recalls(model: Pipeline, reader: Reader, total: int, batch: int) -> dict[str, Score]:
    """Recall in both directions, by title; nothing for a model without a text encoder."""
    if model.model.text_encoder is None:
        return {}
    found = list(usable(reader, total, partial(model.keys_each, batch=batch), []))
    sentences = torch.cat([model.text_keys(sample.captions) for sample, _ in found])
    owner = np.repeat(np.arange(len(found)), [len(sample.captions) for sample, _ in found])
    scores = score_retrieval(torch.stack([key for _, key in found]).numpy(), sentences.numpy(), owner)
    return {
        f"{field.name.replace('_', ' ')} recall@{depth}": score
        for field in fields(scores)[:2]
        for depth, score in getattr(scores, field.name).items()
    }


def milliseconds(model: Pipeline, reader: Reader, total: int, beams: int) -> float:
    """Median time of one photo, already decoded, to its caption."""
    seconds = []
    for index in range(min(TIMED, total)):
        try:
            photo = reader[index].image
        except InputError:
            continue
        started = time.perf_counter()
        model.caption(photo, beams)
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds))
