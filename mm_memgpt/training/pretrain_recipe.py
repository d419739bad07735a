"""A pre-training run as one checked file: which objectives, on what texts, from which model.

Notable: the smallest recipe has five keys: objectives, backbone, train, text and output.
"""

from dataclasses import dataclass
from typing import Any

from mm_memgpt.config import require
from mm_memgpt.objectives.mixture import check_weights
from mm_memgpt.training.recipe import Optimiser


@dataclass(kw_only=True)
class PretrainRecipe:
    """One pre-training run."""

    objectives: dict[str, float]
    """Weight of each: masked_language, next_sentence, causal_language, sentence_contrast, captioning."""
    train: str | list[str]
    """Files of texts: CSV, TSV, JSONL, JSON, Parquet, or plain text, each file of which is one document; for captioning
    alone the photos."""
    output: str
    """Folder for checkpoints, logs and the result."""
    backbone: str | None = None
    """Model to start from: nano, minilm, or the folder or hub name of a language model or of a model of ours."""
    config: dict[str, Any] | None = None
    """In place of a backbone: a fresh model, by its family and sizes as transformers calls them: {model_type: bert}."""
    tokenizer: str | None = None
    """Folder or hub name of the tokenizer, in place of the backbone's; a fresh model without one trains its own."""
    vocabulary: int = 8192
    """Tokens of a tokenizer that is trained."""
    text: str = "text"
    """Column of the texts."""
    pair: str | None = None
    """Sentence contrast: column of a text that belongs to that of `text`; without it, dropout makes the second view."""
    photos: str | list[str] | None = None
    """Captioning: files of photos with captions; `train` where None."""
    image: str = "image"
    """Captioning: column of the photos."""
    captions: str = "captions"
    """Captioning: column of their sentences."""
    val: str | list[str] | None = None
    """What chooses the checkpoint, in files like `train`; without it, a part of `train` that is not learned from."""
    val_samples: int = 256
    """How many of its first pieces are used."""
    longest: int = 128
    """Tokens of a piece of text; longer ones are cut."""
    masked: float = 0.15
    """Masked language: share of the tokens to fill in."""
    temperature: float = 0.05
    """Sentence contrast: what cosines are divided by."""
    smoothing: float = 0.0
    """Captioning: label smoothing."""
    epochs: float = 3.0
    """Passes over the pieces of the texts, or the photos."""
    batch: int = 32
    """Pieces a step."""
    accumulate: int = 1
    """Steps gathered into one update."""
    rate: float = 3e-4
    """Peak learning rate."""
    weight_decay: float = 0.01
    """On matrices only."""
    warmup: float = 0.05
    """Share of the steps over which the rate rises."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    precision: str = "fp32"
    """fp32, or bf16 for mixed precision."""
    algorithm: str = "adamw"
    """adamw, or sgd with momentum."""
    momentum: float = 0.9
    """Of sgd."""
    checkpoints: int = 4
    """How often the run is evaluated and saved; the best is kept."""
    seed: int = 2026
    """Seed of fresh weights, order, masks and pairs."""
    workers: int = 0
    """Processes that make the examples."""

    def __post_init__(self) -> None:
        check_weights(self.objectives)
        require((self.backbone is None) != (self.config is None), "give either a backbone or the config of a fresh one")
        require(self.longest >= 8, f"longest {self.longest} must be at least 8 tokens; try longest=128")
        require(0 < self.masked < 1, f"masked {self.masked} must lie between 0 and 1; try masked=0.15")
        require(self.temperature > 0, f"temperature {self.temperature} must be above 0; try temperature=0.05")
        require(0 <= self.smoothing < 1, f"smoothing {self.smoothing} must be at least 0 and below 1; try 0.1")
        for name in ("val_samples", "checkpoints"):
            require(getattr(self, name) >= 1, f"{name} {getattr(self, name)} must be at least 1")
        self.optimiser  # noqa: B018  # checks its values
        require(self.workers >= 0, f"workers {self.workers} must be at least 0; try workers=1")
        for key, objective in (("pair", "sentence_contrast"), ("photos", "captioning")):
            fits = getattr(self, key) is None or objective in self.learned
            require(fits, f"{key} is for {objective}, which has no weight; leave out {key!r}")
        both = self.photos is None and self.reads_text and "captioning" in self.learned
        require(not both, "captioning beside texts needs photos of its own; name their files under photos")

    @property
    def optimiser(self) -> Optimiser:
        """How the weights move."""
        same = ("epochs", "batch", "accumulate", "rate", "weight_decay", "warmup", "clip", "precision", "momentum")
        return Optimiser(name=self.algorithm, **{name: getattr(self, name) for name in same})

    @property
    def learned(self) -> dict[str, float]:
        """The objectives that have a weight."""
        return {name: float(weight) for name, weight in self.objectives.items() if weight > 0}

    @property
    def reads_text(self) -> bool:
        """Whether any objective learns from texts."""
        return any(name != "captioning" for name in self.learned)
