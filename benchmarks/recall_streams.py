"""Streams for `benchmarks.recall`: a few things seen and heard again and again, and among them things that come once.

Notable: all keys are a model's own, of test photos and of sounds that it did not learn from, and kept in a file of its
weights' name; what comes again comes in one of many views, and a cue was never in the stream.

n items   k key width   t things   v views
"""

import argparse
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from benchmarks.features import digest
from mm_memgpt.datasets.base import read
from mm_memgpt.datasets.sound import RATE, pieces
from mm_memgpt.models.loading import find
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.training.sound_pieces import audible
from mm_memgpt.types import MODALITIES

PHOTO, SOUND = MODALITIES.index("image"), MODALITIES.index("audio")
OFTEN_PHOTOS, OFTEN_SOUNDS = 6, 2
"""Photos and kinds of sound that a stream shows again and again."""

CANDIDATES, VIEWS = 48, 32
"""Photos that may be those, and how many views there are of each."""

SCENE = 8
"""Mean number of items before the scene changes."""

FRESH, NEWEST = 8, 16
"""A stream ends with so many items, of which so many are things that had never come."""

RECENT = 500
"""Of the items before the end, so many hold nothing that is asked for as long ago."""

BATCH = 64
"""Photos looked at, at a time."""


class Pool(NamedTuple):
    """Keys of all that streams are made of."""

    views: np.ndarray
    """(CANDIDATES, v, k): crops of the photos that may come often, mirrored or not."""
    once: np.ndarray
    """(photos, k): a crop of every photo."""
    photos: np.ndarray
    """(photos, k): the cues, the photos as they are."""
    captions: np.ndarray
    """(photos, k): of a sentence that someone wrote of each."""
    heard: np.ndarray
    """(pieces, k): audible pieces of sounds."""
    recording: np.ndarray
    """(pieces,): which sound each is a piece of."""
    kind: np.ndarray
    """(pieces,): what kind of sound that is."""


def view(photo: Image.Image, chance: Random) -> Image.Image:
    """A crop of 70 to 100% of each side, mirrored half of the time."""
    wide, high = (round(side * chance.uniform(0.7, 1)) for side in photo.size)
    left, top = chance.randint(0, photo.width - wide), chance.randint(0, photo.height - high)
    cropped = photo.crop((left, top, left + wide, top + high))
    return ImageOps.mirror(cropped) if chance.random() < 0.5 else cropped


def photo_keys(model: Pipeline, photos: Sequence[Image.Image]) -> np.ndarray:
    """Keys (n, k) of photos."""
    parts = [photos[start : start + BATCH] for start in range(0, len(photos), BATCH)]
    return np.concatenate([model.encode(part).key[0].float().numpy() for part in parts])


def perceive(model: Pipeline, given: argparse.Namespace) -> Pool:
    """Looks at the photos and listens to the sounds."""
    samples, chance = list(read(given.data / "flickr8k" / "test.parquet")), Random(0)
    photos = [sample.image for sample in samples]
    often = photos[:CANDIDATES]
    views = [photo_keys(model, [view(photo, chance) for _ in range(VIEWS)]) for photo in often]
    captions = [model.text_keys([sample.captions[0]])[0].float().numpy() for sample in samples]
    heard, recording, kind = [], [], []
    for number, sample in enumerate(read(given.data / "esc10" / "folds1to4.parquet", where={"fold": given.fold})):
        keys = model.encode([(sample.sound.numpy(), RATE)]).key[0].float().numpy()
        real = audible(pieces(sample.sound, seconds=model.model.config.audio.seconds)[0]).numpy()
        heard.append(keys[real])
        recording += [number] * int(real.sum())
        kind += [sample.label] * int(real.sum())
    once = photo_keys(model, [view(photo, chance) for photo in photos])
    sounds = (np.concatenate(heard), np.array(recording), np.array(kind))
    return Pool(np.stack(views), once, photo_keys(model, photos), np.stack(captions), *sounds)


def pool(given: argparse.Namespace) -> Pool:
    """The keys, from the output folder where this model has perceived them before."""
    file = given.output / f"{digest(find(given.model) / 'model.safetensors')}-fold{given.fold}.npz"
    if not file.exists():
        found = perceive(load(given.model, "cpu"), given)
        given.output.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished.npz")
        np.savez(unfinished, **found._asdict())
        unfinished.replace(file)
    with np.load(file) as kept:
        return Pool(**kept)


