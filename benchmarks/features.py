"""Features of photos, computed once: the last map of a trunk or of the teacher, kept on disk as training keeps them.

n photos   c channels   h w map cells
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.image import create_trunk, feature_map, pixel_statistics
from mm_memgpt.knowledge.teacher import ImageTeacher
from mm_memgpt.training.examples import normalise
from mm_memgpt.training.maps import keep
from mm_memgpt.training.senses import Photos
from mm_memgpt.training.weights import load_trunk
from mm_memgpt.types import InputError, Sample


class Features(Protocol):
    """What turns photos into maps; `parameters` are counted with each row that reads them."""

    parameters: int

    def __call__(self, photos: Sequence[Image.Image]) -> Tensor:
        """Maps (n, c, h, w), float32."""


class TrunkFeatures:
    """The last map of a distilled trunk, in evaluation mode.

    Raises:
        InputError: the file is missing, or holds another trunk than the config's.
    """

    def __init__(self, config: ImageConfig, weights: Path) -> None:
        self.trunk, self.statistics = create_trunk(config).eval(), pixel_statistics(config)
        load_trunk(self.trunk, weights)
        self.parameters = sum(parameter.numel() for parameter in self.trunk.parameters())

    @torch.inference_mode()
    def __call__(self, photos: Sequence[Image.Image]) -> Tensor:
        return feature_map(self.trunk, torch.stack([normalise(photo, self.statistics) for photo in photos]))


class TeacherFeatures:
    """The teacher's last map.

    Raises:
        InputError: the file is missing or no TensorFlow Lite model.
    """

    parameters = 3_489_097 - 1001 * (1280 + 1)
    """Of the float network, as the data's README counts them, without the classifier."""

    def __init__(self, path: Path) -> None:
        self.teacher = ImageTeacher(path)

    def __call__(self, photos: Sequence[Image.Image]) -> Tensor:
        return torch.stack([torch.from_numpy(self.teacher(photo)[0][-1]) for photo in photos])


class Part(NamedTuple):
    """A part of the data: what people wrote, and the photos' maps."""

    captions: list[list[str]]
    """Of each of the n photos."""
    views: list[np.ndarray]
    """(n, c, h, w) fp16 each: the photos as they are, then perhaps mirrored."""


def part(reader: Sequence[Sample], count: int, features: Callable[[], Features], folder: Path, views: int = 1) -> Part:
    """Captions and maps of the first `count` samples, read from the folder or, the first time, computed into it.

    Args:
        reader: asked for its samples only the first time.
        count: how many.
        features: makes what sees them, likewise.
        folder: keeps them.
        views: 2 to see every photo mirrored as well.

    Raises:
        InputError: a photo cannot be read.
    """
    maps = keep(folder, reader, lambda: Photos(features(), views), count)
    if maps.broken:
        raise InputError(next(iter(maps.broken.values())))
    return Part([list(each) for each in maps.captions], [maps.array(view) for view in maps.views[:views]])


def digest(file: Path) -> str:
    """The first twelve digits of a file's SHA-256: which weights a figure was measured with."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
