"""Are clips captioned as well as the photos that they were made of: one table.

    python -m benchmarks.clips                              nano on the validation photos, and on clips of them
    python -m benchmarks.clips runs/remember --part test    another model, on the test photos

Notable: a clip is rendered as an mp4 file by the camera that made the clips of training, and captioned the way a user's
file is: opened, its frames kept one a second, each an item of the memory. Photos and clips are the same, in the same
order, for every model, so the last row compares them one by one.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.errors import tells_errors
from mm_memgpt.datasets.base import read
from mm_memgpt.datasets.camera import move_of, render
from mm_memgpt.datasets.pools import PARTS
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.captions import cider_each, score_captions
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.types import InputError, Sample

SCORES = ("cider", "bleu_1", "bleu_4", "rouge_l")
HEAD = ("captioned", "of", "CIDEr", "BLEU-1", "BLEU-4", "ROUGE-L", "different")


class Written(NamedTuple):
    """The captions of the photos that could be used, of the clips made of them, and what people wrote."""

    photos: list[str]
    clips: list[str]
    references: list[list[str]]


class Opened:
    """The first samples of a part, those of them that can be used and have a sentence; the others are told of once."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.reader = read(given.data / "flickr8k" / f"{given.part}.parquet")
        limit = len(self.reader) if given.limit is None else min(given.limit, len(self.reader))
        self.broken: dict[int, str] = {}
        self.rows = [number for number in range(limit) if self._sound(number)]
        for problem in self.broken.values():
            print(f"error: {problem}", file=sys.stderr)
        if not self.rows:
            raise InputError(f"{given.data}: none of the {limit} photos can be used; give --limit another number")

    def __iter__(self) -> Iterator[Sample]:
        return (self.reader[number] for number in self.rows)

    def _sound(self, number: int) -> bool:
        try:
            sample = self.reader[number]
            if sample.image is None or not sample.captions:
                raise InputError(f"{sample.source}: no photo or no sentence; leave the row out")
        except InputError as error:
            self.broken[number] = str(error)
        return number not in self.broken


def write(model: Pipeline, samples: Iterable[Sample], beams: int) -> Written:
    """What the model writes of each photo and of its clip."""
    photos = told(model, (sample.image for sample in samples), beams)
    clips = told(model, (render(sample.image, move_of(sample.source)) for sample in samples), beams)
    return Written(photos, clips, [list(sample.captions) for sample in samples])


def told(model: Pipeline, inputs: Iterable[Any], beams: int) -> list[str]:
    """The sentence about each input. Raises InputError for the first that has none: a row would lack its pair."""
    captions = []
    for _, result in model.caption_each(inputs, beams):
        if isinstance(result, InputError):
            raise result
        captions.append(result.text)
    return captions


def table(name: str, written: Written) -> str:
    """A model's figures in Markdown: photos, clips, and by how much clips are better or worse."""
    lines = [f"## {name}", "", f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for what, captions in (("photos", written.photos), ("clips of them", written.clips)):
        scores = score_captions(captions, written.references)
        cells = [cell(getattr(scores, metric)) for metric in SCORES]
        lines.append(f"| {what} | {scores.photos} | {' | '.join(cells)} | {scores.distinct} |")
    blank = " |" * (len(HEAD) - 3)
    return "\n".join([*lines, f"| clips less photos | {len(written.clips)} | {cell(gain(written))} |{blank}"])


def gain(written: Written) -> Score:
    """Mean over the photos of the clip's CIDEr less the photo's, with its interval."""
    clips, photos = (cider_each(captions, written.references) for captions in (written.clips, written.photos))
    sums = np.stack([clips - photos, np.ones(len(clips))], axis=1)
    return bootstrap(sums, lambda total: total[:, :1] / total[:, 1:])[0]


def cell(score: Score) -> str:
    """A figure and its interval."""
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", default=["nano"], help="names or folders of models; default: nano")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--part", choices=PARTS[1:], default="val", help="whose photos; default: val")
    parser.add_argument("--limit", type=int, help="only the first so many photos")
    parser.add_argument("--beams", type=int, default=4, help="candidates kept while writing; default: 4")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    samples = Opened(given)
    status = 1 if samples.broken else 0
    for name in given.models:
        try:
            print(table(name, write(load(name, device="cpu"), samples, given.beams)), flush=True)
        except (InputError, ImportError) as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
