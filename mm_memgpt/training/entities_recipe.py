"""A run that learns vectors of entities, as one checked file.

Notable: the smallest recipe has four keys: model, train, val and output; test is never learned from, but what holds
there is no wrong answer when validation is ranked.
"""

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from mm_memgpt.config import require
from mm_memgpt.knowledge.embeddings import MODELS
from mm_memgpt.objectives.entities import OneToAll, SelfAdversarial
from mm_memgpt.training.recipe import Optimiser

LOSSES = ("one_to_all", "self_adversarial")


@dataclass(kw_only=True)
class TripleSource:
    """Triples of a file."""

    path: str
    """A TSV, CSV, Parquet or N-Triples file."""
    where: dict[str, Any] = field(default_factory=dict)
    """Only rows whose column holds this value, or one of these: {split: train}."""


@dataclass(kw_only=True)
class EntitiesRecipe:
    """One run."""

    model: str
    """transe, distmult, complex or rotate."""
    train: TripleSource
    """What is learned from."""
    val: TripleSource
    """What chooses the checkpoint."""
    output: str
    """Folder for checkpoints, logs and the result."""
    test: TripleSource | None = None
    """What is kept for the last measure."""
    names: str | None = None
    """File of what entities and relations are called: id and text."""
    split_at: str | None = None
    """What parts a name from its description there."""
    width: int = 200
    """Real numbers of a vector; a complex one has half as many complex ones."""
    loss: str = "one_to_all"
    """one_to_all (cross-entropy among entities) or self_adversarial (negative sampling)."""
    drawn: int | None = None
    """Entities that the right ones are held against, drawn for each step; all where None."""
    regularisation: float = 0.0
    """One to all: weight of N3."""
    margin: float = 9.0
    """Self-adversarial: what distances are held against."""
    temperature: float = 1.0
    """Self-adversarial: how much more those count that score high."""
    dropout: float = 0.0
    """Of head and relation, once they are one vector."""
    spread: float = 1e-3
    """Standard deviation of what vectors begin with."""
    val_queries: int = 5000
    """Of how many questions of `val`, spread evenly, the tails are ranked."""
    optimiser: Optimiser = field(
        default_factory=lambda: Optimiser(epochs=16, batch=512, rate=0.03, weight_decay=0.0, warmup=0.0, clip=100.0)
    )
    """How the vectors move."""
    checkpoints: int = 4
    """How often the run is evaluated and saved; the best is kept."""
    seed: int = 2026
    """Seed of the vectors, the order and what is drawn."""
    workers: int = 0
    """Processes that make the examples."""

    def __post_init__(self) -> None:
        require(self.model in MODELS, f"model {self.model!r} is unknown; known: {', '.join(MODELS)}")
        require(self.loss in LOSSES, f"loss {self.loss!r} is unknown; known: {', '.join(LOSSES)}")
        require(self.width >= 2 and self.width % 2 == 0, f"width {self.width} must be even and at least 2; try 200")
        needed = self.loss == "self_adversarial" and self.drawn is None
        require(not needed, "self_adversarial draws the entities it learns against; say how many: drawn: 1000")
        require(self.drawn is None or self.drawn >= 1, f"drawn {self.drawn} must be at least 1; try drawn=1000")
        require(0 <= self.dropout < 1, f"dropout {self.dropout} must be at least 0 and below 1; try 0.1")
        require(self.spread > 0, f"spread {self.spread} must be above 0; try spread=0.001")
        for name in ("regularisation", "margin", "temperature", "workers"):
            require(getattr(self, name) >= 0, f"{name} {getattr(self, name)} must be at least 0")
        for name in ("val_queries", "checkpoints"):
            require(getattr(self, name) >= 1, f"{name} {getattr(self, name)} must be at least 1")

    @property
    def objective(self) -> nn.Module:
        """The loss, built."""
        if self.loss == "self_adversarial":
            return SelfAdversarial(self.drawn, self.margin, self.temperature, self.dropout)
        return OneToAll(self.drawn, self.regularisation, self.dropout)
