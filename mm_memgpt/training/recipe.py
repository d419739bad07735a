"""A training run as one checked file: YAML in, dataclasses out, unknown keys refused by name.

Notable: `--set a.b=c` changes one key before the check, so a changed run is checked as a written one; paths in a
recipe are taken from the folder the command runs in, data paths from `data.root`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mm_memgpt.config import AudioConfig, FusionConfig, MotionConfig, build, require
from mm_memgpt.presets import PRESETS
from mm_memgpt.training.mixture import PROSE, Mixture
from mm_memgpt.training.recalling import Recall
from mm_memgpt.training.text_sources import ReplyText, RunningText
from mm_memgpt.types import InputError


@dataclass(kw_only=True)
class Source:
    """One source of data, of any kind that mm_memgpt.datasets reads."""

    path: str
    """File, folder or pattern below `data.root`, or "hub:owner/name", or an address of tar shards to stream."""
    split: str | None = None
    """Part to take, of a source that holds several."""
    images: str | None = None
    """Folder of the photos below `data.root`, of a source that only lists them."""
    columns: dict[str, str] = field(default_factory=dict)
    """Column to take for image, captions, text or label, where it is not the one of that name."""
    where: dict[str, Any] = field(default_factory=dict)
    """Parquet: only rows whose column holds this value, or one of these: {fold: [1, 2, 3]}."""
    spare: int | None = None
    """Leaves out every so-manieth row of those, from the first on, which is for validation; 10 leaves nine in ten."""
    spared: int | None = None
    """Takes only every so-manieth row, from the first on: what `spare` leaves out."""
    share: float = 1.0
    """Share of its samples drawn in each epoch; the drawn ones change from epoch to epoch."""
    mosaic: int = 1
    """Tiles per side: k > 1 lays k x k of its photos into one, for photos smaller than the crop."""
    streaming: bool = False
    """Whether it is read front to back, never whole: tar shards and hub datasets."""
    samples: int | None = None
    """Streaming: how many samples an epoch takes of it, which nobody can count beforehand."""
    buffer: int = 1000
    """Streaming: samples held, photos still encoded, from which the next is drawn."""

    def __post_init__(self) -> None:
        require(self.share > 0, f"share {self.share} of {self.path} must be above 0; leave the source out")
        for name in ("spare", "spared"):
            value = getattr(self, name)
            require(value is None or value >= 2, f"{name} {value} of {self.path} must be at least 2; try {name}=10")
        require(self.mosaic >= 1, f"mosaic {self.mosaic} of {self.path} must be at least 1; try mosaic=1")
        require(self.buffer >= 1, f"buffer {self.buffer} of {self.path} must be at least 1; try buffer=1000")
        if self.streaming:
            counted = self.samples is not None and self.samples >= 1
            require(counted, f"{self.path} is streamed, so say how many samples an epoch takes of it: samples")
            chosen = self.where or self.spare or self.spared
            require(not chosen, f"{self.path} is streamed, so no rows can be chosen; leave out where, spare, spared")
            whole = self.share == 1 and self.mosaic == 1
            require(whole, f"{self.path} is streamed, so share and mosaic must stay 1; take fewer samples instead")


@dataclass(kw_only=True)
class DataSettings:
    """What is learned from."""

    root: str
    """Folder all data paths start from."""
    train: list[Source]
    """Sources of the training samples."""
    val: Source
    """Source that chooses the best checkpoint."""
    val_samples: int = 256
    """How many of its first samples are used."""
    texts: list[RunningText] = field(default_factory=list)
    """Remembering: running texts, for the shares `language` and `reading`."""
    replies: list[ReplyText] = field(default_factory=list)
    """Remembering: texts that reply to something, for the share `replies`."""

    def __post_init__(self) -> None:
        require(len(self.train) > 0, "data.train must list at least one source")
        require(self.val_samples >= 1, f"data.val_samples {self.val_samples} must be at least 1")
        require(not self.val.streaming, "data.val cannot be streamed; give a source that is here")
        streamed = {source.streaming for source in self.train}
        require(len(streamed) == 1, "data.train must be streamed as a whole or not at all")


@dataclass(kw_only=True)
class Knowledge:
    """Which facts come with photos, and how they reach the model."""

    facts: str = "knowledge"
    """Folder below `data.root` with WordNet's triples and names: wn18rr.parquet and wn18rr_names.parquet."""
    relations: bool = True
    """Whether what names a fact's head is linked to the fact in the graph of fusion."""
    entities: str | None = None
    """Folder that a recipe of entities wrote, whose vectors join the tokens of what names them; None for none."""
    made_up: float = 0.5
    """Share of training's memories whose facts lead to names drawn from all there are, so that they must be read."""

    def __post_init__(self) -> None:
        require(0 <= self.made_up <= 1, f"knowledge.made_up {self.made_up} must lie in 0..1; try made_up=0.5")


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
        require(self.aspect >= 0, f"augment.aspect {self.aspect} must be at least 0; try aspect=0.3")