class Stream(NamedTuple):
    """A stream, and what is asked about it."""

    keys: np.ndarray
    """(n, k)."""
    modality: np.ndarray
    """(n,)."""
    thing: np.ndarray
    """(n,)."""
    cues: np.ndarray
    """(t, k)."""
    captions: np.ndarray
    """(t, k): NaN for what has none."""
    then: np.ndarray
    """(t,) bool: what came once, long ago."""
    now: np.ndarray
    """(t,) bool: what is among the newest items."""


class Things:
    """The things of a stream: of each a modality, the keys of its views, its cue and perhaps a caption's key."""

    def __init__(self, pool: Pool, chance: np.random.Generator, rare: int) -> None:
        self.pool, self.chance = pool, chance
        self.modality: list[int] = []
        self.views: list[np.ndarray] = []
        self.cues: list[np.ndarray] = []
        self.captions: list[np.ndarray] = []
        once = CANDIDATES + chance.permutation(len(pool.photos) - CANDIDATES)
        kinds = list(chance.permutation(np.unique(pool.kind)))
        for photo in chance.permutation(CANDIDATES)[:OFTEN_PHOTOS]:
            self._add(PHOTO, pool.views[photo], pool.photos[photo], pool.captions[photo])
        for kind in kinds[:OFTEN_SOUNDS]:
            self._add_kind(kind)
        self.often = len(self.cues)
        sounds = kinds[OFTEN_SOUNDS:]
        fresh_sounds = sounds[: FRESH // 4]
        self._add_once(once[: FRESH - len(fresh_sounds)], fresh_sounds)
        self.fresh = slice(self.often, len(self.cues))
        rare_sounds = sounds[FRESH // 4 :][: rare // 4]
        self._add_once(once[FRESH:][: rare - len(rare_sounds)], rare_sounds)
        self.rare = slice(self.fresh.stop, len(self.cues))

    def _add(self, modality: int, views: np.ndarray, cue: np.ndarray, caption: np.ndarray | None = None) -> None:
        self.modality.append(modality)
        self.views.append(views)
        self.cues.append(cue)
        self.captions.append(np.full_like(cue, np.nan) if caption is None else caption)

    def _add_kind(self, kind: int) -> None:
        """A kind of sound: the views are pieces of all its recordings but one, of which a piece is the cue."""
        pool = self.pool
        apart = self.chance.choice(np.unique(pool.recording[pool.kind == kind]))
        cue = self.chance.choice(np.flatnonzero(pool.recording == apart))
        self._add(SOUND, pool.heard[(pool.kind == kind) & (pool.recording != apart)], pool.heard[cue])

    def _add_once(self, photos: np.ndarray, kinds: Sequence[int]) -> None:
        """Photos, and of each kind of sound one recording: a piece that comes, and another as its cue."""
        pool = self.pool
        for photo in photos:
            self._add(PHOTO, pool.once[photo, None], pool.photos[photo], pool.captions[photo])
        for kind in kinds:
            recordings, counts = np.unique(pool.recording[pool.kind == kind], return_counts=True)
            pieces_of = np.flatnonzero(pool.recording == self.chance.choice(recordings[counts > 1]))
            one, other = self.chance.choice(pieces_of, 2, replace=False)
            self._add(SOUND, pool.heard[one, None], pool.heard[other])


def make(pool: Pool, items: int, rare: int, seed: int) -> Stream:
    """A stream of scenes, with what comes once at places drawn evenly."""
    chance = np.random.default_rng(seed)
    things = Things(pool, chance, rare)
    thing, shown = np.zeros(items, int), 0
    for place in range(items):
        if chance.random() < 1 / SCENE:
            shown = chance.integers(things.often)
        thing[place] = shown
    thing[chance.permutation(items - RECENT)[:rare]] = chance.permutation(
        np.arange(things.rare.start, things.rare.stop)
    )
    thing[items - NEWEST :: NEWEST // FRESH] = chance.permutation(np.arange(things.fresh.start, things.fresh.stop))
    then, now = np.zeros((2, len(things.cues)), bool)
    then[things.rare], now[thing[-NEWEST:]] = True, True
    keys = np.stack([chance.choice(things.views[each]) for each in thing])
    modality = np.array(things.modality)[thing]
    return Stream(keys, modality, thing, np.stack(things.cues), np.stack(things.captions), then, now)
