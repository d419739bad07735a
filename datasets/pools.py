"""What scenes are made of: rows of photos, sounds and spoken digits with what is known of them, and plain sentences.

Notable: training, validation and test draw from rows of their own; of a row only its place is kept, so a pool is small
enough to be sent to a loader's workers, which open what a scene needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import sqrt
from pathlib import Path
from random import Random
from typing import NamedTuple

from mm_memgpt.datasets.chance import draw, draw_below, happens
from mm_memgpt.datasets.parquet import ParquetReader
from mm_memgpt.datasets.templates import SOUNDS
from mm_memgpt.datasets.things import Facts, facts
from mm_memgpt.types import InputError

PARTS = ("train", "val", "test")
FOLDS = {"train": (1, 2), "val": (3,), "test": (4,)}
"""Folds of ESC-10 that each part takes unless others are named; recordings of one source share a fold."""

VALIDATION_INDEX = range(5, 8)
"""Recordings of FSDD's training file that are for validation; the file holds 5 to 49, its test file 2 to 4."""

PHOTOS = 10
"""Photos that a scene may have at most, no two of them the same."""

PLAIN = 0.25
"""Share of photos drawn whatever they show; the others are drawn for what they show."""


class Row(NamedTuple):
    """Where something lies: a file below the data's folder, and a row of it."""

    file: str
    number: int


class Photo(NamedTuple):
    """A photo and what is certain about it."""

    row: Row
    facts: Facts


class Heard(NamedTuple):
    """A sound or a spoken digit: its class of ESC-10, or its digit as a figure, and its length."""

    row: Row
    label: str
    seconds: float


@dataclass(frozen=True)
class Pools:
    """What one part's scenes are drawn from.

    Raises:
        InputError: there is too little of something for a scene.
    """

    photos: tuple[Photo, ...]
    sounds: tuple[Heard, ...]
    digits: tuple[Heard, ...]
    sentences: tuple[str, ...]
    """Notes that nothing is asked about."""

    def __post_init__(self) -> None:
        lacking = {
            f"{PHOTOS} photos": len(self.photos) < PHOTOS,
            "a photo that clearly shows one thing": not self.shown,
            **{f"a sound of {kind}": not sounds for kind, sounds in self.heard.items()},
            "a spoken digit": not self.digits,
            "a sentence": not self.sentences,
        }
        if missing := [what for what, lacks in lacking.items() if lacks]:
            raise InputError(f"pools for scenes need {missing[0]}; add more rows, or name other folds of ESC-10")

    @cached_property
    def shown(self) -> dict[str, list[Photo]]:
        """Photos by who and by what they clearly show."""
        found: dict[str, list[Photo]] = {}
        for photo in self.photos:
            for thing in (photo.facts.who, photo.facts.what):
                if thing is not None:
                    found.setdefault(thing, []).append(photo)
        return dict(sorted(found.items()))

    @cached_property
    def _edges(self) -> list[float]:
        """Running totals of the weights by which `shown` is drawn from: the square roots of the numbers of photos."""
        return list(accumulate(sqrt(len(photos)) for photos in self.shown.values()))

    @cached_property
    def heard(self) -> dict[str, list[Heard]]:
        """Sounds by class."""
        return {kind: [sound for sound in self.sounds if sound.label == kind] for kind in SOUNDS}

    def draw_photo(self, generator: Random, thing: str | None = None) -> Photo:
        """A photo: of a thing, or of any, rare things more often than they are."""
        if thing is None and happens(generator, PLAIN):
            return draw(generator, self.photos)
        if thing is None:
            thing = list(self.shown)[draw_below(generator, self._edges)]
        return draw(generator, self.shown[thing])

    @cached_property
    def rates(self) -> dict[str, tuple[float, float]]:
        """Chance that a photo drawn by `draw_photo` certainly shows a thing, and that it may show it, by thing."""
        chance: dict[Row, float] = {photo.row: PLAIN / len(self.photos) for photo in self.photos}
        before = 0.0
        for photos, edge in zip(self.shown.values(), self._edges, strict=True):
            for photo in photos:
                chance[photo.row] += (1 - PLAIN) * (edge - before) / self._edges[-1] / len(photos)
            before = edge
        named: dict[str, float] = {}
        maybe: dict[str, float] = {}
        for photo in self.photos:
            for rate, things in ((named, photo.facts.named), (maybe, photo.facts.open)):
                for thing in things:
                    rate[thing] = rate.get(thing, 0.0) + chance[photo.row]
        return {thing: (named.get(thing, 0.0), maybe[thing]) for thing in sorted(maybe)}


def read_pools(folder: Path, part: str, folds: Sequence[int] | None = None) -> Pools:
    """The pools of one part, from Flickr8k, ESC-10, FSDD and the captions of Flickr30k.

    Args:
        folder: where the data lie.
        part: train, val or test.
        folds: of ESC-10; those of FOLDS where None.

    Raises:
        InputError: an unknown part, folds that lack a class, or a file that cannot be read.
    """
    if part not in PARTS:
        raise InputError(f"{part!r} is no part; known: {', '.join(PARTS)}")
    folds = FOLDS[part] if folds is None else tuple(folds)
    return Pools(
        photos=read_photos(folder, part),
        sounds=_sounds(folder, folds),
        digits=_digits(folder, part),
        sentences=_sentences(folder, part),
    )


def read_photos(folder: Path, part: str) -> tuple[Photo, ...]:
    """The photos of one part of Flickr8k, and what is certain of each.

    Raises:
        InputError: a file that cannot be read.
    """
    file = f"flickr8k/{part}.parquet"
    captions = [row["captions"] for row in ParquetReader(folder / file).values("captions")]
    return tuple(Photo(Row(file, number), facts(written)) for number, written in enumerate(captions))


def _sounds(folder: Path, folds: Sequence[int]) -> tuple[Heard, ...]:
    file = "esc10/folds1to4.parquet"
    rows = ParquetReader(folder / file).values("class_name", "fold", "duration")
    return tuple(
        Heard(Row(file, number), row["class_name"], row["duration"])
        for number, row in enumerate(rows)
        if row["fold"] in folds
    )


def _digits(folder: Path, part: str) -> tuple[Heard, ...]:
    file = f"fsdd/{'test' if part == 'test' else 'train'}.parquet"
    rows = ParquetReader(folder / file).values("digit", "index", "duration")
    return tuple(
        Heard(Row(file, number), str(row["digit"]), row["duration"])
        for number, row in enumerate(rows)
        if part == "test" or (row["index"] in VALIDATION_INDEX) == (part == "val")
    )


def _sentences(folder: Path, part: str) -> tuple[str, ...]:
    """First captions of photos that are not in Flickr8k; of the validation file, every other row is for the test."""
    file = folder / "text" / "flickr30k_captions" / f"{'train' if part == 'train' else 'val'}.parquet"
    first = (row["captions"][0] for row in ParquetReader(file).values("captions"))
    return tuple(text for number, text in enumerate(first) if part == "train" or number % 2 == (part == "test"))
