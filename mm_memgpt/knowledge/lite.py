"""TensorFlow Lite files as teachers: their inner tensors made outputs of the graph itself.

Notable: the fast kernels then still run, which reading inner tensors from outside would turn off; what a file says is
given as real numbers, whatever it computes in.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mm_memgpt.types import InputError


class LiteGraph:
    """A TensorFlow Lite network of one input that gives the tensors asked for.

    Args:
        path: the .tflite file.
        tensors: numbers of the tensors in the file's graph.
        form: what the file must be, in words, for the message that it is not.

    Raises:
        InputError: the file is missing, no TensorFlow Lite model, broken, or without these tensors.
        ImportError: LiteRT is not installed; the message names the extra.
    """

    def __init__(self, path: str | Path, tensors: Sequence[int], form: str) -> None:
        try:
            import flatbuffers
            from ai_edge_litert import schema_py_generated as schema
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError('the teacher needs LiteRT: pip install "mm-memgpt[train]"') from error
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file; teacher must name {form}")
        content = path.read_bytes()
        if content[4:8] != b"TFL3":
            raise InputError(f"{path}: not a TensorFlow Lite model; teacher must name {form}")
        try:
            model = schema.ModelT.InitFromPackedBuf(content, 0)
            model.subgraphs[0].outputs = list(tensors)
            builder = flatbuffers.Builder(len(content))
            builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
            self.interpreter = Interpreter(model_content=bytes(builder.Output()), num_threads=1)
            self.interpreter.allocate_tensors()
            self.outputs = {detail["index"]: detail for detail in self.interpreter.get_output_details()}
        except Exception as error:  # a broken file fails wherever it happens to, and each place raises its own kind
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{path}: broken, or another network ({said}); teacher must name {form}") from None
        self.input = self.interpreter.get_input_details()[0]

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of an output."""
        return tuple(map(int, self.outputs[tensor]["shape"]))

    def __call__(self, value: np.ndarray) -> "LiteGraph":
        """Runs the network on its one input; `real` then reads the outputs."""
        self.interpreter.set_tensor(self.input["index"], value)
        self.interpreter.invoke()
        return self

    def real(self, tensor: int) -> np.ndarray:
        """An output as float32, the batch of one taken off."""
        detail: dict[str, Any] = self.outputs[tensor]
        value = self.interpreter.get_tensor(tensor)[0]
        if value.dtype == np.float32:
            return value
        scale, zero = detail["quantization"]
        return (value.astype(np.float32) - zero) * np.float32(scale)
