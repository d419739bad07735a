"""Entities and relations as vectors, so that a triple that holds scores high: TransE, DistMult, ComplEx, RotatE.

Notable: all four first turn head and relation into a query, and compare it with every entity by one matrix product, an
inner product or a Euclidean distance; what stands before a relation is asked by a second vector of that relation, its
reciprocal (arXiv:1806.07297, section 4), so scoring heads is scoring tails.

b triples   c candidates   n entities   m relations   d width, in real numbers
"""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn


class EntityModel(nn.Module):
    """What the four share.

    Args:
        entities: n.
        relations: m.
        width: d; of complex vectors, real and imaginary parts together, so an even number.
        spread: standard deviation of what vectors begin with.

    Raises:
        ValueError: no entity, no relation, or a width that does not fit.
    """

    complex = False
    """Whether the first half of a vector is its real part, the second its imaginary part."""
    is_distance = False
    """Whether it scores by a distance; or else by an inner product."""

    def __init__(self, entities: int, relations: int, width: int, spread: float = 1e-3) -> None:
        super().__init__()
        if min(entities, relations, width) < 1:
            raise ValueError(f"{entities} entities, {relations} relations, width {width}: each must be at least 1")
        if self.complex and width % 2:
            raise ValueError(f"width {width} is odd, but half of it is imaginary; try width={width + 1}")
        self.entities, self.relations, self.width = entities, relations, width
        self.entity = nn.Embedding(entities, width)
        self.relation = nn.Embedding(2 * relations, width)
        nn.init.normal_(self.entity.weight, std=spread)
        nn.init.normal_(self.relation.weight, std=spread)

    @abstractmethod
    def join(self, head: Tensor, relation: Tensor) -> Tensor:
        """Vectors of heads (..., d) and relations to queries (..., d)."""

    def compare(self, query: Tensor, entity: Tensor) -> Tensor:
        """Queries (b, d) and entities (c, d) to scores (b, c)."""
        if self.is_distance:
            squares = query.float().square().sum(-1)[:, None] + entity.float().square().sum(-1)  # (b, c)
            return -(squares - 2 * (query @ entity.T).float()).clamp(min=1e-6).sqrt()
        return query @ entity.T

    def compare_each(self, query: Tensor, entity: Tensor) -> Tensor:
        """Queries (b, d) and entities (b, d) to scores (b), each query with its own entity."""
        if self.is_distance:
            return -(query - entity).square().sum(-1).clamp(min=1e-6).sqrt()
        return (query * entity).sum(-1)

    def query(self, head: Tensor, relation: Tensor) -> Tensor:
        """Heads (b) and relations (b), from m on reciprocal ones, to what their tails are compared with (b, d)."""
        return self.join(self.entity(head), self.relation(relation))

    def score(self, head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
        """How well triples (b) hold: (b), higher is better."""
        return self.compare_each(self.query(head, relation), self.entity(tail))

    def score_all_tails(self, head: Tensor, relation: Tensor) -> Tensor:
        """(b) to the scores of every entity as tail (b, n)."""
        return self.compare(self.query(head, relation), self.entity.weight)

    def score_all_heads(self, relation: Tensor, tail: Tensor) -> Tensor:
        """(b) to the scores of every entity as head (b, n)."""
        return self.score_all_tails(tail, relation + self.relations)

    def moduli(self, vectors: Tensor) -> Tensor:
        """Absolute values of a vector's numbers: (..., d), of complex ones (..., d / 2)."""
        if not self.complex:
            return vectors.abs()
        real, imaginary = vectors.chunk(2, dim=-1)
        return (real.square() + imaginary.square() + 1e-12).sqrt()  # at 0 a root has no gradient


class TransE(EntityModel):
    """A relation is a way from head to tail: -||h + r - t|| (Bordes et al. 2013)."""

    is_distance = True

    def join(self, head: Tensor, relation: Tensor) -> Tensor:
        return head + relation


class DistMult(EntityModel):
    """A relation weighs what head and tail have in common: sum h r t (arXiv:1412.6575)."""

    def join(self, head: Tensor, relation: Tensor) -> Tensor:
        return head * relation


class ComplEx(EntityModel):
    """The same of complex numbers, the tail conjugate, so that order counts: Re(sum h r t*) (arXiv:1606.06357)."""

    complex = True

    def join(self, head: Tensor, relation: Tensor) -> Tensor:
        return _product(head, relation)


class RotatE(EntityModel):
    """A relation turns each complex number of the head by an angle: -||h e^(i r) - t|| (arXiv:1902.10197).

    Its angles are `relation` (2 m, d / 2), in radians; the distance is Euclidean where the paper sums moduli.
    """

    complex, is_distance = True, True

    def __init__(self, entities: int, relations: int, width: int, spread: float = 1e-3) -> None:
        super().__init__(entities, relations, width, spread)
        self.relation = nn.Embedding(2 * relations, width // 2)
        nn.init.uniform_(self.relation.weight, -math.pi, math.pi)

    def join(self, head: Tensor, relation: Tensor) -> Tensor:
        return _product(head, torch.cat([relation.cos(), relation.sin()], dim=-1))


def _product(first: Tensor, second: Tensor) -> Tensor:
    """The product of complex vectors (..., d), real parts before imaginary ones."""
    a, b = first.chunk(2, dim=-1)
    c, d = second.chunk(2, dim=-1)
    return torch.cat([a * c - b * d, a * d + b * c], dim=-1)


MODELS: dict[str, type[EntityModel]] = {"transe": TransE, "distmult": DistMult, "complex": ComplEx, "rotate": RotatE}
"""The models by name."""
