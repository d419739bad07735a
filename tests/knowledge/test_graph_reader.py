"""A graph is asked in words; what cannot be asked is said in one line."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mm_memgpt.knowledge.graph_reader import GraphReader, Step, load_graph_reader, save_graph_reader
from mm_memgpt.knowledge.paths import PathReader, PathsConfig
from mm_memgpt.knowledge.surroundings import WalkGraph
from mm_memgpt.types import InputError

GRAPH = WalkGraph.of_triples([("ada", "child", "ben"), ("ben", "child", "cleo"), ("cleo", "city", "rome")])


@pytest.fixture
def reader() -> GraphReader:
    return GraphReader(PathReader(PathsConfig(width=6, buckets=50)))


def test_answers_come_with_walks_from_the_entity_that_is_named(reader):
    answers = reader.ask("the child of ada ?", GRAPH, top=3)
    assert [each.score for each in answers] == sorted((each.score for each in answers), reverse=True)
    for each in answers:
        first, last = each.path[0], each.path[-1]
        assert (first.tail if first.backwards else first.head) == "ada"
        assert (last.head if last.backwards else last.tail) == each.answer
        assert 0 < each.score <= min(step.weight for step in each.path)


def test_shares_of_all_answers_are_the_whole_mass(reader):
    answers = reader.ask("the child of ada ?", GRAPH, top=100)
    assert sum(each.share for each in answers) == pytest.approx(1)


def test_an_edge_walked_backwards_is_still_the_triple(reader):
    [answer] = [each for each in reader.ask("who ?", GRAPH, entity="rome", top=9) if each.answer == "cleo"]
    assert answer.path[0] == Step("cleo", "city", "rome", answer.path[0].weight, backwards=True)


def test_what_is_cut_is_told(reader):
    hub = WalkGraph.of_triples([("hub", "knows", f"n{number}") for number in range(2100)])
    assert reader.ask("whom does hub know ?", hub)[0].cut > 0


@pytest.mark.parametrize(
    ("question", "entity", "message"),
    [
        ("   ", None, "the question has no words; ask for something"),
        ("who is zeno ?", None, "'who is zeno ?' names no entity of the graph; write its name as it is there"),
        ("who ?", "benn", "no entity 'benn'; did you mean ben?"),
    ],
)
def test_a_question_that_cannot_be_asked_is_one_line(reader, question, entity, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}") as error:
        reader.ask(question, GRAPH, entity)
    assert "\n" not in str(error.value)


def test_an_entity_that_no_edge_leaves_is_one_line():
    reader = GraphReader(PathReader(PathsConfig(width=6, buckets=50, inverses=False)))
    graph = WalkGraph(GRAPH.knowledge, inverses=False)
    with pytest.raises(InputError, match=r"^rome: has no edge in the graph"):
        reader.ask("what of rome ?", graph)
    with pytest.raises(InputError, match="the graph has inverses=True, the model False"):
        reader.ask("what of rome ?", GRAPH)


def test_a_question_that_no_walk_fits_is_one_line(reader, monkeypatch):
    monkeypatch.setattr("mm_memgpt.knowledge.graph_reader.best_weights", lambda *given: np.zeros(given[-1]))
    with pytest.raises(InputError, match=r"^'of ada \?': no walk over the graph fits it; ask otherwise"):
        reader.ask("of ada ?", GRAPH)


def test_a_reader_is_kept_and_read_again(reader, tmp_path):
    save_graph_reader(reader.model, tmp_path)
    again = load_graph_reader(tmp_path)
    assert again.ask("the child of ada ?", GRAPH) == reader.ask("the child of ada ?", GRAPH)


def test_a_folder_that_is_not_whole_is_refused(reader, tmp_path):
    with pytest.raises(InputError, match="no reader of graphs"):
        load_graph_reader(tmp_path)
    save_graph_reader(reader.model, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({**weights, "left.over": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"left\.over"):
        load_graph_reader(tmp_path)
