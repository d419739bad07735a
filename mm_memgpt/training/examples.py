"""One sample of a reader made into what a model takes: the crop, and the teacher's answer or what people wrote.

Notable: an example opens what cannot cross a process boundary (the teacher) only where it is first used, so it can be
sent to the loader's worker processes.
"""

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerFast

from mm_memgpt.encoders.image import PixelStatistics
from mm_memgpt.knowledge.teacher import ImageTeacher
from mm_memgpt.training.recipe import Augment
from mm_memgpt.training.stream import crop
from mm_memgpt.types import InputError, Sample
from mm_memgpt.words import sentence


def normalise(photo: Image.Image, statistics: PixelStatistics) -> Tensor:
    """An RGB photo, squeezed to the trunk's square, as (3, size, size) normalised float32."""
    side = statistics.size
    if photo.size != (side, side):
        photo = photo.resize((side, side), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (statistics.mean, statistics.std))
    return (pixels - mean) / std


def photo_of(sample: Sample) -> Image.Image:
    """The sample's photo. Raises InputError, which names the sample, where it has none."""
    if sample.image is None:
        raise InputError(f"{sample.source}: has no photo; training needs a column of photos")
    return sample.image


class DistillationExample:
    """A photo's crop for the student, and what the teacher says of the very same crop, on the student's grids."""

    def __init__(
        self, teacher: Path, statistics: PixelStatistics, grids: list[tuple[int, int]], augment: Augment | None
    ) -> None:
        self.path, self.statistics, self.grids, self.augment = teacher, statistics, grids, augment
        self.teacher: ImageTeacher | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "teacher": None}

    def __call__(self, sample: Sample, generator: random.Random) -> dict[str, Any]:
        if self.teacher is None:
            self.teacher = ImageTeacher(self.path)
        photo = photo_of(sample)
        if self.augment is not None:
            photo = crop(photo, self.augment, self.teacher.size, generator)
        maps, logits = self.teacher(photo)
        return {
            "pixel_values": normalise(photo, self.statistics),
            "teacher_maps": [
                functional.adaptive_avg_pool2d(torch.from_numpy(features), grid).half()
                for features, grid in zip(maps, self.grids, strict=True)
            ],
            "teacher_logits": torch.from_numpy(logits),
        }


class SentenceExample:
    """`count` of a sample's captions, or its text, as token numbers from `begin` to the tokenizer's end.

    At most `longest` of them: a cut takes the end with it, so nothing is taught to end in the middle.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, begin: int, count: int, longest: int) -> None:
        self.tokenizer, self.begin, self.count, self.longest = tokenizer, begin, count, longest

    def __call__(self, sample: Sample, generator: random.Random) -> dict[str, Any]:
        written = sample.captions or ((sample.text,) if sample.text else ())
        if not written:
            raise InputError(f"{sample.source}: has no caption; name the column of captions, or that of text")
        order = generator.sample(range(len(written)), k=len(written))
        chosen = [written[order[i % len(order)]] for i in range(self.count)]
        text = self.tokenizer([sentence(each) for each in chosen], add_special_tokens=False)["input_ids"]
        rows = [[self.begin, *ids, self.tokenizer.eos_token_id][: self.longest] for ids in text]
        return {"input_ids": [torch.tensor(row) for row in rows]}


class CaptionExample:
    """A photo's crop, and its sentences as `sentences` gives them."""

    def __init__(self, sentences: SentenceExample, statistics: PixelStatistics, augment: Augment | None) -> None:
        self.sentences, self.statistics, self.augment = sentences, statistics, augment

    def __call__(self, sample: Sample, generator: random.Random) -> dict[str, Any]:
        photo = photo_of(sample)
        if self.augment is not None:
            photo = crop(photo, self.augment, self.statistics.size, generator)
        return {"pixel_values": normalise(photo, self.statistics)} | self.sentences(sample, generator)


class PadText:
    """Photos, where there are any, stacked (b, 3, h, w), and sentences padded on the right (b * captions, t).

    The sentences are called as the model calls what it writes: `written` is "decoder_" before an encoder-decoder.
    """

    def __init__(self, pad: int, written: str = "") -> None:
        self.pad, self.written = pad, written

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Tensor]:
        text = [ids for example in examples for ids in example["input_ids"]]
        mask = [torch.ones_like(ids) for ids in text]
        photos = [example["pixel_values"] for example in examples if "pixel_values" in example]
        return ({"pixel_values": torch.stack(photos)} if photos else {}) | {
            f"{self.written}input_ids": pad_sequence(text, batch_first=True, padding_value=self.pad),
            f"{self.written}attention_mask": pad_sequence(mask, batch_first=True),
        }


class RewardExample:
    """A photo's crop, and the sentences people wrote about it, as they are."""

    def __init__(self, statistics: PixelStatistics, augment: Augment | None) -> None:
        self.statistics, self.augment = statistics, augment

    def __call__(self, sample: Sample, generator: random.Random) -> dict[str, Any]:
        if not sample.captions:
            raise InputError(f"{sample.source}: has no caption; a reward needs a column of captions")
        photo = photo_of(sample)
        if self.augment is not None:
            photo = crop(photo, self.augment, self.statistics.size, generator)
        return {"pixel_values": normalise(photo, self.statistics), "references": list(sample.captions)}


def stack_photos(examples: list[dict[str, Any]]) -> dict[str, Any]:
    """Photos stacked (b, 3, h, w), and a list of the sentences of each."""
    return {
        "pixel_values": torch.stack([example["pixel_values"] for example in examples]),
        "references": [example["references"] for example in examples],
    }
