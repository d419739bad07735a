"""What a memory gives back: what was added, found, answered and kept, as plain frozen values.

Notable: nothing here holds a tensor or the memory itself, so a result outlives both and can be printed or sent.
"""

from dataclasses import dataclass, field

from mm_memgpt.types import Fact, InputError


@dataclass(frozen=True, kw_only=True)
class Added:
    """What became of inputs that were to be added."""

    items: int
    """How many items the memory holds more, all of them committed."""
    sources: tuple[str, ...]
    """The sources they came from, in order."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Sources that were left as they are, each with a word why: it was there already."""
    errors: tuple[InputError, ...] = ()
    """One line each for the inputs that could not be used; the others were added all the same."""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """An item that was found."""

    source: str
    """The path or name it came from."""
    modality: str
    """One of MODALITIES."""
    start: float
    """Seconds on the memory's clock."""
    end: float
    """Seconds."""
    text: str
    """Its words, "" where it has none."""
    score: float
    """How well it fits: the sum over the lists it is in of 1 / (60 + its place), the best first."""
    id: str
    """What `Where(ids=...)` and `forget` name it by."""
    preview: bytes = field(default=b"", repr=False)
    """A small JPEG of a picture; empty for the rest."""
    fact: Fact | None = None
    """What its words say, where it is a fact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFact:
    """A fact that the memory was told."""

    fact: Fact
    source: str
    """Who says so: the path or name it came from."""
    id: str
    """What `Where(ids=...)` and `forget` name it by."""
    time: float
    """Second on the memory's clock at which it was told."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What an answer rests on."""

    path: str
    """The path or name it came from."""
    modality: str
    """One of MODALITIES."""
    start: float
    """Seconds on the memory's clock."""
    end: float
    """Seconds."""
    text: str
    """Its words, "" where it has none."""
    evidence: float
    """Nats that the whole answer loses where this source is left out; below 0, it speaks against the answer."""
    id: str = ""
    """The item's id; several that are nearly the same are one source, and this is the first of them."""
    preview: bytes = field(default=b"", repr=False)
    """A small JPEG of a picture; empty for the rest."""
    fact: Fact | None = None
    """What its words say, where it is a fact."""


@dataclass(frozen=True, kw_only=True)
class WordEvidence:
    """A word of an answer, and what each source did for it."""

    word: str
    """As it stands in the answer."""
    logprob: float
    """Natural logarithm of its probability given all that was found and remembered."""
    sources: tuple[tuple[int, float], ...] = ()
    """(place among the answer's sources, nats that the word loses without that source), the most first."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """Two sources of an answer that are connected in the graph that fusion makes of what was read."""

    one: int
    """Place among the answer's sources."""
    other: int
    """Place among them, behind `one`."""
    kind: str
    """What the other is to the one, of `fusion.graph.EDGE_KINDS`; two that are connected in several ways have a link
    for each."""
    name: str = ""
    """What both name, of a "relation"."""
    weight: float
    """Share of what one of them receives in the graph's first round of messages that comes from the other, 0 to 1, the
    larger of both ways; 0 where the model makes no messages, or was not given the relation."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer with what it rests on; str() gives its text."""

    text: str
    """The answer, a note's own sentence where one answers; "" where the memory declines."""
    confidence: float
    """How sure it is, 0 to 1: the mean probability of a token, or of a quoted note how much of the question it has."""
    grounded: float
    """Nats that the answer gains from the memory: log p(answer | memory) - log p(answer | nothing)."""
    declined: bool
    """Whether the memory holds too little to answer."""
    words: tuple[WordEvidence, ...]
    """Its words."""
    sources: tuple[Source, ...]
    """What it rests on, the most evidence first; older notes that say otherwise come behind."""
    links: tuple[Link, ...] = ()
    """How its sources are connected."""
    path: tuple[tuple[str, str, str], ...] = ()
    """The facts that lead to it, one after another, as (head, relation, tail); empty where none does."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A slot of the bank: one moment, or several that were alike and merged."""

    slot: int
    """Its place in the bank."""
    source: str | None
    """Where it came from; None where several sources merged."""
    modality: str
    """One of MODALITIES."""
    start: float
    """Seconds on the memory's clock."""
    end: float
    """Seconds."""
    items: int
    """How many items it holds."""
    texts: tuple[str, ...]
    """The words of its items, as the archive has them, at most a few."""
    merged: bool
    """Whether it holds more than one item."""
    preview: bytes = field(default=b"", repr=False)
    """A small JPEG of its newest picture; empty for the rest."""
    ids: tuple[str, ...] = field(default=(), repr=False)
    """Its items."""
    facts: tuple[Fact, ...] = ()
    """What those of `texts` say that are facts."""
