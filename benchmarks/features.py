"""Features of photos, computed once: the last map of a trunk or of the teacher, as fp16 arrays on disk.

Notable: an array is mapped, not loaded, so all rows of the benchmark share one copy; the captions beside the arrays are
written last, so a part that was cut short is never taken for a whole one.

n photos   c channels   h w map cells
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.image import create_trunk, feature_map, pixel_statistics
from mm_memgpt.knowledge.teacher import ImageTeacher
from mm_memgpt.training.examples import normalise
from mm_memgpt.training.weights import load_trunk
from mm_memgpt.types import Sample

BATCH = 32
VIEWS = {"plain": lambda photo: photo, "mirrored": ImageOps.mirror}


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
    captions = folder / "captions.json"
    if not captions.exists():
        folder.mkdir(parents=True, exist_ok=True)
        written = _compute(reader, count, features(), folder, views)
        captions.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")  # last: the part is whole
    sentences = json.loads(captions.read_text(encoding="utf-8"))
    return Part(sentences, [np.load(folder / f"{name}.npy", mmap_mode="r") for name in list(VIEWS)[:views]])


def _compute(
    reader: Sequence[Sample], count: int, features: Features, folder: Path, views: int
) -> list[tuple[str, ...]]:
    """Writes each view's maps, and returns the captions."""
    arrays, captions = {}, []
    for start in range(0, count, BATCH):
        samples = [reader[row] for row in range(start, min(start + BATCH, count))]
        captions += [sample.captions for sample in samples]
        for name in list(VIEWS)[:views]:
            maps = features([VIEWS[name](sample.image) for sample in samples]).half().numpy()
            if name not in arrays:
                shape = (count, *maps.shape[1:])
                arrays[name] = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float16, shape)
            arrays[name][start : start + len(maps)] = maps
    for array in arrays.values():
        array.flush()
    return captions


def digest(file: Path) -> str:
    """The first twelve digits of a file's SHA-256: which weights a figure was measured with."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
