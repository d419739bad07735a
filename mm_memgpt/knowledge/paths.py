"""Multi-hop questions over a graph: at each hop the question weighs the relations, and mass flows along the edges.

    m_0 = 1 at the question's entity,   m_h(v) = Σ_(u,r,v) m_(h-1)(u) · w_h(r),   P(v) ∝ Σ_h p(h) · m_h(v)

`w_h = softmax_r(k_h · e_r)` is the hop's weight of each relation, `k_h` from an attention over the question's words,
`p(h)` how many hops the question asks for. It is the flow of TransferNet (arXiv:2104.07302 §3), normalised once over
all walks and not at each step, so it is a distribution over walks: an entity with one edge does not pull its mass along
an edge that nobody asked for.

Notable: nothing is learned of any entity, and of a relation only how its name is written, so the same model asks any
graph; an answer is ranked by its best walk and not by its mass, for where 200 are right each has a 200th of the mass,
and what all of them lead to has all of it; the best walk is exact, by dynamic programming.

b questions   t words   g pieces of a word   r relations   h hops   e edges   n entities   d width
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mm_memgpt.config import require


@dataclass(kw_only=True)
class PathsConfig:
    """The shape of a reader of graph questions."""

    width: int = 96
    """Of words, relations and what is read of a question."""
    buckets: int = 8192
    """Rows that the pieces of words are hashed into."""
    hops: int = 3
    """Of a walk, at most."""
    inverses: bool = True
    """Whether edges are also walked backwards."""
    dropout: float = 0.2
    """Of the words' vectors, in training."""

    def __post_init__(self) -> None:
        require(self.width >= 2 and self.width % 2 == 0, f"width {self.width} must be even and above 0; try width=96")
        require(self.buckets >= 1, f"buckets {self.buckets} must be at least 1; try buckets=8192")
        require(1 <= self.hops <= 3, f"hops {self.hops} must be 1, 2 or 3")
        require(0 <= self.dropout < 1, f"dropout {self.dropout} must be at least 0 and below 1; try dropout=0.2")


class Reading(NamedTuple):
    """What a question asks for, hop by hop."""

    weights: Tensor
    """(b, h, r) of the relations at each hop: sums to 1."""
    length: Tensor
    """(b, h) of walks of 1, 2, ... hops: sums to 1."""
    attention: Tensor
    """(b, h, t) of each hop on the words."""


