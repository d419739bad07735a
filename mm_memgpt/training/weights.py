"""Trunks that an earlier run kept, put where the next run starts."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from mm_memgpt.types import InputError


def load_trunk(trunk: nn.Module, path: Path, key: str = "trunk", run: str = "distillation") -> None:
    """Puts the weights that a run kept into a trunk of the same shape.

    Args:
        trunk: its parameters and buffers are overwritten.
        path: what the run kept.
        key: the recipe's key that names it, for messages.
        run: the objective that keeps such a file, likewise.

    Raises:
        InputError: the file is missing, no safetensors file, or holds another trunk.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; {key} must name the {key}.safetensors of a {run}")
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file ({error}); give what a {run} kept") from None
    here, due = ({name: value.shape for name, value in each.items()} for each in (weights, trunk.state_dict()))
    if odd := sorted(name for name in {*here, *due} if here.get(name) != due.get(name)):
        raise InputError(f"{path}: {odd[0]} is not as in the preset's {key}; distil one of the same preset")
    trunk.load_state_dict(weights)
