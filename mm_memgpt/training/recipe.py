"""A training run as one checked file: YAML in, dataclasses out, unknown keys refused by name.

Notable: `--set a.b=c` changes one key before the check, so a changed run is checked as a written one; paths in a
recipe are taken from the folder the command runs in, data paths from `data.root`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from mm_memgpt.config import build, require
from mm_memgpt.presets import PRESETS
from mm_memgpt.types import InputError


@dataclass(kw_only=True)
class Source:
    """One file or folder of training data."""

    path: str
    """File or folder below `data.root`."""
    share: float = 1.0
    """Share of its samples drawn in each epoch; the drawn ones change from epoch to epoch."""
    mosaic: int = 1
    """Tiles per side: k > 1 lays k x k of its photos into one, for photos smaller than the crop."""


@dataclass(kw_only=True)
class DataSettings:
    """What is learned from."""

    root: str
    """Folder all data paths start from."""
    train: list[Source]
    """Sources of the training samples."""
    val: str
    """Source that chooses the best checkpoint."""
    val_samples: int = 256
    """How many of its first samples are used."""

    def __post_init__(self) -> None:
        require(isinstance(self.train, list) and len(self.train) > 0, "data.train must list at least one source")
        self.train = [build(Source, s, f"data.train[{i}]") if isinstance(s, dict) else s for i, s in enumerate(self.train)]


@dataclass(kw_only=True)
class Augment:
    """How a training photo is cropped before it is squeezed to the square."""

    area: float = 0.5
    """Smallest share of the photo's area that a crop keeps."""
    aspect: float = 0.3
    """Largest change of aspect ratio, as natural logarithm."""
    flip: bool = False
    """Whether half of the photos are mirrored."""

    def __post_init__(self) -> None:
        require(0 < self.area <= 1, f"augment.area {self.area} must be above 0 and at most 1; try area=0.5")


@dataclass(kw_only=True)
class Optimiser:
    """How the weights move."""

    epochs: float
    """Passes over the drawn samples."""
    batch: int = 64
    """Samples a step."""
    accumulate: int = 1
    """Steps gathered into one update."""
    rate: float = 1e-3
    """Peak learning rate."""
    trunk_rate: float = 1.0
    """Multiple of the rate for the image trunk; 0 freezes it."""
    gate_rate: float = 10.0
    """Multiple of the rate for the gates."""
    weight_decay: float = 0.05
    """On matrices only, never on gates, norms and biases."""
    warmup: float = 0.05
    """Share of the steps over which the rate rises."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    precision: str = "fp32"
    """fp32, or bf16 for mixed precision."""

    def __post_init__(self) -> None:
        require(self.precision in ("fp32", "bf16"), f"precision {self.precision!r} is unknown; known: fp32, bf16")
        require(self.epochs > 0, f"optimiser.epochs {self.epochs} must be above 0")


@dataclass(kw_only=True)
class Recipe:
    """One training run."""

    objective: str
    """distillation (a trunk from a teacher) or captioning (the whole model)."""
    output: str
    """Folder for checkpoints, logs and the result."""
    data: DataSettings
    optimiser: Optimiser
    augment: Augment = field(default_factory=Augment)
    preset: str = "nano"
    """Shape of the model."""
    seed: int = 2026
    """Seed of weights, order and augmentation."""
    teacher: str | None = None
    """Distillation: the teacher's file below `data.root`."""
    tokenizer: str | None = None
    """Captioning: folder of the tokenizer."""
    trunk: str | None = None
    """Captioning: weights the trunk starts from."""
    start: str | None = None
    """Captioning: folder of a whole model to start from."""
    captions: int = 5
    """Captioning: captions a photo gives at a time."""
    smoothing: float = 0.1
    """Captioning: label smoothing."""
    checkpoints: int = 4
    """How often the run is evaluated and saved."""
    workers: int = 1
    """Processes that read, crop and ask the teacher."""

    def __post_init__(self) -> None:
        require(self.preset in PRESETS, f"preset {self.preset!r} is unknown; known: {', '.join(PRESETS)}")
        needed = {"distillation": "teacher", "captioning": "tokenizer"}
        require(
            self.objective in needed, f"objective {self.objective!r} is unknown; known: {', '.join(needed)}"
        )
        key = needed[self.objective]
        require(getattr(self, key) is not None, f"objective {self.objective} needs the key {key!r}")


def read_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Reads and checks a YAML recipe, after setting each "a.b=c" of `overrides` (c is read as YAML).

    Raises:
        InputError: missing file, broken YAML, an unknown key, a wrong value; the message names file and key.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a recipe") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    try:
        require(isinstance(values, dict), "a recipe is a mapping of keys")
        for override in overrides or []:
            _set(values, override)
        return build(Recipe, values, "the recipe")
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {error}") from None


def _set(values: dict, override: str) -> None:
    key, equals, value = override.partition("=")
    require(bool(equals), f"--set {override!r} must look like a.b=c")
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        require(isinstance(values, dict), f"--set {override!r}: {parent!r} holds no keys")
    values[last] = yaml.safe_load(value)
