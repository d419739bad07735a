"""What every library's adapter offers, and what they share: token layout, weight files, and the trimming of a tower.

Notable: an adapter is a module of plain functions and keeps nothing, so a trunk stays the library's own module with the
library's own parameter names; what the output never uses is dropped, found by walking the autograd graph.

b batch   h w pixels   c trunk width   t tokens   k width of the space shared with text
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn

from mm_memgpt.config import ImageConfig
from mm_memgpt.types import InputError

HUB = "hf-hub:"
"""Before the name of a model on the Hugging Face hub, as timm and open_clip write it."""
LOCAL = "local-dir:"
"""Before the path of a saved model's folder, as timm and open_clip write it."""


class PixelStatistics(NamedTuple):
    """What a trunk expects of its input: side in pixels, and mean and deviation of each channel (pixels in 0..1)."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class TrunkOutput(NamedTuple):
    """What a trunk says of photos."""

    map: Tensor
    """(b, c, rows, columns): the last feature map, top left first."""
    embedding: Tensor | None
    """(b, k): the photo's place in the space shared with text, not normalised; None where there is none."""


class Adapter(Protocol):
    """The functions of a library's adapter module."""

    def create(self, name: str, config: ImageConfig, weights: bool | str) -> nn.Module:
        """The library's tower: random (False), with its pretrained weights by name (True), or those of a file, a folder
        or a hub repository (`hf-hub:OWNER/NAME`)."""

    def statistics(self, name: str, config: ImageConfig) -> PixelStatistics:
        """The tower's own size, mean and deviation, with `config.size` where it is given."""

    def perceive(self, trunk: nn.Module, pixels: Tensor) -> TrunkOutput:
        """Normalised pixels (b, 3, h, w) through the tower."""

    def read(self, place: str, config: ImageConfig) -> ImageConfig:
        """`config` with the name and arguments of the saved model at a folder or `hf-hub:OWNER/NAME`."""


def unknown(library: str, name: str, known: Collection[str], usual: tuple[str, ...]) -> ValueError:
    """The error for a name the library does not have: it lists the closest ones, or the usual ones."""
    close = get_close_matches(name, known, n=5, cutoff=0.5) or usual
    return ValueError(f"{library} has no trunk {name!r}; try one of {', '.join(close)}")


def place_of(name: str) -> str | None:
    """Where a saved model lies, for a name that is a folder or a hub repository; None for a library's own name."""
    if name.startswith(HUB):
        return name
    path = Path(name.removeprefix(LOCAL)).expanduser()
    if name.startswith((LOCAL, ".", "~")) or path.is_absolute() or ("/" in name and path.is_dir()):
        return str(path)
    return HUB + name if "/" in name else None


def weight_file(place: str) -> Path:
    """The file of weights at a path: the path itself, or the one safetensors (else .bin, .pt, .pth) file in a folder.

    Raises:
        InputError: there is no such path, or no file or several in it.
    """
    path = Path(place).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; give a safetensors file or the folder of a saved model")
    for kinds in (["*.safetensors"], ["*.bin", "*.pt", "*.pth"]):
        if found := sorted(file for kind in kinds for file in path.glob(kind)):
            if len(found) > 1:
                raise InputError(f"{path}: has {len(found)} files of weights; name one, such as {found[0]}")
            return found[0]
    raise InputError(f"{path}: no weights (*.safetensors, *.bin, *.pt) in it; give the folder of a saved model")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name of a safetensors file or a PyTorch one (read without running code)."""
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def first_line(error: Exception) -> str:
    """The first sentence of a library's message on one line, or the error's kind where it has none."""
    lines = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1]).rstrip(".:")[:200]


@contextmanager
def loading(trunk: str, weights: bool | str) -> Iterator[None]:
    """Turns what goes wrong while weights are fetched or loaded into one line with the ways out.

    Raises:
        InputError: the hub is out of reach, or what lies at the path are not this trunk's weights.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a border to libraries that each raise their own kinds
        reason = first_line(error)
        if weights is True or str(weights).startswith(HUB):
            raise InputError(
                f"{trunk}: its pretrained weights cannot be fetched ({reason}); connect to their hub, or give a local "
                "file or folder: pretrained='PATH'"
            ) from error
        raise InputError(
            f"{weights}: not what {trunk} can load ({reason}); give a file or folder of its own"
        ) from error


def lay_out(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """Tokens (b, t, c), row by row, as a map (b, c, rows, columns); class and register tokens in front are left out.

    Raises:
        ValueError: there are fewer tokens than cells.
    """
    if tokens.shape[1] < rows * columns:
        raise ValueError(f"{tokens.shape[1]} tokens do not fill a map of {rows}x{columns}; try another trunk")
    return rearrange(tokens[:, tokens.shape[1] - rows * columns :], "b (r s) c -> b c r s", r=rows)


def keep_buffers(trunk: nn.Module) -> None:
    """Makes every buffer part of the saved state: transformers fills those that are not with anything on loading."""
    for module in trunk.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            module.register_buffer(name, buffer, persistent=True)


def drop_unused(trunk: nn.Module, outputs: list[Tensor]) -> None:
    """Drops the parameters that none of the outputs was computed from: whole modules become the identity."""
    used = {id(parameter) for parameter in trunk.parameters() if not parameter.requires_grad}
    seen, nodes = set(), [output.grad_fn for output in outputs]
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            used.add(id(getattr(node, "variable", None)))
            nodes += [following for following, _ in node.next_functions]
    _drop(trunk, used)


def _drop(module: nn.Module, used: set[int]) -> None:
    for name, parameter in list(module.named_parameters(recurse=False)):
        if id(parameter) not in used:
            setattr(module, name, None)
    for name, child in list(module.named_children()):
        parameters = list(child.parameters())
        if parameters and not any(id(parameter) in used for parameter in parameters):
            setattr(module, name, nn.Identity())
        else:
            _drop(child, used)
