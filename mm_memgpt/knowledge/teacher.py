"""The image teacher: a small int8 classifier that says what it sees, stage by stage and as logits.

Notable: the file only returns probabilities, so what we learn from are its inner tensors (`lite`), at about 3 ms a
photo on one core.

h w map cells   t channels   l classes
"""

from pathlib import Path

import numpy as np
from PIL.Image import Image, Resampling

from mm_memgpt.knowledge.lite import LiteGraph

MOBILENET_V2_STAGES = (119, 130, 156, 170, 171)
"""Outputs of MobileNetV2's stages at strides 4, 8, 16 and 32, and the 1,280-channel map before its pooling."""


class ImageTeacher:
    """A TensorFlow Lite classifier of 224 px photos.

    Args:
        path: the .tflite file.
        maps: numbers of the feature maps in the file's graph, from fine to coarse; the last is the one before pooling.
        logits: number of the logits.

    Raises:
        InputError: the file is missing or is no TensorFlow Lite model.
        ImportError: LiteRT is not installed; the message names the extra.
    """

    def __init__(self, path: str | Path, maps: tuple[int, ...] = MOBILENET_V2_STAGES, logits: int = 174) -> None:
        self.graph = LiteGraph(path, [*maps, logits], "a .tflite classifier")
        self.size = int(self.graph.input["shape"][1])
        self.maps, self.logits = maps, logits

    @property
    def map_shapes(self) -> list[tuple[int, int, int]]:
        """(t, h, w) of each feature map."""
        return [(t, h, w) for _, h, w, t in map(self.graph.shape, self.maps)]

    @property
    def classes(self) -> int:
        """l, number of classes."""
        return self.graph.shape(self.logits)[-1]

    def __call__(self, photo: Image) -> tuple[list[np.ndarray], np.ndarray]:
        """An RGB photo, squeezed to the teacher's square, to its feature maps (t, h, w) and logits (l), float32."""
        if photo.size != (self.size, self.size):
            photo = photo.resize((self.size, self.size), Resampling.BICUBIC)
        said = self.graph(np.asarray(photo)[None])
        return [said.real(index).transpose(2, 0, 1) for index in self.maps], said.real(self.logits)
