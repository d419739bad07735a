"""The image teacher: a small int8 classifier that says what it sees, as a feature map and as logits.

Notable: the file only returns probabilities, so the two inner tensors we learn from are made outputs of the graph
itself; the fast kernels then still run (about 3 ms a photo on one core), which reading inner tensors would turn off.

h w map cells   t channels   l classes
"""

from pathlib import Path

import numpy as np
from PIL.Image import Image, Resampling

from mm_memgpt.types import InputError


class ImageTeacher:
    """A TensorFlow Lite classifier of 224 px photos.

    Args:
        path: the .tflite file.
        map_tensor: index of the last feature map in the file's graph.
        logit_tensor: index of the logits.

    Raises:
        InputError: the file is missing or is no TensorFlow Lite model.
        ImportError: LiteRT is not installed; the message names the extra.
    """

    def __init__(self, path: str | Path, map_tensor: int = 171, logit_tensor: int = 174) -> None:
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
        model.subgraphs[0].outputs = [map_tensor, logit_tensor]
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        self.interpreter = Interpreter(model_content=bytes(builder.Output()), num_threads=1)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self.size = int(self.input["shape"][1])
        self.outputs = {detail["index"]: detail for detail in self.interpreter.get_output_details()}
        self.map_tensor, self.logit_tensor = map_tensor, logit_tensor

    @property
    def channels(self) -> int:
        """t, width of the feature map."""
        return int(self.outputs[self.map_tensor]["shape"][-1])

    @property
    def classes(self) -> int:
        """l, number of classes."""
        return int(self.outputs[self.logit_tensor]["shape"][-1])

    def __call__(self, photo: Image) -> tuple[np.ndarray, np.ndarray]:
        """An RGB photo to its feature map (t, h, w) and logits (l), float32. It is squeezed to the teacher's square."""
        if photo.size != (self.size, self.size):
            photo = photo.resize((self.size, self.size), Resampling.BICUBIC)
        self.interpreter.set_tensor(self.input["index"], np.asarray(photo)[None])
        self.interpreter.invoke()
        return self._real(self.map_tensor)[0].transpose(2, 0, 1), self._real(self.logit_tensor)[0]

    def _real(self, index: int) -> np.ndarray:
        scale, zero = self.outputs[index]["quantization"]
        return (self.interpreter.get_tensor(index).astype(np.float32) - zero) * scale
