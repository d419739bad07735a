"""What the rows of the caption benchmark share: the data, the cached features, and the figures measured so far.

Notable: figures are kept in `results.json` as soon as they are there, with the trunk and the budget they belong to; a
folder of another trunk or budget is refused.
"""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from benchmarks.features import Features, Part, TeacherFeatures, TrunkFeatures, digest, part
from benchmarks.rows import Size
from mm_memgpt.datasets.base import Reader, read
from mm_memgpt.evaluation.captions import cider_each, score_captions
from mm_memgpt.presets import PRESETS
from mm_memgpt.types import InputError, Sample

TEACHER = "teachers/tf2_mobilenet_v2_1.0_224_ptq.tflite"
SCORES = ("cider", "bleu_4", "rouge_l", "distinct_share", "mean_length", "photos")


class Bench:
    """One folder of features, weights and figures.

    Args:
        arguments: of the command line; `benchmarks.captions` says what each is.

    Raises:
        InputError: no such trunk, or the folder holds another trunk's or budget's.
    """

    def __init__(self, arguments: Namespace) -> None:
        self.arguments, self.folder = arguments, arguments.output
        if not arguments.trunk.is_file():
            raise InputError(f"{arguments.trunk}: no such file; --trunk must name what a distillation kept")
        self.tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer, local_files_only=True)
        self.file = self.folder / "results.json"
        self.results = self._read()
        budget = {name: getattr(arguments, name) for name in ("preset", "epochs", "limit")}
        budget |= {"trunk": digest(arguments.trunk), "words": digest(arguments.tokenizer / "tokenizer.json")}
        if (before := self.results.setdefault("budget", budget)) != budget:
            odd = next(name for name in budget if before.get(name) != budget[name])
            raise InputError(
                f"{self.file}: {odd} was {before.get(odd)}, not {budget[odd]}; give --output another folder"
            )

    def _read(self) -> dict[str, Any]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self.file)

    def forget(self, name: str) -> None:
        """Drops what is known of a row."""
        self.results = self._read() | {"budget": self.results["budget"]}
        self.results.pop(name, None)
        self._write()

    def samples(self, split: str) -> Iterator[Sample]:
        """The photos of a split with their captions, the first `limit` of them."""
        reader, count = self._reader(split)
        return (reader[row] for row in range(count))

    def _reader(self, split: str) -> tuple[Reader, int]:
        reader = read(self.arguments.data / "flickr8k" / f"{split}.parquet")
        return reader, min(len(reader), self.arguments.limit or len(reader))

    def features(self, name: str) -> Features:
        """What turns photos into maps: "trunk" or "teacher"."""
        if name == "teacher":
            return TeacherFeatures(self.arguments.data / TEACHER)
        return TrunkFeatures(PRESETS[self.arguments.preset]().image, self.arguments.trunk)

    def part(self, features: str, split: str) -> Part:
        """Captions and cached maps of a split; the trunk has seen the train photos mirrored, too."""
        views = 2 if (features, split) == ("trunk", "train") else 1
        return part(*self._reader(split), lambda: self.features(features), self.folder / f"{features}-{split}", views)

    def size(self, maps: np.ndarray) -> Size:
        """What the models that read these maps (n, c, h, w) have in common."""
        return Size(self.arguments.preset, self.tokenizer, *maps.shape[1:3])

    def keep(self, name: str, **figures: Any) -> None:
        """Adds figures to what is known of a row, on disk as well, where another run may have added its own."""
        self.results |= self._read()
        self.results[name] = self.results.get(name, {}) | figures
        self._write()
        print(f"{name}: {json.dumps(figures)}", flush=True)


def scored(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The scores that the table shows, a metric as its value and its 95% interval; and `each` photo's CIDEr."""
    written, expected = list(captions), list(map(list, references))
    scores = score_captions(written, expected)
    return {name: getattr(scores, name) for name in SCORES} | {"each": cider_each(written, expected).round(4).tolist()}
