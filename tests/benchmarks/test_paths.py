"""The benchmark of graph questions counts a question once, and a tie against us."""

import numpy as np
import pytest

from benchmarks.paths import by_any_walk, by_last_relation, distinct, figures, first_is_right
from mm_memgpt.knowledge.surroundings import WalkGraph
from mm_memgpt.training.paths import GraphQuestion

GRAPH = WalkGraph.of_triples([("a", "to", "b"), ("b", "to", "c"), ("d", "to", "c")], inverses=False)


def question(text: str, entity: int, answer: int, path: tuple[int, ...]) -> GraphQuestion:
    return GraphQuestion("place", text, GRAPH, "", entity, frozenset({answer}), path)


TWO = question("to to a ?", 0, 2, (0, 0, 1, 0, 2))


def test_a_tie_counts_against_us():
    assert first_is_right(np.array([0.5, 0.4]), np.array([True, False]))
    assert not first_is_right(np.array([0.5, 0.5]), np.array([True, False]))
    assert not first_is_right(np.array([0.5, 0.5]), np.array([False, False]))


def test_a_text_that_is_there_twice_is_one_question():
    assert len(distinct([TWO, TWO, question("other", 0, 1, (0, 0, 1))])) == 2


def test_controls_answer_without_what_they_lack():
    assert by_any_walk(2)([TWO]) == [(True, False, False)]
    learned = [question("x", 3, 2, (3, 0, 2))]
    assert by_last_relation(learned)([TWO]) == [(True, False, False)]
    assert by_last_relation([])([TWO]) == [(False, False, False)]


def test_rewordings_are_right_or_wrong_together():
    asked = [TWO, TWO._replace(text="reworded"), question("y", 3, 2, (3, 0, 2))]
    hits, _, _ = figures(asked, [(True, True, True), (True, True, True), (False, False, False)])
    assert hits.value == pytest.approx(2 / 3)
    assert (hits.low, hits.high) == (0.0, 1.0)
