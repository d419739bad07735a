"""`mm-memgpt evaluate retrieval`: how well a data file's photos and sentences find each other by their keys; where the
model is one of finetune, `mm_memgpt.commands.evaluate_task` measures it.

Notable: keys alone are kept, so a file may be of any length; a sample that cannot be used is named at the end, and
makes the exit status 1, because the figures are not of them all.
"""

import json
from argparse import Namespace
from functools import partial

import numpy as np
import torch

from mm_memgpt.commands import evaluate_task
from mm_memgpt.commands.evaluate import name_skipped, status, usable
from mm_memgpt.datasets.base import read
from mm_memgpt.evaluation.retrieval import RetrievalScores, score_retrieval
from mm_memgpt.pipeline import load
from mm_memgpt.tasks.folder import is_task_folder
from mm_memgpt.types import InputError


def run(arguments: Namespace) -> int:
    """Encodes and scores; the figures go to standard output.

    Raises:
        InputError: no photo with sentences is there, or the model has no text encoder.
    """
    if is_task_folder(arguments.model):
        return evaluate_task.run(arguments)
    if arguments.predictions is not None or arguments.plots is not None:
        raise InputError(f"{arguments.model}: no model of finetune; leave out --predictions and --plots")
    reader = read(arguments.data, split=arguments.split, images=arguments.images)
    total = min(len(reader), arguments.limit or len(reader))
    model = load(arguments.model, arguments.device)
    model.text_keys(["a photo"])  # said now where the model cannot, not after the long work
    keys, sentences, owner, skipped = [], [], [], []
    for sample, key in usable(reader, total, partial(model.keys_each, batch=arguments.batch), skipped):
        owner += [len(keys)] * len(sample.captions)
        keys.append(key)
        sentences.append(model.text_keys(sample.captions))
    name_skipped(skipped, total, arguments.data)
    scores = score_retrieval(torch.stack(keys).numpy(), np.concatenate([each.numpy() for each in sentences]), owner)
    print(json.dumps(as_json(scores)) if arguments.format == "json" else as_table(scores))
    return status(skipped, total)


def as_json(scores: RetrievalScores) -> dict:
    """Each direction as {depth: {value, low, high}}, then the counts."""
    directions = {
        name: {str(depth): score._asdict() for depth, score in getattr(scores, name).items()}
        for name in ("photo_to_text", "text_to_photo")
    }
    return directions | {"photos": scores.photos, "sentences": scores.sentences}


def as_table(scores: RetrievalScores) -> str:
    """The recalls with their intervals, a line each, then the counts."""
    lines = [f"{'recall':19}  value  95% interval"]
    for title, recalls in (("photo to text", scores.photo_to_text), ("text to photo", scores.text_to_photo)):
        for depth, (value, low, high) in recalls.items():
            lines.append(f"{f'{title} @{depth}':19}  {value:.3f}  {low:.3f} to {high:.3f}")
    return "\n".join([*lines, f"{scores.photos} photos, {scores.sentences} sentences"])
