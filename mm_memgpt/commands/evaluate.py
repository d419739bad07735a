"""`mm-memgpt evaluate captions`: writes captions for a data file's photos and scores them against its own.

Notable: photos stream through the model, so only sentences are kept; the scorers are looked for before the long work.
"""

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice, tee

from tqdm import tqdm

from mm_memgpt.datasets.base import read
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.captions import CaptionScores, score_captions, scorers, tokens
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.types import Caption, InputError, Sample

TITLES = {
    "cider": "CIDEr",
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
}
"""Metrics of CaptionScores, and how the table calls them."""


def run(arguments: Namespace) -> int:
    """Captions and scores; the figures go to standard output, each photo's caption to `--predictions`."""
    scorers()
    reader = read(arguments.data)
    samples = with_captions(islice(reader, arguments.limit))
    total = min(len(reader), arguments.limit or len(reader))
    model = load(arguments.model, arguments.device)
    started, captions, references = time.monotonic(), [], []
    with open(os.devnull if arguments.predictions is None else arguments.predictions, "w", encoding="utf-8") as kept:
        watched = {"total": total, "unit": "photo", "disable": not sys.stderr.isatty()}
        for sample, caption in tqdm(written(model, samples, arguments), **watched):
            captions.append(caption.text)
            references.append(list(sample.captions))
            row = {"path": sample.source, "caption": caption.text, "confidence": round(caption.confidence, 6)}
            print(json.dumps(row | {"references": sample.captions}, ensure_ascii=False), file=kept, flush=True)
    if not captions:
        raise InputError(f"{arguments.data}: no photo in it; give a file of photos with their captions")
    seconds = round(time.monotonic() - started, 1)
    scores = score_captions(captions, references)
    print(json.dumps(as_json(scores, seconds)) if arguments.format == "json" else as_table(scores, seconds))
    return 0


def with_captions(samples: Iterator[Sample]) -> Iterator[Sample]:
    """The samples as they are. Raises InputError for one that lacks a photo or captions."""
    for sample in samples:
        if sample.image is None or not any(map(tokens, sample.captions)):
            missing = "photo" if sample.image is None else "captions to compare with"
            raise InputError(f"{sample.source}: no {missing}; give a file of photos with their captions")
        yield sample


def written(model: Pipeline, samples: Iterator[Sample], arguments: Namespace) -> Iterator[tuple[Sample, Caption]]:
    """Each sample with the model's caption of its photo."""
    kept, opened = tee(samples)
    captions = model.caption_each((sample.image for sample in opened), arguments.beams, arguments.batch)
    for sample, (_, caption) in zip(kept, captions, strict=True):
        if isinstance(caption, InputError):
            raise InputError(f"{sample.source}: {caption}")
        yield sample, caption


def as_json(scores: CaptionScores, seconds: float) -> dict:
    """Each metric as {value, low, high}, then the counts."""
    values = {field.name: getattr(scores, field.name) for field in fields(scores)}
    named = {name: value._asdict() if isinstance(value, Score) else value for name, value in values.items()}
    return named | {"seconds": seconds}


def as_table(scores: CaptionScores, seconds: float) -> str:
    """The metrics with their intervals, a line each, then the counts."""
    lines = [f"{'metric':8}  value  95% interval"]
    for name, title in TITLES.items():
        value, low, high = getattr(scores, name)
        lines.append(f"{title:8}  {value:.3f}  {low:.3f} to {high:.3f}")
    share = f"{scores.distinct} distinct captions ({scores.distinct_share:.0%})"
    return "\n".join(
        [*lines, f"{scores.photos} photos, {share}, {scores.mean_length:.1f} words a caption, {seconds} s"]
    )