@dataclass(kw_only=True)
class SoundAugment:
    """How a training sound is changed before trunk and teacher hear it, beside the random place of the piece."""

    gain: float = 12.0
    """Decibels by which it becomes louder or quieter at most; what would be clipped is not made as loud."""
    mix: float = 0.3
    """Share of the pieces that are heard over a piece of another sample."""
    noise: float = 0.2
    """Share of the pieces that are heard over white or pink noise."""
    snr: tuple[float, float] = (0.0, 25.0)
    """Decibels by which a piece is louder than what it is heard over, at least and at most."""
    flip: bool = True
    """Whether half of the pieces have their polarity turned."""

    def __post_init__(self) -> None:
        require(self.gain >= 0, f"sounds.gain {self.gain} must be at least 0; try gain=12")
        shares = self.mix >= 0 and self.noise >= 0 and self.mix + self.noise <= 1
        require(shares, f"sounds.mix {self.mix} and sounds.noise {self.noise} must be shares of 1; try 0.3 and 0.2")
        ordered = len(self.snr) == 2 and self.snr[0] <= self.snr[1]
        require(ordered, f"sounds.snr {list(self.snr)} must be two numbers, the smaller first; try [0, 25]")


PRECISIONS = ("fp32", "bf16")

OPTIMISERS = ("adamw", "sgd")


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
    """Multiple of the rate for the image trunk, or the backbone of a task; 0 freezes it."""
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
    name: str = "adamw"
    """adamw (arXiv:1711.05101), or sgd with momentum."""
    momentum: float = 0.9
    """Of sgd."""

    def __post_init__(self) -> None:
        known = ", ".join(PRECISIONS)
        require(self.precision in PRECISIONS, f"optimiser.precision {self.precision!r} is unknown; known: {known}")
        known = ", ".join(OPTIMISERS)
        require(self.name in OPTIMISERS, f"optimiser.name {self.name!r} is unknown; known: {known}")
        require(0 <= self.momentum < 1, f"optimiser.momentum {self.momentum} must lie in 0..1; try momentum=0.9")
        require(0 <= self.warmup <= 1, f"optimiser.warmup {self.warmup} must lie in 0..1; try warmup=0.05")
        for name in ("epochs", "rate", "clip"):
            require(getattr(self, name) > 0, f"optimiser.{name} {getattr(self, name)} must be above 0")
        for name in ("batch", "accumulate"):
            require(getattr(self, name) >= 1, f"optimiser.{name} {getattr(self, name)} must be at least 1")
        for name in ("trunk_rate", "gate_rate", "weight_decay"):
            require(getattr(self, name) >= 0, f"optimiser.{name} {getattr(self, name)} must be at least 0")


