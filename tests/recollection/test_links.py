"""Links say what fusion connected, by what, and how much came of it; where the sources move, the links go with them."""

from dataclasses import replace

import torch

from mm_memgpt.fusion.fuser import Edges
from mm_memgpt.fusion.graph import EDGE_KINDS
from mm_memgpt.recollection.links import links, moved
from mm_memgpt.recollection.results import Link

NEXT, PREVIOUS, SAME_SOURCE, _, SIMILAR, RELATION = range(len(EDGE_KINDS))


def edges(*connected: tuple[int, int, int, float]) -> Edges:
    """Of five slots; of each connection who reads, what it reads, its kind, and its share."""
    kinds, shares = torch.zeros(1, 5, 5, len(EDGE_KINDS)), torch.zeros(1, 5, 5)
    for i, j, kind, share in connected:
        kinds[0, i, j, kind] = 1
        shares[0, i, j] = share
    return Edges(kinds, shares)


def told(found: tuple[Link, ...]) -> list[tuple[int, int, str, str, float]]:
    return [(link.one, link.other, link.kind, link.name, round(link.weight, 2)) for link in found]


def test_a_link_is_a_kind_of_edge_and_weighs_the_larger_share_of_both_ways():
    graph = edges((4, 2, NEXT, 0.25), (2, 4, PREVIOUS, 0.5), (4, 2, SIMILAR, 0.25), (2, 4, SIMILAR, 0.5))
    assert told(links(graph, own=[4, 2], groups=[[0], [1]], related={})) == [
        (0, 1, "next", "", 0.5),
        (0, 1, "similar", "", 0.5),
    ]
    assert links(edges(), own=[4, 2], groups=[[0], [1]], related={}) == ()


def test_pieces_of_one_source_are_linked_as_one():
    graph = edges((0, 3, SAME_SOURCE, 0.25), (3, 0, SAME_SOURCE, 0.25), (1, 3, SIMILAR, 0.75), (0, 1, SIMILAR, 0.9))
    assert told(links(graph, own=[0, 1, 3], groups=[[0, 1], [2]], related={})) == [
        (0, 1, "same source", "", 0.75),
        (0, 1, "similar", "", 0.75),
    ]


def test_a_relation_that_the_model_was_not_given_weighs_nothing():
    given, kept_back = edges((0, 1, RELATION, 0.5)), edges((0, 1, SIMILAR, 0.5))
    arguments = {"own": [0, 1], "groups": [[0], [1]], "related": {(0, 1): "dog"}}
    assert told(links(given, **arguments)) == [(0, 1, "relation", "dog", 0.5)]
    assert told(links(kept_back, **arguments)) == [(0, 1, "similar", "", 0.5), (0, 1, "relation", "dog", 0.0)]


def test_links_follow_their_sources_and_see_them_from_the_first():
    link = Link(one=0, other=1, kind="next", weight=0.5)
    assert moved([link], {0: 2, 1: 0}) == (Link(one=0, other=2, kind="previous", weight=0.5),)
    assert moved([link], {0: 1, 1: 3}) == (replace(link, one=1, other=3),)
    relation = Link(one=0, other=1, kind="relation", name="dog", weight=0.5)
    assert moved([relation, link], {0: 1, 1: 0}) == (
        replace(relation, one=0, other=1),
        replace(link, kind="previous"),
    )