class PathReader(nn.Module):
    """Reads a question and weighs the relations of a graph at each hop."""

    def __init__(self, config: PathsConfig) -> None:
        super().__init__()
        self.shape = config
        d = config.width
        self.pieces = nn.Embedding(config.buckets + 1, d, padding_idx=0)
        nn.init.normal_(self.pieces.weight, std=d**-0.5)
        nn.init.zeros_(self.pieces.weight[0].data)
        self.dropout = nn.Dropout(config.dropout)
        self.read = nn.GRU(d, d // 2, bidirectional=True, batch_first=True)
        self.first, self.next = nn.Linear(d, d), nn.GRUCell(2 * d, d)
        self.where = nn.Linear(d, d, bias=False)
        self.lexical, self.contextual = nn.Linear(d, d, bias=False), nn.Linear(d, d, bias=False)
        nn.init.eye_(self.lexical.weight)  # a word asks for the relation that is written like it
        self.above = nn.Linear(d, d, bias=False)
        self.backwards = nn.Linear(d, d)
        self.sharpness = nn.Parameter(torch.tensor(5.0))
        self.length = nn.Linear(d, config.hops)

    def forward(self, words: Tensor, mask: Tensor, names: Tensor, above: Tensor, present: Tensor) -> Reading:
        """
        Args:
            words: (b, t, g) int64 pieces of the question's words, 0 where there is none.
            mask: (b, t) True for a word.
            names: (r, t', g) pieces of each relation's own words.
            above: (r, t", g) of the words of what it belongs to.
            present: (b, r') True for a relation that is around; r' is 2r where edges are also walked backwards.
        """
        x, g, state = self.encode(words, mask)
        length = self.length(state).softmax(-1)
        relations = self.relations(names, above)
        weights, looks = [], []
        for _ in range(self.shape.hops):
            look = torch.einsum("btd,bd->bt", g, self.where(state)).masked_fill(~mask, -torch.inf).softmax(-1)
            seen, meant = (torch.einsum("bt,btd->bd", look, each) for each in (x, g))
            scores = self.sharpness * (self.lexical(seen) + self.contextual(meant)) @ relations.T  # (b, r')
            weights.append(scores.masked_fill(~present, -torch.inf).softmax(-1))
            looks.append(look)
            state = self.next(torch.cat([seen, meant], dim=-1), state)
        return Reading(torch.stack(weights, dim=1), length, torch.stack(looks, dim=1))

    def encode(self, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The question's words alone (b, t, d) and in their places (b, t, d), and all of it (b, d)."""
        x = self.dropout(self._embed(words))  # (b, t, d)
        lengths = mask.sum(-1).cpu()
        packed, last = self.read(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        g, _ = pad_packed_sequence(packed, batch_first=True, total_length=words.shape[1])  # (b, t, d)
        return x, g, self.first(last.transpose(0, 1).flatten(1))

    def walk(self, batch: Mapping[str, Tensor]) -> tuple[Reading, "Flow"]:
        """What the questions of a batch ask for, and where their mass goes; see `knowledge.asked.batch_of`."""
        reading = self(*(batch[name] for name in ("words", "mask", "names", "above", "present")))
        edges = (batch[name] for name in ("head", "relation", "tail", "question", "start", "owner"))
        return reading, flow(reading, *edges)

    def relations(self, names: Tensor, above: Tensor) -> Tensor:
        """Vectors of relations (r', d) by how they are written; those walked backwards follow after all others."""
        forwards = self._mean(names) + self.above(self._mean(above))
        return torch.cat([forwards, self.backwards(forwards)]) if self.shape.inverses else forwards

    def _embed(self, words: Tensor) -> Tensor:
        """Vectors of words (..., d), of about unit length however many pieces they have."""
        count = (words > 0).sum(-1, keepdim=True).clamp(min=1)
        return self.pieces(words).sum(-2) / count.sqrt()

    def _mean(self, words: Tensor) -> Tensor:
        """The mean of the words' vectors (r, t, g) to (r, d), 0 where there is no word."""
        count = (words > 0).any(-1).sum(-1, keepdim=True).clamp(min=1)
        return self._embed(words).sum(-2) / count.sqrt()


class Flow(NamedTuple):
    """Where the mass went."""

    hops: Tensor
    """(h, n) of walks of 1, 2, ... hops, weighed by how many hops are asked for; sums to `total` for each question."""
    total: Tensor
    """(b,) of all walks, before it is made 1."""

    def at(self, owner: Tensor) -> Tensor:
        """(n,) the share of the mass that ends at each entity; sums to 1 for each question that any walk serves."""
        return self.hops.sum(0) / self.total.clamp(min=torch.finfo(self.total.dtype).tiny)[owner]


def flow(
    reading: Reading, head: Tensor, relation: Tensor, tail: Tensor, question: Tensor, start: Tensor, owner: Tensor
) -> Flow:
    """Lets mass flow from each question's entity along the edges around it.

    Float64, because the weight of a walk of three unlikely relations is below what float32 can hold.

    Args:
        reading: the weights.
        head: (e,) entities.
        relation: (e,) their relations.
        tail: (e,) entities.
        question: (e,) whose edge it is.
        start: (b,) each question's entity.
        owner: (n,) whose entity it is: a question has its own copy.
    """
    weights, length = reading.weights.double(), reading.length.double()
    mass = torch.zeros(len(owner), dtype=torch.float64, device=owner.device).index_fill(0, start, 1.0)
    ends = []
    for hop in range(weights.shape[1]):
        mass = torch.zeros_like(mass).index_add(0, tail, mass[head] * weights[question, hop, relation])
        ends.append(mass * length[owner, hop])
    hops = torch.stack(ends)
    total = torch.zeros(len(start), dtype=torch.float64, device=owner.device).index_add(0, owner, hops.sum(0))
    return Flow(hops, total)


def best_weights(
    weights: np.ndarray, length: np.ndarray, head: np.ndarray, relation: np.ndarray, tail: np.ndarray, entities: int
) -> np.ndarray:
    """Of each entity (n,) the weight of the best walk from entity 0 that ends there, 0 where none does.

    Args:
        weights: (h, r) of the relations at each hop.
        length: (h,) of walks of 1, 2, ... hops.
        head, relation, tail: (e,) the edges.
        entities: n.
    """
    best, reached = np.zeros(entities), np.eye(1, entities)[0]
    for hop, share in enumerate(length):
        products = reached[head] * weights[hop, relation]
        reached = np.zeros(entities)
        np.maximum.at(reached, tail, products)
        best = np.maximum(best, reached * share)
    return best


def best_walk(
    weights: np.ndarray, length: np.ndarray, head: np.ndarray, relation: np.ndarray, tail: np.ndarray, end: int
) -> list[int]:
    """The edges of the walk from entity 0 to `end` whose product of weights is highest; of equal ones the first.

    Args:
        weights: (h, r) of the relations at each hop.
        length: (h,) of walks of 1, 2, ... hops.
        head, relation, tail: (e,) the edges.
        end: where it must end.

    Returns:
        Places of edges, in order; none where no walk ends there.
    """
    entities = 1 + max(0, end, *(int(each.max(initial=0)) for each in (head, tail)))
    best, score = [], 0.0
    for hops in range(1, len(length) + 1):
        ahead = np.zeros(entities)  # the best product of what is still to be walked
        ahead[end] = length[hops - 1]
        edges = []
        for hop in reversed(range(hops)):
            products = weights[hop, relation] * ahead[tail]
            edges.append(products)
            ahead = np.zeros(entities)
            np.maximum.at(ahead, head, products)
        if ahead[0] > score:
            score, best, at = ahead[0], [], 0
            for products in reversed(edges):
                best.append(int(np.where(head == at, products, -1.0).argmax()))
                at = tail[best[-1]]
    return best
