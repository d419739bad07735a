"""Training samples in one fixed order: item i of a run is the same photo, crop and caption whoever asks for it.

Notable: the order and every random choice depend on (seed, i) alone, so a resumed run, or one with more worker
processes, sees exactly what an unbroken one sees.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from mm_memgpt.training.recipe import Augment, Source
from mm_memgpt.types import Sample

Transform = Callable[[Sample, random.Random], dict[str, Any]]


class SampleStream(Dataset):
    """The samples of all epochs in a row.

    Args:
        readers: one sequence of Samples a source.
        sources: share and mosaic of each reader.
        epochs: passes; a part of one is cut off.
        seed: seed of the order and of the transform's generator.
        transform: sample and generator to what the model takes.
    """

    def __init__(
        self,
        readers: Sequence[Sequence[Sample]],
        sources: Sequence[Source],
        epochs: float,
        seed: int,
        transform: Transform,
    ) -> None:
        self.readers, self.sources, self.seed, self.transform = readers, sources, seed, transform
        self.drawn = [max(1, round(s.share * len(r))) for s, r in zip(sources, readers, strict=True)]
        self.length = round(epochs * sum(self.drawn))
        self.order = lru_cache(maxsize=2)(self._order)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "order"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.order = lru_cache(maxsize=2)(self._order)

    def __len__(self) -> int:
        return self.length

    def _order(self, epoch: int) -> np.ndarray:
        """(drawn, 2) source and row of every sample of an epoch."""
        generator = np.random.default_rng((self.seed, epoch))
        parts = []
        for number, (reader, drawn) in enumerate(zip(self.readers, self.drawn, strict=True)):
            passes = [generator.permutation(len(reader)) for _ in range(-(-drawn // len(reader)))]
            rows = np.concatenate(passes)[:drawn]
            parts.append(np.stack([np.full(drawn, number), rows], axis=1))
        return generator.permutation(np.concatenate(parts))

    def __getitem__(self, index: int) -> dict[str, Any]:
        epoch, position = divmod(index, sum(self.drawn))
        number, row = self.order(epoch)[position].tolist()
        generator = random.Random(self.seed * 1_000_003 + index)
        reader, tiles = self.readers[number], self.sources[number].mosaic
        sample = reader[row]
        if tiles > 1:
            others = [reader[generator.randrange(len(reader))].image for _ in range(tiles**2 - 1)]
            sample = replace(sample, image=mosaic([sample.image, *others], tiles), captions=())
        return self.transform(sample, generator)


class FixedSamples(Dataset):
    """The first samples of a reader, each under a generator of its own number: for validation."""

    def __init__(self, reader: Sequence[Sample], count: int, transform: Transform) -> None:
        self.reader, self.count, self.transform = reader, min(count, len(reader)), transform

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.transform(self.reader[index], random.Random(index))


def mosaic(photos: Sequence[Image.Image], tiles: int) -> Image.Image:
    """Lays tiles x tiles photos into one, each squeezed to the size of the first."""
    width, height = photos[0].size
    whole = Image.new("RGB", (tiles * width, tiles * height))
    for place, photo in enumerate(photos):
        tile = photo if photo.size == (width, height) else photo.resize((width, height))
        whole.paste(tile, (place % tiles * width, place // tiles * height))
    return whole


def crop(photo: Image.Image, augment: Augment, side: int, generator: random.Random) -> Image.Image:
    """A random crop, squeezed to side x side pixels and perhaps mirrored."""
    box = crop_box(*photo.size, augment, generator)
    photo = photo.resize((side, side), Image.Resampling.BICUBIC, box=box)
    return photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if augment.flip and generator.random() < 0.5 else photo


def crop_box(width: int, height: int, augment: Augment, generator: random.Random) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a random crop of a photo of width x height."""
    scale = math.sqrt(generator.uniform(augment.area, 1))
    stretch = math.exp(generator.uniform(-augment.aspect, augment.aspect) / 2)
    stretch = min(max(stretch, scale), 1 / scale)  # or the crop would not fit, and its area shrink
    across, down = max(1, round(width * scale * stretch)), max(1, round(height * scale / stretch))
    left, top = generator.randint(0, width - across), generator.randint(0, height - down)
    return left, top, left + across, top + down
