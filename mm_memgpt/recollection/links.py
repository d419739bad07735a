"""How the sources of an answer are connected in the graph that fusion made of them, and how strongly.

Notable: nothing is made up for it: kinds and weights are those of the pass that answered, before any message was sent.

s slots   g groups
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from torch import Tensor

from mm_memgpt.fusion.fuser import Edges
from mm_memgpt.fusion.graph import EDGE_KINDS
from mm_memgpt.recollection.results import Link

RELATION = EDGE_KINDS.index("relation")

MIRRORED = {"next": "previous", "previous": "next"}
"""What one is to the other, where the other is that to the one."""


def links(
    edges: Edges, own: Sequence[int], groups: Sequence[Sequence[int]], related: Mapping[tuple[int, int], str]
) -> tuple[Link, ...]:
    """The links between sources, by their places among the groups.

    Args:
        edges: of the one state that was read.
        own: the slot of each item that was found.
        groups: places of items that are one source.
        related: places of two items that a fact relates, the smaller first, and the entity that both name.
    """
    found = []
    for one, other in combinations(range(len(groups)), 2):
        here, there = ([own[place] for place in groups[number]] for number in (one, other))
        kinds = (_between(edges.kinds[0], here, there) != 0).flatten(0, 1).any(0).tolist()
        weight = max(float(_between(edges.shares[0], *pair).max()) for pair in ((here, there), (there, here)))
        found += [
            Link(one=one, other=other, kind=kind, weight=weight)
            for kind, is_there in zip(EDGE_KINDS[:RELATION], kinds, strict=False)
            if is_there
        ]
        pairs = ((min(a, b), max(a, b)) for a in groups[one] for b in groups[other])
        if name := next((related[pair] for pair in pairs if pair in related), ""):
            given = weight if kinds[RELATION] else 0.0
            found.append(Link(one=one, other=other, kind=EDGE_KINDS[RELATION], name=name, weight=given))
    return tuple(found)


def moved(links: Iterable[Link], place: Mapping[int, int]) -> tuple[Link, ...]:
    """The same links between sources that each have another place now."""
    found = []
    for link in links:
        one, other = place[link.one], place[link.other]
        kind = link.kind if one < other else MIRRORED.get(link.kind, link.kind)
        found.append(replace(link, one=min(one, other), other=max(one, other), kind=kind))
    return tuple(sorted(found, key=lambda link: (link.one, link.other)))


def _between(edges: Tensor, here: Sequence[int], there: Sequence[int]) -> Tensor:
    """What (s, s, ...) holds from some slots to some others."""
    return edges[here][:, there]
