"""What lies around an entity is what walks can reach, and never more than fits."""

import numpy as np

from mm_memgpt.knowledge.graph_file import graph_of
from mm_memgpt.knowledge.surroundings import Graph

CHAIN = [("a", "to", "b"), ("b", "to", "c"), ("c", "to", "d"), ("d", "to", "e")]


def reached(graph: Graph, name: str, hops: int) -> set[str]:
    return {graph.names[number] for number in graph.around(graph.names.index(name), hops).entities}


def test_walks_reach_as_far_as_they_have_hops():
    graph = graph_of(CHAIN, inverses=False)
    assert reached(graph, "b", 1) == {"b", "c"}
    assert reached(graph, "b", 2) == {"b", "c", "d"}


def test_edges_are_walked_backwards_where_asked():
    assert reached(graph_of(CHAIN), "c", 1) == {"b", "c", "d"}
    around = graph_of(CHAIN).around(2, 1)
    assert sorted(around.relation.tolist()) == [0, 1]  # one relation, there and back


def test_a_triple_that_is_there_twice_counts_once():
    assert len(graph_of([*CHAIN, CHAIN[0]], inverses=False).around(0, 1).head) == 1


def test_an_entity_without_edges_has_no_surroundings():
    around = Graph(np.array([0]), np.array([0]), np.array([1]), ["a", "b", "c"], ["to"]).around(2, 3)
    assert around.entities.tolist() == [2]
    assert len(around.head) == around.cut == 0


def test_a_hub_is_cut_the_same_each_time_and_hides_no_relation():
    many = 100_000
    head, relation = np.zeros(many + 2, dtype=int), np.zeros(many + 2, dtype=int)
    relation[-2:] = [1, 2]
    names = [f"n{number}" for number in range(many + 3)]
    graph = Graph(head, relation, np.arange(1, many + 3), names, ["knows", "born", "died"], inverses=False)
    around, again = (graph.around(0, 3, most=500, each=50) for _ in range(2))
    assert len(around.head) == 50
    assert around.cut == many + 2 - 50
    assert set(around.relation.tolist()) == {0, 1, 2}
    assert around.tail.tolist() == again.tail.tolist()


def test_all_edges_together_are_bounded():
    ring = [(f"n{i}", "to", f"n{(i + step) % 40}") for i in range(40) for step in range(1, 9)]
    around = graph_of(ring, inverses=False).around(0, 3, most=30)
    assert len(around.head) == 30
    assert around.cut > 0
