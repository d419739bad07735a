"""Model folders: found by name, read whole, and refused where they are not exactly what the model needs.

Notable: a missing, left-over or wrongly sized weight is an error that names it, never a random start; only
safetensors are read, because unpickling runs code.
"""

import json
import re
from pathlib import Path

import torch
from safetensors import SafetensorError

from mm_memgpt.config import MMMemGPTConfig
from mm_memgpt.models.auto import model_class
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.models.quiet import quiet
from mm_memgpt.types import InputError

SHIPPED = Path(__file__).resolve().parents[1] / "weights"
"""Where the models that ship in the package lie, each in a folder of its name."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""File endings under which pickled weights travel."""

HUB_NAME = re.compile(r"\w[\w.-]*/[\w.-]+")


def find(name: str) -> Path:
    """The folder of the model called `name`: one that ships in the package, a folder, or a hub name ("owner/model").

    A folder wins over a hub name; "./nano" is a folder called nano beside you, "nano" the model that ships.

    Raises:
        InputError: there is no such model, or the hub does not give it.
    """
    shipped = sorted(path.name for path in SHIPPED.glob("*/"))
    if name in shipped:
        return SHIPPED / name
    if Path(name).is_dir():
        return Path(name)
    if not HUB_NAME.fullmatch(name) or Path(name).exists():
        ships = ", ".join(shipped) or "none"
        raise InputError(
            f"{name}: no such model; give a folder, a hub name (owner/model), or one that ships here: {ships}"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.txt"]))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise InputError(f"{name}: no such folder, and not to be had from the hub ({_line(error)})") from error


def is_own(folder: Path) -> bool:
    """Whether a folder holds one of this package's models."""
    try:
        values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and values.get("model_type") == MMMemGPTConfig.model_type


def read_model(folder: Path) -> tuple[MMMemGPTForConditionalGeneration, MMMemGPTProcessor]:
    """The model of a folder in float32, in evaluation mode on the CPU, and its processor.

    Raises:
        InputError: the folder lacks a file, holds pickles, or its weights, config and processor do not fit together.
    """
    _check_files(folder)
    with quiet():
        return _model(folder, _config(folder)).eval(), _processor(folder)


def _check_files(folder: Path) -> None:
    if (folder / "model.safetensors").is_file() or (folder / "model.safetensors.index.json").is_file():
        return
    if pickles := sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES):
        raise InputError(
            f"{folder}: holds {pickles[0]}, a pickle, which can run code; only model.safetensors is read, "
            "so save the model again with save_pretrained"
        )
    raise InputError(f"{folder}: no model.safetensors in it; give a folder that save_pretrained wrote")


def _config(folder: Path) -> MMMemGPTConfig:
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a folder that save_pretrained wrote"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({_line(error)}); save the model again") from error
    kind = values.get("model_type") if isinstance(values, dict) else None
    if kind != MMMemGPTConfig.model_type:
        raise InputError(
            f"{path}: model_type is {kind!r}, not {MMMemGPTConfig.model_type!r}; give a folder of this model"
        )
    try:
        return MMMemGPTConfig.from_dict(values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: {_line(error)}") from error


def _model(folder: Path, config: MMMemGPTConfig) -> MMMemGPTForConditionalGeneration:
    path = folder / "model.safetensors"
    try:
        model, found = model_class(config).from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file ({_line(error)}); pickles are not read") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: {_line(error)}") from error
    resized = {f"{key} {tuple(here)} where {tuple(due)} is due" for key, here, due in found["mismatched_keys"]}
    for what, keys in (
        ("missing", found["missing_keys"]),
        ("unknown", found["unexpected_keys"]),
        ("wrongly sized", resized),
    ):
        if keys:
            shown = ", ".join(sorted(keys)[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
            raise InputError(f"{path}: {what} {shown}; the weights and config.json are not of one model")
    return model


def _processor(folder: Path) -> MMMemGPTProcessor:
    try:
        return MMMemGPTProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder}: the processor cannot be read ({_line(error)}); save the model again") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
