"""The maps of every file that memories are made from, by a model's own trunks.

Notable: the model's trunks run only for files that were never seen with these weights.
"""

import hashlib
import re
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from mm_memgpt.datasets.base import Reader
from mm_memgpt.datasets.camera import RULES
from mm_memgpt.datasets.sound import RATE
from mm_memgpt.encoders.image import pixel_statistics
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.training.examples import normalise
from mm_memgpt.training.maps import Maps, fingerprint, keep
from mm_memgpt.training.recipe import Source
from mm_memgpt.training.senses import Camera, Frames, Lips, Photos, Sounds, SpeechSounds
from mm_memgpt.training.sources import reader_of
from mm_memgpt.types import InputError


class Library:
    """Maps by file.

    Args:
        model: its trunks are frozen and stay as they are.
        root: folder the files' paths start from.
        folder: keeps the maps.
        ears: whether sounds will be asked for.

    Raises:
        InputError: the model has no ears though they are needed, or its keys are a trunk's own, or its sounds have
            another rate.
    """

    def __init__(self, model: MMMemGPTForConditionalGeneration, root: str, folder: Path, ears: bool = True) -> None:
        image, audio = model.config.image, model.config.audio
        if ears and audio is None:
            raise InputError("this model has no ears; give the recipe's key 'audio', or start from a model that hears")
        for name, config in (("image", image), ("audio", audio)):
            if config is not None and config.key != "learned":
                raise InputError(f"{name}.key {config.key!r}: only keys that are learned can be made from maps")
        if audio is not None and audio.rate != RATE:
            raise InputError(f"audio.rate {audio.rate}: the data's sounds come at {RATE}; set it to that")
        self.image_encoder, self.audio_encoder = model.image_encoder, model.audio_encoder
        self.statistics = pixel_statistics(model.config.image)
        self.root, self.folder = root, folder
        seen = (image.trunk, image.trunk_args, image.size)
        self.prints = {
            "photos": fingerprint(model.image_encoder.trunk, seen),
            "clips": fingerprint(model.image_encoder.trunk, (*seen, RULES)),
        }
        if audio is not None:
            heard = (audio.trunk, audio.trunk_args, audio.samples, audio.bins, audio.step, audio.mean, audio.std)
            self.prints["sounds"] = fingerprint(model.audio_encoder.trunk, heard)

    def photos(self, source: Source) -> Maps:
        """Of a source's photos, as they are and mirrored."""
        return keep(self._place("photos", source), self._reader(source), lambda: Photos(self.see))

    def sounds(self, source: Source) -> Maps:
        """Of a source's sounds, piece by piece, also cut half a piece later."""
        return keep(self._place("sounds", source), self._reader(source), lambda: Sounds(self.audio_encoder))

    def speech(self, source: Source) -> Maps:
        """Of a source's clips or sounds in which somebody talks, piece by piece, with and without noise."""
        return keep(
            self._place("sounds", source, "speech"), self._reader(source), lambda: SpeechSounds(self.audio_encoder)
        )

    def frames(self, source: Source) -> Maps:
        """Of a source's clips, a frame a second."""
        return keep(self._place("photos", source, "frames"), self._reader(source), lambda: Frames(self.see))

    def lips(self, source: Source, every: float) -> Maps:
        """Of a source's clips where they move most, a frame in so many seconds, as they are and mirrored."""
        name = f"lips_{every:g}"
        return keep(self._place("photos", source, name), self._reader(source), lambda: Lips(self.see, every))

    def clips(self, source: Source, count: int) -> Maps:
        """Of the clips that a made camera takes of a source's first `count` photos, frame by frame, by two moves."""
        rows = self._reader(source)
        count = min(count, len(rows))
        place = self._place("clips", source)
        return keep(place.with_name(f"{place.name}_{count}"), rows, lambda: Camera(self.see), count)

    def see(self, photos: list[Image.Image]) -> Tensor:
        """The image trunk's maps (n, c, h, w) of photos."""
        pixels = torch.stack([normalise(photo, self.statistics) for photo in photos])
        return self.image_encoder.perceive(self.image_encoder.trunk, pixels).map

    def _reader(self, source: Source) -> Reader:
        if source.streaming:
            raise InputError(f"{source.path}: is streamed, but its maps are kept; leave out streaming")
        return reader_of(self.root, source)

    def _place(self, kind: str, source: Source, what: str = "") -> Path:
        name = "_".join(each for each in (what, source.path, source.split) if each)
        if any(chosen := (source.images, source.columns, source.where, source.spare, source.spared)):
            name += f"_{hashlib.sha256(repr(chosen).encode()).hexdigest()[:12]}"
        return self.folder / self.prints[kind] / re.sub(r"[^\w.-]+", "_", name).strip("_")
