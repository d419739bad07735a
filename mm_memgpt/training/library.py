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
from mm_memgpt.training.maps import Camera, Maps, Photos, Sounds, fingerprint, keep
from mm_memgpt.training.recipe import Source
from mm_memgpt.training.sources import reader_of
from mm_memgpt.types import InputError


class Library:
    """Maps by file.

    Args:
        model: both of its trunks are frozen and stay as they are.
        root: folder the files' paths start from.
        folder: keeps the maps.

    Raises:
        InputError: the model has no ears, or its keys are a trunk's own, or its sounds have another rate.
    """

    def __init__(self, model: MMMemGPTForConditionalGeneration, root: str, folder: Path) -> None:
        if model.audio_encoder is None:
            raise InputError("this model has no ears; give the recipe's key 'audio', or start from a model that hears")
        for name, config in (("image", model.config.image), ("audio", model.config.audio)):
            if config.key != "learned":
                raise InputError(f"{name}.key {config.key!r}: only keys that are learned can be made from maps")
        if model.config.audio.rate != RATE:
            raise InputError(f"audio.rate {model.config.audio.rate}: the data's sounds come at {RATE}; set it to that")
        self.image_encoder, self.audio_encoder = model.image_encoder, model.audio_encoder
        self.statistics = pixel_statistics(model.config.image)
        self.root, self.folder = root, folder
        image, audio = model.config.image, model.config.audio
        heard = (audio.trunk, audio.trunk_args, audio.samples, audio.bins, audio.mean, audio.std)
        self.prints = {
            "photos": fingerprint(model.image_encoder.trunk, (image.trunk, image.trunk_args, image.size)),
            "sounds": fingerprint(model.audio_encoder.trunk, heard),
            "clips": fingerprint(model.image_encoder.trunk, (image.trunk, image.trunk_args, image.size, RULES)),
        }

    def photos(self, source: Source) -> Maps:
        """Of a source's photos, as they are and mirrored."""
        return keep(self._place("photos", source), self._reader(source), lambda: Photos(self.see))

    def sounds(self, source: Source) -> Maps:
        """Of a source's sounds, piece by piece, also cut half a piece later."""
        return keep(self._place("sounds", source), self._reader(source), lambda: Sounds(self.audio_encoder))

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

    def _place(self, kind: str, source: Source) -> Path:
        name = "_".join([source.path, *([source.split] if source.split else [])])
        if any(chosen := (source.images, source.columns, source.where)):
            name += f"_{hashlib.sha256(repr(chosen).encode()).hexdigest()[:12]}"
        return self.folder / self.prints[kind] / re.sub(r"[^\w.-]+", "_", name).strip("_")
