"""The image teacher: a small int8 classifier that says what it sees, stage by stage and as logits.

Notable: the file only returns probabilities, so the inner tensors we learn from are made outputs of the graph itself;
the fast kernels then still run (about 3 ms a photo on one core), which reading inner tensors would turn off.

h w map cells   t channels   l classes
"""

from pathlib import Path

import numpy as np
from PIL.Image import Image, Resampling

from mm_memgpt.types import InputError

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
        try:
            import flatbuffers
            from ai_edge_litert import schema_py_generated as schema
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError('the teacher needs LiteRT: pip install "mm-memgpt[train]"') from error
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file; teacher must name a .tflite classifier")
        content = path.read_bytes()
        if content[4:8] != b"TFL3":
            raise InputError(f"{path}: not a TensorFlow Lite model; teacher must name a .tflite classifier")
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        model.subgraphs[0].outputs = [*maps, logits]
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        self.interpreter = Interpreter(model_content=bytes(builder.Output()), num_threads=1)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self.size = int(self.input["shape"][1])
        self.outputs = {detail["index"]: detail for detail in self.interpreter.get_output_details()}
        self.maps, self.logits = maps, logits

    @property
    def map_shapes(self) -> list[tuple[int, int, int]]:
        """(t, h, w) of each feature map."""
        shapes = (self.outputs[index]["shape"] for index in self.maps)
        return [(int(t), int(h), int(w)) for _, h, w, t in shapes]

    @property
    def classes(self) -> int:
        """l, number of classes."""
        return int(self.outputs[self.logits]["shape"][-1])

    def __call__(self, photo: Image) -> tuple[list[np.ndarray], np.ndarray]:
        """An RGB photo, squeezed to the teacher's square, to its feature maps (t, h, w) and logits (l), float32."""
        if photo.size != (self.size, self.size):
            photo = photo.resize((self.size, self.size), Resampling.BICUBIC)
        self.interpreter.set_tensor(self.input["index"], np.asarray(photo)[None])
        self.interpreter.invoke()
        return [self._real(index)[0].transpose(2, 0, 1) for index in self.maps], self._real(self.logits)[0]

    def _real(self, index: int) -> np.ndarray:
        scale, zero = self.outputs[index]["quantization"]
        return (self.interpreter.get_tensor(index).astype(np.float32) - zero) * np.float32(scale)
