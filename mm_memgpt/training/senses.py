"""What turns samples into pieces for a trunk: photos, sounds, speech in noise, frames, lips, a made camera's clips.

Notable: each perceives a sample in one view or several, and a view of a sample is the same for ever: what is drawn for
it is drawn from its source's name.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import torch
from PIL import Image, ImageOps
from torch import Tensor

from mm_memgpt.datasets.camera import move_of, watched
from mm_memgpt.datasets.clip import Clip, open_clip
from mm_memgpt.datasets.sound import pieces
from mm_memgpt.encoders.audio import AudioEncoder
from mm_memgpt.training.hearing import sound_of
from mm_memgpt.training.maps import Piece
from mm_memgpt.training.sound_pieces import noise, over
from mm_memgpt.types import InputError, Sample

SPEECH_SNR = {"noisy": (-2.0, 4.0), "noisier": (-5.0, 1.0)}
"""Decibels by which speech is louder than the noise over it, at least and at most."""

PHOTO_VIEWS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "plain": lambda photo: photo,
    "mirrored": ImageOps.mirror,
}


class Photos:
    """Photos, a piece each, as `see` perceives them; with two views, mirrored as well."""

    def __init__(self, see: Callable[[list[Image.Image]], Tensor], views: int = 2) -> None:
        self.perceive, self.views = see, tuple(PHOTO_VIEWS)[:views]

    def pieces(self, sample: Sample, view: str) -> list[Piece]:
        """The photo of a sample."""
        if sample.image is None:
            raise InputError(f"{sample.source}: has no photo; name the column of photos")
        return [Piece(PHOTO_VIEWS[view](sample.image))]


class Camera:
    """Clips that a made camera takes of photos, a piece each frame that is kept; with two views, by two moves."""

    def __init__(self, see: Callable[[list[Image.Image]], Tensor], views: int = 2) -> None:
        self.perceive, self.views = see, ("plain", "again")[:views]

    def pieces(self, sample: Sample, view: str) -> list[Piece]:
        """The frames of a clip of a sample's photo."""
        if sample.image is None:
            raise InputError(f"{sample.source}: has no photo; name the column of photos")
        clip = watched(sample.image, move_of(sample.source, view))
        return [Piece(moment.photo, (moment.start, moment.end)) for moment in clip]


class Sounds:
    """Sounds in pieces as the encoder hears them; with two views, also cut half a piece later."""

    def __init__(self, encoder: AudioEncoder, views: int = 2) -> None:
        self.encoder, self.views = encoder, ("plain", "later")[:views]

    def pieces(self, sample: Sample, view: str) -> list[Piece]:
        """The pieces of a sample's sound; seen later, the first begins with silence."""
        if sample.sound is None:
            raise InputError(f"{sample.source}: has no sound; name the column of sounds")
        config = self.encoder.config
        silence = config.samples // 2 if view == "later" else 0
        heard = torch.nn.functional.pad(sample.sound, (silence, 0))
        waveforms, time = pieces(heard, config.rate, config.seconds, -silence / config.rate)
        return [Piece(each, tuple(when)) for each, when in zip(waveforms, time.clamp_min(0).tolist(), strict=True)]

    def perceive(self, contents: list[Tensor]) -> Tensor:
        """Pieces (t) as maps."""
        return self.encoder.listen(torch.stack(contents)).map


class SpeechSounds(Sounds):
    """As `Sounds`, of clips too, and half of the views in white noise, each of its own strength."""

    def __init__(self, encoder: AudioEncoder) -> None:
        super().__init__(encoder)
        self.views = (*self.views, "noisy", "noisier")

    def pieces(self, sample: Sample, view: str) -> list[Piece]:
        """The pieces of a sample's or a clip's sound."""
        sound, generator = sound_of(sample), Random(f"{view} {sample.source}")
        if view in ("plain", "later"):
            return super().pieces(replace(sample, sound=sound), view)
        noisy = over(sound, noise(len(sound), False, generator), generator.uniform(*SPEECH_SNR[view]))
        return super().pieces(replace(sample, sound=noisy / noisy.abs().max().clamp_min(1)), "plain")


class Frames:
    """Frames of clips, at most one in `every` seconds, as `see` perceives them."""

    def __init__(self, see: Callable[[list[Image.Image]], Tensor], every: float = 1.0) -> None:
        self.perceive, self.every, self.views = see, every, ("plain",)

    def pieces(self, sample: Sample, view: str) -> list[Piece]:
        """The frames of a sample's clip."""
        with self.opened(sample) as clip:
            return [
                Piece(PHOTO_VIEWS[view](moment.photo), (moment.start, moment.end))
                for moment in clip
                if moment.photo is not None
            ]

    def opened(self, sample: Sample) -> Clip:
        """The sample's clip."""
        return open_clip(sample.clip, self.every, name=sample.source)


class Lips(Frames):
    """What moves most in the frames of clips, frame by frame; also mirrored."""

    def __init__(self, see: Callable[[list[Image.Image]], Tensor], every: float) -> None:
        super().__init__(see, every)
        self.views = tuple(PHOTO_VIEWS)

    def opened(self, sample: Sample) -> Clip:
        return open_clip(sample.clip, self.every, alike=None, name=sample.source, region="motion")