@dataclass(kw_only=True)
class Recipe:
    """One training run."""

    objective: str
    """distillation (a trunk from a teacher), hearing (an audio trunk, likewise), language (the decoder, from text
    alone), captioning (the whole model), contrastive (its keys), self_critical (the whole model, rewarded for what it
    writes), lipreading (what sees motion, from timed words), remembering (the whole model but its trunks, on memories
    of many items) or recalling (what reads and writes, on long texts with pairs among filler)."""
    output: str
    """Folder for checkpoints, logs and the result."""
    data: DataSettings
    optimiser: Optimiser
    augment: Augment = field(default_factory=Augment)
    sounds: SoundAugment = field(default_factory=SoundAugment)
    preset: str = "nano"
    """Shape of the model."""
    seed: int = 2026
    """Seed of weights, order and augmentation."""
    teacher: str | None = None
    """Distillation and hearing: the teacher's file below `data.root`."""
    labels: list[str] = field(default_factory=list)
    """Hearing: names of the classes, and digits as words, that the sounds are told apart by; none to learn no label."""
    words: list[str] = field(default_factory=list)
    """Hearing: words that are told apart where they are spoken, of sounds with timed words; none to learn none."""
    audio: AudioConfig | None = None
    """How sounds become items, in place of the preset's or the start's own; {} is the default."""
    tower: str | None = None
    """Distillation and captioning: image tower by name, in place of the preset's ("timm/resnet18")."""
    size: int | None = None
    """Distillation and captioning: side of what the tower sees, in pixels, in place of the preset's or its own."""
    decoder: str | None = None
    """Captioning: language model by folder or hub name, in place of the preset's; it brings its tokenizer."""
    pretrained: bool = False
    """Captioning: whether the tower and the language model start from their pretrained weights."""
    tokenizer: str | None = None
    """Captioning: folder of the tokenizer; a `start` or a `decoder` brings its own."""
    trunk: str | None = None
    """Captioning: weights the trunk starts from."""
    motion: MotionConfig | None = None
    """How frames that follow each other closely become items, likewise."""
    motion_encoder: str | None = None
    """Weights that this starts from, as a lipreading run keeps them."""
    audio_trunk: str | None = None
    """Weights the audio trunk starts from, as a hearing run keeps them."""
    fusion: FusionConfig | None = None
    """How what was read from the memory is fused, in place of the preset's or the start's own."""
    start: str | None = None
    """Captioning: whole model to start from, by folder or name."""
    held_to: str | None = None
    """Remembering: model whose captions and keys are held to, by folder or name; the start itself where it is None."""
    captions: int = 5
    """Captions a photo gives at a time, or that are sampled of it."""
    longest: int = 64
    """Tokens of a sentence that are learned from; longer ones are cut."""
    smoothing: float = 0.1
    """Language and captioning: label smoothing."""
    rerank: float = 0.0
    """Contrastive: weight that the keys are given afterwards when the best of the beams is chosen."""
    remember: Mixture = field(default_factory=Mixture)
    """Remembering: which examples come, and how memories are disturbed."""
    knowledge: Knowledge = field(default_factory=Knowledge)
    """Remembering: what is known of things in photos, for the share `facts`."""
    recall: Recall = field(default_factory=Recall)
    """Recalling: how long the texts are, and how much is asked of them."""
    checkpoints: int = 4
    """How often the run is evaluated and saved."""
    workers: int = 1
    """Processes that read, crop and ask the teacher."""

    def __post_init__(self) -> None:
        require(self.preset in PRESETS, f"preset {self.preset!r} is unknown; known: {', '.join(PRESETS)}")
        whole = ("tokenizer", "start", "decoder")
        needed = {"distillation": ("teacher",), "hearing": ("teacher",)}
        needed |= dict.fromkeys(
            ("language", "captioning", "contrastive", "self_critical", "lipreading", "remembering", "recalling"), whole
        )
        require(self.objective in needed, f"objective {self.objective!r} is unknown; known: {', '.join(needed)}")
        keys = needed[self.objective]
        given = any(getattr(self, key) is not None for key in keys)
        require(given, f"objective {self.objective} needs the key {' or '.join(map(repr, keys))}")
        for key in ("tokenizer", "trunk", "tower", "size", "decoder"):
            alone = self.start is None or getattr(self, key) is None
            require(alone, f"start {self.start!r} brings its own {key}; leave out {key!r}")
        require(self.size is None or self.size >= 1, f"size {self.size} must be at least 1 pixel; try size=160")
        for key in ("labels", "words"):
            names = getattr(self, key)
            repeated = sorted({name for name in names if names.count(name) > 1})
            require(not repeated, f"{key}: {', '.join(repeated)} is listed twice; list each once")
        require(self.longest >= 3, f"longest {self.longest} must be at least 3: the begin, a word and the end")
        for name in ("captions", "checkpoints"):
            require(getattr(self, name) >= 1, f"{name} {getattr(self, name)} must be at least 1")
        require(0 <= self.smoothing < 1, f"smoothing {self.smoothing} must be at least 0 and below 1; try 0.1")
        for kinds, key in ((PROSE, "texts"), (("replies",), "replies")):
            wanted = [f"remember.{kind}" for kind in kinds if kind in self.remember.shares]
            given = len(getattr(self.data, key)) > 0
            require(given or not wanted, f"{' and '.join(wanted)}: nothing to draw from; add sources to data.{key}")
        require(self.workers >= 0, f"workers {self.workers} must be at least 0; try workers=1")


def read_recipe(path: str | Path, overrides: list[str] | None = None, kind: type[Any] = Recipe) -> Any:
    """Reads and checks a YAML recipe of a kind, after setting each "a.b=c" of `overrides` (c is read as YAML).

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
        return build(kind, values)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def _set(values: dict[str, Any], override: str) -> None:
    """Applies one "a.b=c"; a place in a list is its number: data.train.0.share=0.5."""
    key, equals, text = override.partition("=")
    require(bool(equals), f"--set {override!r} must look like a.b=c")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"--set {override!r}: not YAML ({' '.join(str(error).split())})") from None
    holder: Any = values
    *parents, last = key.split(".")
    for parent in parents:
        if isinstance(holder, dict):
            holder.setdefault(parent, {})
        holder = holder[_place(holder, parent, override)]
    holder[_place(holder, last, override)] = value


def _place(holder: Any, key: str, override: str) -> str | int:
    """`key` as it is in a mapping, as a number in a list."""
    if isinstance(holder, dict):
        return key
    inside = isinstance(holder, list) and key.isdecimal() and int(key) < len(holder)
    require(inside, f"--set {override!r}: there is no place {key!r} to set")
    return int(key)
