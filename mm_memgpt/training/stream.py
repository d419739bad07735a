"""Training samples in one fixed order: item i of a run is the same photo, crop and caption whoever asks for it.

Notable: the order and every random choice depend on (seed, i) alone, so a resumed run, or one with more worker
processes, sees exactly what an unbroken one sees; so does what stands in for a sample that is broken.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import chain, count
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from mm_memgpt.datasets.encoded import Encoded
from mm_memgpt.training.recipe import Augment, Source
from mm_memgpt.types import InputError, Sample

Transform = Callable[[Sample, random.Random], dict[str, Any]]

Skip = Callable[[InputError], None]
"""Takes note of a sample that cannot be used."""

ATTEMPTS = 10
"""How many samples are tried for one place; where so many in a row are broken, something else is wrong."""


class Ordered(Dataset):
    """What has an order an epoch, of which the last two are kept, but never sent to another process."""

    def __init__(self) -> None:
        self.order = lru_cache(maxsize=2)(self._order)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "order"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.order = lru_cache(maxsize=2)(self._order)


class Shuffled(Ordered):
    """All epochs in a row of what can be counted, each in another order; in its own order where there is no seed.

    Args:
        count: how many there are.
        epochs: passes; a part of one is cut off.
        seed: of the order.
    """

    def __init__(self, count: int, epochs: float, seed: int | None) -> None:
        self.count, self.seed = count, seed
        self.length = max(1, round(epochs * count))
        super().__init__()

    def __len__(self) -> int:
        return self.length

    def place(self, index: int) -> int:
        """Which one it is that comes at an index."""
        epoch, position = divmod(index, self.count)
        return int(self.order(epoch)[position])

    def _order(self, epoch: int) -> np.ndarray:
        if self.seed is None:
            return np.arange(self.count)
        return np.random.default_rng((self.seed, epoch)).permutation(self.count)


class SampleStream(Ordered):
    """The samples of all epochs in a row.

    Args:
        readers: one sequence of Samples a source.
        sources: share and mosaic of each reader.
        epochs: passes; a part of one is cut off.
        seed: seed of the order and of the transform's generator.
        transform: sample and generator to what the model takes.
        skip: told of each broken sample, in whose place another of its source comes; without it, a broken one raises.
    """

    def __init__(
        self,
        readers: Sequence[Sequence[Sample]],
        sources: Sequence[Source],
        epochs: float,
        seed: int,
        transform: Transform,
        skip: Skip | None = None,
    ) -> None:
        self.readers, self.sources, self.seed, self.transform, self.skip = readers, sources, seed, transform, skip
        self.drawn = [max(1, round(s.share * len(r))) for s, r in zip(sources, readers, strict=True)]
        self.length = round(epochs * sum(self.drawn))
        super().__init__()

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
        rows = instead(row, len(self.readers[number]), f"{self.seed}:{index}")
        seeds = chain([self.seed * 1_000_003 + index], (f"{self.seed}:{index}:{again}" for again in count()))
        return first_usable(zip(rows, seeds, strict=False), lambda place: self._example(number, *place), self.skip)

    def _example(self, number: int, row: int, seed: int | str) -> dict[str, Any]:
        generator = random.Random(seed)
        reader, tiles = self.readers[number], self.sources[number].mosaic
        sample = reader[row]
        if tiles > 1:
            others = [reader[generator.randrange(len(reader))].image for _ in range(tiles**2 - 1)]
            sample = replace(sample, image=mosaic([sample.image, *others], tiles), captions=())
        return self.transform(sample, generator)


class StreamedSamples(Dataset):
    """Samples of streams that are read front to back, pass after pass, each pass in another order.

    An item may be asked for at any time, but going back begins the stream anew; a loader and each of its workers only
    go forward, and pass by what is not theirs without decoding it.

    Args:
        streams: each begins a pass over one source; it is given what puts a list of shards in another order.
        buffer: samples held, from which the next one is drawn.
        length: samples of the whole run.
        seed: seed of every order and of the transform's generator.
        transform: sample and generator to what the model takes.
        skip: told of each broken sample, in whose place the next comes; without it, a broken one raises.
    """

    def __init__(
        self,
        streams: Sequence[Callable[..., Iterator[Encoded | InputError]]],
        buffer: int,
        length: int,
        seed: int,
        transform: Transform,
        skip: Skip | None = None,
    ) -> None:
        self.streams, self.buffer, self.length, self.seed = streams, buffer, length, seed
        self.transform, self.skip = transform, skip
        self._begin()

    def _begin(self) -> None:
        self.position, self.ahead, self.endless = 0, deque(), self._passes()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("ahead", "endless")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index < self.position:
            self._begin()
        while self.position < index:
            self._encoded(0)
            self.ahead.popleft()
            self.position += 1
        return first_usable(map(self._encoded, range(ATTEMPTS)), partial(self._example, index), self.skip)

    def _example(self, index: int, encoded: Encoded) -> dict[str, Any]:
        return self.transform(encoded.open(), random.Random(self.seed * 1_000_003 + index))

    def _encoded(self, ahead: int) -> Encoded:
        while len(self.ahead) <= ahead:
            self.ahead.append(next(self.endless))
        return self.ahead[ahead]

    def _passes(self) -> Iterator[Encoded]:
        for number in count():
            generator = random.Random(f"{self.seed}:{number}")
            held: list[Encoded] = []
            found = False
            for encoded in self._pass(generator):
                found = True
                held.append(encoded)
                if len(held) > self.buffer:
                    yield held.pop(generator.randrange(len(held)))
            generator.shuffle(held)
            yield from held
            if not found:
                raise InputError("the streamed sources hold no sample that can be read; check their paths")

    def _pass(self, generator: random.Random) -> Iterator[Encoded]:
        for begin in generator.sample(list(self.streams), k=len(self.streams)):
            for encoded in begin(shuffle=generator.shuffle):
                if not isinstance(encoded, InputError):
                    yield encoded
                elif self.skip is None:
                    raise encoded
                else:
                    self.skip(encoded)


class FixedSamples(Dataset):
    """The first samples of a reader, each under a generator of its own number: for validation."""

    def __init__(self, reader: Sequence[Sample], count: int, transform: Transform, skip: Skip | None = None) -> None:
        self.reader, self.count, self.transform, self.skip = reader, min(count, len(reader)), transform, skip

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        rows = instead(index, len(self.reader), str(index))
        return first_usable(rows, lambda row: self.transform(self.reader[row], random.Random(index)), self.skip)


def instead(row: int, rows: int, seed: str) -> Iterator[int]:
    """The row itself, then those that stand in for it where it is broken."""
    generator = random.Random(seed)
    yield row
    for _ in range(ATTEMPTS - 1):
        yield generator.randrange(rows)


def first_usable(places: Iterable[Any], example: Callable[[Any], Any], skip: Skip | None) -> Any:
    """The example of the first place that has a usable one.

    Raises:
        InputError: none has, or the first has none and `skip` is None.
    """
    for place in places:
        try:
            return example(place)
        except InputError as error:
            if skip is None:
                raise
            skip(error)
            last = error
    raise InputError(f"{ATTEMPTS} samples in a row cannot be used; the last: {last}")


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
