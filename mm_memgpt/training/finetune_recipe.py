"""A fine-tuning run as one checked file, or as keywords: six keys are enough, the others have defaults."""

from dataclasses import dataclass, field
from typing import Any

from mm_memgpt.backbones.tokens import WAYS
from mm_memgpt.config import require
from mm_memgpt.objectives.imitation import TeacherConfig
from mm_memgpt.tasks.adapters import AdapterConfig
from mm_memgpt.tasks.base import Task
from mm_memgpt.tasks.known import TASKS
from mm_memgpt.training.recipe import Optimiser

TUNINGS = {"full": (5e-5, 20.0), "frozen": (1e-3, 1.0), "lora": (3e-4, 3.0)}
"""What becomes of the backbone, each with the usual learning rate, and how many times faster the adapter learns."""

WRITING = (3e-4, 1.0)
"""The same of tasks that write, which have no adapter."""

COLUMNS = ("text", "text_pair", "image", "sound", "label", "tags", "starts", "negatives", "memory", "language", "id")
"""Keys that name columns."""


@dataclass(kw_only=True)
class FinetuneRecipe:
    """One fine-tuning run."""

    task: str
    """classification, pair, tagging, span, regression, retrieval or recommendation; or one that writes: translation,
    summary_writing, answering, dialogue, code or generation; summarization chooses sentences."""
    train: str
    """Rows to learn from: a CSV, TSV, JSON, JSONL, CoNLL or Parquet file, a pattern, or hub:owner/name."""
    output: str
    """Folder for checkpoints, logs and the model."""
    backbone: str | None = None
    """nano, minilm, an image tower (timm/resnet18), or the folder or hub name of a language model."""
    config: dict[str, Any] | None = None
    """In place of a backbone, of a task that writes: a fresh model, by its family and sizes: {model_type: marian}."""
    tokenizer: str | None = None
    """Of a fresh model: folder or hub name of its tokenizer; without one it trains its own."""
    vocabulary: int = 8192
    """Tokens of a tokenizer that is trained."""
    text: str | None = None
    """Column of the text: what is classified, tagged or asked, or the history of a recommendation."""
    text_pair: str | None = None
    """Column of a second text: the passage of a pair or an answer, or what is to be found."""
    image: str | None = None
    """Column of photos, encoded or as paths from the file's folder."""
    sound: str | None = None
    """Column of sounds, likewise."""
    label: str | None = None
    """Column of what is right: labels, numbers, or the answers of a span."""
    tags: str | None = None
    """Tagging: column of the tags, one a word."""
    starts: str | None = None
    """Span: column of the characters at which the answers begin."""
    negatives: str | None = None
    """Retrieval: column of texts that are not to be found, though they look like it."""
    memory: str | None = None
    """Writing: column of sentences, or of a text, that are remembered."""
    language: str | None = None
    """Translation: column of the language that each row is translated into."""
    id: str | None = None
    """Column that tells rows apart; one that comes twice is refused."""
    val: str | None = None
    """Rows that choose the checkpoint; one in ten of the training rows where None."""
    val_rows: int | None = None
    """Of a task that writes: how many of these are taken, by chance, because writing takes long; all where None."""
    split: str | None = None
    """Part of a dataset that has several, to learn from."""
    val_split: str | None = None
    """Part of `val`, likewise; without `val`, of the dataset that is learned from."""
    group: str | None = None
    """Column whose equal values stay together when validation rows are spared: of a question, all rows or none."""
    where: dict[str, Any] = field(default_factory=dict)
    """Only training rows whose column holds this value, or one of these."""
    encoding: str | None = None
    """Of text files, such as latin-1; UTF-8, or UTF-16 that says so, where None."""
    label_names: dict[str, str] = field(default_factory=dict)
    """What labels are called in predictions: {0: negative, 1: positive}."""
    options: dict[str, Any] = field(default_factory=dict)
    """Settings of the task, such as {smoothing: 0.1, class_weights: balanced}."""
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    """What stands between the backbone and the output: {kind: linear}, mlp, cnn, gru, lstm or decoder."""
    tuning: str = "full"
    """full (all of the backbone learns), frozen (none of it) or lora (small matrices beside its layers do)."""
    rank: int = 8
    """Lora: width of its matrices."""
    longest: int | None = None
    """Tokens of a text that are read at a time; the backbone's own limit, at most 256, where None."""
    over: str | None = None
    """What becomes of a longer text: head, ends or windows; what suits the task where None."""
    stride: int | None = None
    """Tokens that a window shares with the one before, likewise."""
    pretrained: bool = True
    """Of an image tower, whether it starts from its pretrained weights."""
    layers: int | list[int] | None = None
    """Of a backbone that reads or writes texts, the layers that stay, by number from 0, or how many, evenly chosen."""
    teacher: TeacherConfig | None = None
    """A model that has learned the task, to be imitated: {model: runs/sst2, temperature: 2, logits: 1, hidden: 1,
    attention: 0, keys: 0, labels: 0.5}, the weights of what is imitated and of the labels."""
    epochs: float = 3.0
    """Passes over the training rows."""
    batch: int = 32
    """Rows a step."""
    accumulate: int = 1
    """Steps gathered into one update."""
    rate: float | None = None
    """Peak learning rate of what is pretrained; what suits the tuning where None."""
    adapter_rate: float | None = None
    """How many times faster the adapter learns, likewise."""
    weight_decay: float = 0.01
    """On matrices only."""
    warmup: float = 0.1
    """Share of the steps over which the rate rises."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    precision: str = "fp32"
    """fp32, or bf16 for mixed precision."""
    algorithm: str = "adamw"
    """adamw, or sgd with momentum."""
    momentum: float = 0.9
    """Of sgd."""
    checkpoints: int = 3
    """How often the run is evaluated and saved; the best is kept."""
    seed: int = 2026
    """Seed of the adapter's weights, the order and the rows that validate."""
    workers: int = 0
    """Processes that read and tokenise."""

    def __post_init__(self) -> None:
        require(self.task in TASKS, f"task {self.task!r} is unknown; known: {', '.join(TASKS)}")
        require(self.tuning in TUNINGS, f"tuning {self.tuning!r} is unknown; known: {', '.join(TUNINGS)}")
        self.over = self.kind.DEFAULTS.get("over", "head") if self.over is None else self.over
        self.stride = self.kind.DEFAULTS.get("stride", 0) if self.stride is None else self.stride
        require(self.over in WAYS, f"over {self.over!r} is unknown; known: {', '.join(WAYS)}")
        require(self.rank >= 1, f"rank {self.rank} must be at least 1; try rank=8")
        for name in ("checkpoints", "batch"):
            require(getattr(self, name) >= 1, f"{name} {getattr(self, name)} must be at least 1")
        if self.val_rows is not None:
            require(self.val_rows >= 1, f"val_rows {self.val_rows} must be at least 1; try val_rows=500")
            require(self.kind.writes, f"task {self.task} writes nothing, and validates on all rows; leave out val_rows")
        require(self.workers >= 0, f"workers {self.workers} must be at least 0; try workers=0")
        require(bool(self.output), "output must name a folder")
        require((self.backbone is None) != (self.config is None), "name a backbone or a config, one of the two")
        require(self.config is None or self.kind.writes, f"task {self.task} takes no config; name a backbone")
        require(self.layers is None or self.config is None, "layers are left out of a backbone; leave out 'layers'")
        for key in self.kind.needs:
            require(key in self.columns, f"task {self.task} needs the key {key!r}: the name of a column")
        self.optimiser  # noqa: B018  # checks its values

    @property
    def kind(self) -> type[Task]:
        """The task."""
        return TASKS[self.task]

    @property
    def columns(self) -> dict[str, str]:
        """Role to the column that plays it."""
        return {key: getattr(self, key) for key in COLUMNS if getattr(self, key) is not None}

    @property
    def task_options(self) -> dict[str, Any]:
        """Settings of the task, with what its labels are called."""
        return {**self.options, "label_names": self.label_names} if self.label_names else self.options

    @property
    def optimiser(self) -> Optimiser:
        """How the weights move: the adapter at the peak rate, the backbone at its share of that."""
        usual, faster = WRITING if self.kind.writes else TUNINGS[self.tuning]
        rate = usual if self.rate is None else self.rate
        faster = faster if self.adapter_rate is None else self.adapter_rate
        require(rate > 0 and faster > 0, f"rate {rate} and adapter_rate {faster} must be above 0")
        return Optimiser(
            epochs=self.epochs,
            batch=self.batch,
            accumulate=self.accumulate,
            rate=rate * faster,
            trunk_rate=1 / faster,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            clip=self.clip,
            precision=self.precision,
            name=self.algorithm,
            momentum=self.momentum,
        )
