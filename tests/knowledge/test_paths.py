"""Mass flows along edges as the question weighs them, and the best walk is the best of all walks."""

import re
from itertools import product

import numpy as np
import pytest
import torch

from mm_memgpt.knowledge.asked import Asked, batch_of
from mm_memgpt.knowledge.paths import PathReader, PathsConfig, best_walk, best_weights
from mm_memgpt.knowledge.surroundings import WalkGraph

FAMILY = [("ada", "child", "ben"), ("ben", "child", "cleo"), ("ada", "child", "dan"), ("cleo", "city", "rome")]
FAMILY += [("dan", "city", "oslo"), ("eve", "likes", "eve")]


def asked(text: str, name: str, inverses: bool = True) -> Asked:
    graph = WalkGraph.of_triples(FAMILY, inverses)
    return Asked(tuple(text.split()), graph, graph.around(graph.names.index(name), 3))


def reader(inverses: bool = True) -> PathReader:
    return PathReader(PathsConfig(width=6, buckets=50, inverses=inverses, dropout=0)).eval()


QUESTIONS = [asked("whose child is it", "ada"), asked("the city", "cleo"), asked("what does it like ?", "eve")]


def test_mass_is_never_negative_and_all_of_it_ends_somewhere():
    batch = batch_of(QUESTIONS, 50)
    _, sent = reader().walk(batch)
    share = sent.at(batch["owner"])
    assert share.min() >= 0
    sums = torch.zeros(3, dtype=torch.float64).index_add(0, batch["owner"], share)
    torch.testing.assert_close(sums, torch.ones(3, dtype=torch.float64))


def test_mass_is_the_sum_over_all_walks():
    [one] = [asked("the city of its child", "ada")]
    batch = batch_of([one], 50)
    reading, sent = reader().walk(batch)
    edges = list(zip(*(batch[name].tolist() for name in ("head", "relation", "tail")), strict=True))
    ends = torch.zeros(len(one.around.entities), dtype=torch.float64)
    for hops in (1, 2, 3):
        for walk in product(edges, repeat=hops):
            starts = [0, *(tail for _, _, tail in walk[:-1])]
            if all(head == start for (head, _, _), start in zip(walk, starts, strict=True)):
                weight = reading.length[0, hops - 1].double()
                for hop, (_, relation, _) in enumerate(walk):
                    weight = weight * reading.weights[0, hop, relation].double()
                ends[walk[-1][2]] += weight
    torch.testing.assert_close(sent.hops.sum(0), ends)


def test_questions_of_a_batch_do_not_mix():
    model = reader()
    together = model.walk(batch_of(QUESTIONS, 50))[1]
    alone = [model.walk(batch_of([each], 50))[1] for each in QUESTIONS]
    torch.testing.assert_close(together.hops, torch.cat([each.hops for each in alone], dim=1), rtol=1e-4, atol=1e-7)


def test_a_longer_question_beside_it_changes_nothing():
    short = asked("city", "cleo")
    long = asked("what is the city of the child of the child of it ?", "ada")
    model = reader()
    alone, beside = (model.walk(batch_of(each, 50))[0].length[0] for each in ([short], [short, long]))
    torch.testing.assert_close(alone, beside)


def test_every_weight_gets_a_gradient():
    model = PathReader(PathsConfig(width=6, buckets=50)).train()
    batch = batch_of([asked("child 's city", "ada"), asked("the child", "ben")], 50)
    _, sent = model.walk(batch)
    sent.at(batch["owner"])[0].log().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_a_relation_of_the_same_name_has_the_same_vector_in_any_graph():
    model, other = (
        reader(inverses=False),
        WalkGraph.of_triples([("x", "owns", "y"), ("x", "child", "y")], inverses=False),
    )
    there = batch_of([Asked(("child",), other, other.around(0, 3))], 50)
    here = batch_of([asked("child", "ben", inverses=False)], 50)
    vectors = [model.relations(batch["names"], batch["above"]) for batch in (there, here)]
    torch.testing.assert_close(vectors[0][1], vectors[1][0])


@pytest.mark.parametrize("seed", range(8))
def test_the_best_walk_is_the_best_of_all_walks(seed):
    generator = np.random.default_rng(seed)
    head, tail = generator.integers(0, 5, (2, 9))
    relation = generator.integers(0, 4, 9)
    weights, length = generator.random((3, 4)), generator.random(3)

    def weight(walk) -> float:
        """Of a walk of edges, 0 where it is none from entity 0."""
        starts = [0, *tail[list(walk[:-1])]]
        if any(head[edge] != start for edge, start in zip(walk, starts, strict=True)):
            return 0.0
        return length[len(walk) - 1] * np.prod([weights[hop, relation[edge]] for hop, edge in enumerate(walk)])

    best = np.zeros(5)
    for hops in (1, 2, 3):
        for walk in product(range(9), repeat=hops):
            best[tail[walk[-1]]] = max(best[tail[walk[-1]]], weight(walk))
    np.testing.assert_allclose(best_weights(weights, length, head, relation, tail, 5), best)
    for end in range(5):
        walk = best_walk(weights, length, head, relation, tail, end)
        assert [tail[edge] for edge in walk[-1:]] == ([end] if best[end] else [])
        assert (weight(walk) if walk else 0.0) == pytest.approx(best[end])


def test_a_self_loop_and_a_cycle_end_like_any_walk():
    graph = WalkGraph.of_triples([("a", "next", "b"), ("b", "next", "a"), ("a", "self", "a")], inverses=False)
    one = Asked(("next",), graph, graph.around(0, 3))
    batch = batch_of([one], 50)
    share = reader(inverses=False).walk(batch)[1].at(batch["owner"])
    assert len(one.around.head) == 3
    torch.testing.assert_close(share.sum(), torch.tensor(1.0, dtype=torch.float64))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 7}, "width 7 must be even and above 0; try width=96"),
        ({"buckets": 0}, "buckets 0 must be at least 1; try buckets=8192"),
        ({"hops": 4}, "hops 4 must be 1, 2 or 3"),
        ({"dropout": 1.0}, "dropout 1.0 must be at least 0 and below 1; try dropout=0.2"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PathsConfig(**values)
