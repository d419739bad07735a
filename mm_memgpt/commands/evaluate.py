"""`mm-memgpt evaluate captions`: writes captions for a data file's photos and scores them against its own.

Notable: photos stream through the model, so only sentences are kept; the scorers are looked for before the long work;
a sample that cannot be used is named at the end, and makes the exit status 1, because the figures are not of them all.
"""

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from itertools import islice, tee
from typing import Any

from tqdm import tqdm

from mm_memgpt.commands.errors import error_line
from mm_memgpt.datasets.base import Reader, read, samples
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.captions import CaptionScores, score_captions, scorers, tokens
from mm_memgpt.pipeline import load
from mm_memgpt.types import InputError, Sample

Write = Callable[[Iterator[Any]], Iterator[tuple[Any, Any]]]
"""Photos and errors in, each with what was written about it, or an InputError, out."""

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
    reader = read(arguments.data, split=arguments.split, images=arguments.images)
    total = min(len(reader), arguments.limit or len(reader))
    model = load(arguments.model, arguments.device)
    write = partial(model.caption_each, beams=arguments.beams, batch=arguments.batch)
    started, captions, references, skipped = time.monotonic(), [], [], []
    with open(os.devnull if arguments.predictions is None else arguments.predictions, "w", encoding="utf-8") as kept:
        for sample, caption in usable(reader, total, write, skipped):
            captions.append(caption.text)
            references.append(list(sample.captions))
            row = {"path": sample.source, "caption": caption.text, "confidence": round(caption.confidence, 6)}
            print(json.dumps(row | {"references": sample.captions}, ensure_ascii=False), file=kept, flush=True)
    name_skipped(skipped, total, arguments.data)
    seconds = round(time.monotonic() - started, 1)
    scores = score_captions(captions, references)
    print(json.dumps(as_json(scores, seconds)) if arguments.format == "json" else as_table(scores, seconds))
    return status(skipped, total)


def usable(reader: Reader, total: int, write: Write, skipped: list[InputError]) -> Iterator[tuple[Sample, Any]]:
    """The first `total` samples with what was written about each; those that cannot be used go into `skipped`."""
    watched = {"total": total, "unit": "photo", "disable": not sys.stderr.isatty()}
    for sample, result in tqdm(written(write, islice(samples(reader), total)), **watched):
        if isinstance(result, InputError):
            skipped.append(result)
        else:
            yield sample, result


def name_skipped(skipped: list[InputError], total: int, source: str) -> None:
    """A line on standard error for each sample that could not be used.

    Raises:
        InputError: none of the `total` could.
    """
    for error in skipped:
        print(error_line(error), file=sys.stderr)
    if len(skipped) == total:
        raise InputError(f"{source}: no photo with captions in it; give a file of photos with their captions")


def status(skipped: list[InputError], total: int) -> int:
    """The exit status: 1 where samples were skipped, which is said once more under the figures."""
    if skipped:
        print(f"skipped {len(skipped)} of {total} samples; the figures are of the others", file=sys.stderr)
    return 1 if skipped else 0


def checked(sample: Sample | InputError) -> Sample | InputError:
    """The sample, or an InputError for one that lacks a photo or captions."""
    if isinstance(sample, InputError) or (sample.image is not None and any(map(tokens, sample.captions))):
        return sample
    missing = "photo" if sample.image is None else "captions to compare with"
    return InputError(f"{sample.source}: no {missing}; give a file of photos with their captions")


def written(write: Write, entries: Iterator[Sample | InputError]) -> Iterator[tuple[Sample | InputError, Any]]:
    """Each sample with what is written about its photo, or with what is wrong with it."""
    kept, opened = tee(map(checked, entries))
    photos = (sample if isinstance(sample, InputError) else sample.image for sample in opened)
    for sample, (_, result) in zip(kept, write(photos), strict=True):
        unusable = isinstance(result, InputError) and not isinstance(sample, InputError)
        yield sample, InputError(f"{sample.source}: {result}") if unusable else result


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
