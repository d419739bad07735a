"""The sound teacher, YAMNet: a small network that says which of 521 kinds of sound it hears, and how it knows.

Notable: its scores are independent, for a second may hold speech and rain; it hears 0.975 s at 16 kHz, which is why an
item of sound is as long; it opens its file anew in every process it is sent to.

t samples   e embedding   l classes
"""

from pathlib import Path

import numpy as np

from mm_memgpt.knowledge.lite import LiteGraph
from mm_memgpt.types import InputError

EMBEDDING, SCORES = 121, 123
"""Tensors of the file: the last map's mean, (1, e), and the scores, (1, l) from 0 to 1."""

RATE = 16_000
"""Samples a second that it hears."""

FORM = "YAMNet's .tflite file"


class SoundTeacher:
    """A TensorFlow Lite network of waveforms.

    Args:
        path: the .tflite file.
        embedding: number of the embedding in the file's graph.
        scores: number of the scores.

    Raises:
        InputError: the file is missing, no TensorFlow Lite model, or one of something else than sound.
        ImportError: LiteRT is not installed; the message names the extra.
    """

    def __init__(self, path: str | Path, embedding: int = EMBEDDING, scores: int = SCORES) -> None:
        self.path, self.embedding, self.scores = path, embedding, scores
        self.graph = LiteGraph(path, [embedding, scores], FORM)
        taken = tuple(map(int, self.graph.input["shape"]))
        given = [self.graph.shape(each) for each in (embedding, scores)]
        if len(taken) != 2 or any(len(shape) != 2 for shape in given):
            shapes = ", ".join(map(str, given))
            raise InputError(f"{path}: takes {taken} and gives {shapes}: it hears nothing; teacher must name {FORM}")
        self.samples = taken[1]
        self.width, self.classes = given[0][1], given[1][1]

    def __reduce__(self) -> tuple:
        return SoundTeacher, (self.path, self.embedding, self.scores)

    def __call__(self, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A waveform (t) from -1 to 1 at RATE to its embedding (e) and scores (l), float32.

        Raises:
            ValueError: another length than the teacher hears.
        """
        if waveform.shape != (self.samples,):
            raise ValueError(f"waveform {waveform.shape} must be ({self.samples},): {self.samples / RATE:g} seconds")
        said = self.graph(np.asarray(waveform, np.float32)[None])
        return said.real(self.embedding), said.real(self.scores)
