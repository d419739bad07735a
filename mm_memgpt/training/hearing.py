"""One sound made into what a trunk and its teacher hear, with the label it has, if it has one.

Notable: sounds are decoded once a process and kept as 16-bit samples, because decoding five seconds takes longer than
learning from a piece of them; a clip is a sound, its pictures are not decoded.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mm_memgpt.config import AudioConfig
from mm_memgpt.datasets.sound import as_sound, pieces
from mm_memgpt.datasets.templates import NUMBERS
from mm_memgpt.encoders.audio import resolve
from mm_memgpt.knowledge.sound_teacher import RATE, SoundTeacher
from mm_memgpt.objectives.hearing import NO_LABEL, SILENCE
from mm_memgpt.presets import PRESETS
from mm_memgpt.training.recipe import DataSettings, Recipe, SoundAugment
from mm_memgpt.training.sound_pieces import augmented, loudest
from mm_memgpt.training.sources import reader_of
from mm_memgpt.types import InputError, Sample

FULL_SCALE = 2**15 - 1
"""The whole number that stands for 1 where sounds are kept."""


def sound_of(sample: Sample) -> Tensor:
    """The sample's sound, or its clip's, (t,) at RATE. Raises InputError, which names the sample, where it has none."""
    if sample.sound is not None:
        return sample.sound
    if sample.clip is None:
        raise InputError(f"{sample.source}: has no sound; hearing needs a column of sounds or clips")
    return as_sound(sample.clip, RATE, sample.source)


def label_of(sample: Sample) -> str | None:
    """What people call the sound: its class, or the digit that is spoken as a word; None where nobody said."""
    if sample.class_name is not None:
        return sample.class_name
    return None if sample.digit is None else NUMBERS[sample.digit]


def words_of(sample: Sample) -> tuple[tuple[str, float, float], ...]:
    """The words spoken in it, each with start and end in seconds; a spoken digit is one word that fills its sound."""
    if sample.digit is None or sample.words:
        return sample.words
    return ((NUMBERS[sample.digit], 0.0, len(sound_of(sample)) / RATE),)


class KeptSounds(Sequence[Sample]):
    """The samples of a reader with their sounds, decoded when first asked for and then kept, 32 kB a second.

    Of clips the sound alone is kept; what was kept does not travel to another process.
    """

    def __init__(self, reader: Sequence[Sample]) -> None:
        self.reader = reader
        self.kept: dict[int, Sample] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "kept": {}}

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, index: int) -> Sample:
        if index not in self.kept:
            sample = self.reader[index]
            whole = (sound_of(sample) * FULL_SCALE).round().to(torch.int16)
            self.kept[index] = replace(sample, sound=whole, clip=None, image=None)
        kept = self.kept[index]
        return replace(kept, sound=kept.sound.float() / FULL_SCALE)


def open_sounds(data: DataSettings) -> list[KeptSounds]:
    """The training sources of a recipe.

    Raises:
        InputError: a source is not there, or to be streamed or laid into mosaics.
    """
    if odd := [source.path for source in data.train if source.streaming or source.mosaic > 1]:
        raise InputError(f"{odd[0]}: sounds are neither streamed nor laid into mosaics; leave out streaming and mosaic")
    return [KeptSounds(reader_of(data.root, source)) for source in data.train]


def audio_config(recipe: Recipe) -> AudioConfig:
    """How the recipe's model hears.

    Raises:
        InputError: neither the recipe nor its preset says so.
    """
    config = PRESETS[recipe.preset]().audio if recipe.audio is None else recipe.audio
    if config is None:
        raise InputError(f"preset {recipe.preset} hears nothing; add the key 'audio', {{}} for its defaults")
    return resolve(config)


class HearingExample:
    """A piece of a sound, what the teacher says of that very piece, the number of its label and those of its words.

    Args:
        teacher: its file.
        labels: those that are told apart, by number; a sample with another one is refused, unless there are none.
        augment: how training changes a sound; without it, its loudest piece is heard as it is.
        others: samples that may be heard beneath.
        words: those that are told apart, by number; a sample with another one is refused, unless there are none.
        places: where in a piece words are told, evenly.
    """

    def __init__(
        self,
        teacher: Path,
        labels: Sequence[str],
        augment: SoundAugment | None = None,
        others: Sequence[Sequence[Sample]] = (),
        words: Sequence[str] = (),
        places: int = 1,
    ) -> None:
        self.path, self.labels, self.augment, self.others = teacher, list(labels), augment, others
        self.words, self.places = list(words), places
        self.teacher: SoundTeacher | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "teacher": None}

    def __call__(self, sample: Sample, generator: random.Random) -> dict[str, Any]:
        if self.teacher is None:
            self.teacher = SoundTeacher(self.path)
        label = self._number(sample)
        sound, samples = sound_of(sample), self.teacher.samples
        if self.augment is None:
            waveforms, time = pieces(sound, RATE, samples / RATE)
            chosen = loudest(waveforms)
            piece, start = waveforms[chosen], round(time[chosen, 0].item() * RATE)
        else:
            piece, start = augmented(sound, samples, self.augment, lambda: self._another(generator), generator)
        embedding, scores = self.teacher(piece.numpy())
        return {
            "input_values": piece,
            "teacher_embedding": torch.from_numpy(embedding),
            "teacher_scores": torch.from_numpy(scores),
            "labels": label,
            "words": self._spoken(sample, start / RATE, samples / RATE),
        }

    def _another(self, generator: random.Random) -> Tensor:
        reader = self.others[generator.randrange(len(self.others))]
        return sound_of(reader[generator.randrange(len(reader))])

    def _spoken(self, sample: Sample, start: float, seconds: float) -> Tensor:
        """The word at each place of the piece that starts there, (s) int64."""
        spoken = words_of(sample) if self.words else ()
        numbers = torch.full((self.places,), SILENCE if spoken else NO_LABEL)
        middle = start + (torch.arange(self.places) + 0.5) / self.places * seconds
        for word, begin, end in spoken:
            if word not in self.words:
                raise InputError(f"{sample.source}: {word!r} is not among words; add it there, or leave the rows out")
            numbers[(middle >= begin) & (middle < end)] = self.words.index(word) + SILENCE + 1
        return numbers

    def _number(self, sample: Sample) -> int:
        label = label_of(sample)
        if label is None or not self.labels:
            return NO_LABEL
        if label not in self.labels:
            raise InputError(f"{sample.source}: {label!r} is not among labels; add it there, or leave the rows out")
        return self.labels.index(label)
