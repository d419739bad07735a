"""What lies around an entity is what walks can reach, and never more than fits."""

from mm_memgpt.knowledge.surroundings import WalkGraph

CHAIN = [("a", "to", "b"), ("b", "to", "c"), ("c", "to", "d"), ("d", "to", "e")]


def reached(graph: WalkGraph, name: str, hops: int) -> set[str]:
    return {graph.names[number] for number in graph.around(graph.names.index(name), hops).entities}


def test_walks_reach_as_far_as_they_have_hops():
    graph = WalkGraph.of_triples(CHAIN, inverses=False)
    assert reached(graph, "b", 1) == {"b", "c"}
    assert reached(graph, "b", 2) == {"b", "c", "d"}


def test_edges_are_walked_backwards_where_asked():
    assert reached(WalkGraph.of_triples(CHAIN), "c", 1) == {"b", "c", "d"}
    around = WalkGraph.of_triples(CHAIN).around(2, 1)
    assert sorted(around.relation.tolist()) == [0, 1]  # one relation, there and back


def test_a_triple_that_is_there_twice_counts_once():
    assert len(WalkGraph.of_triples([*CHAIN, CHAIN[0]], inverses=False).around(0, 1).head) == 1


def test_an_entity_that_no_edge_leaves_has_no_surroundings():
    around = WalkGraph.of_triples(CHAIN, inverses=False).around(4, 3)
    assert around.entities.tolist() == [4]
    assert len(around.head) == around.cut == 0


def test_a_hub_is_cut_the_same_each_time_and_hides_no_relation():
    many = 100_000
    triples = [("hub", "knows", f"n{number}") for number in range(many)]
    graph = WalkGraph.of_triples([*triples, ("hub", "born", "here"), ("hub", "died", "there")], inverses=False)
    around, again = (graph.around(0, 3, most=500, each=50) for _ in range(2))
    assert len(around.head) == 50
    assert around.cut == many + 2 - 50
    assert set(around.relation.tolist()) == {0, 1, 2}
    assert around.tail.tolist() == again.tail.tolist()


def test_all_edges_together_are_bounded():
    ring = [(f"n{i}", "to", f"n{(i + step) % 40}") for i in range(40) for step in range(1, 9)]
    around = WalkGraph.of_triples(ring, inverses=False).around(0, 3, most=30)
    assert len(around.head) == 30
    assert around.cut > 0
