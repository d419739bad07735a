"""`ask-graph` as a user calls it: answers with their walks, and one line for what cannot be asked."""

import json

import pytest

from mm_memgpt.cli import main
from mm_memgpt.knowledge.graph_reader import save_graph_reader
from mm_memgpt.knowledge.paths import PathReader, PathsConfig


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """`ask("the child of ada ?", "--top", "1")`: the exit status, and the lines on standard output and error."""
    monkeypatch.chdir(tmp_path)
    save_graph_reader(PathReader(PathsConfig(width=6, buckets=50)), tmp_path / "model")
    (tmp_path / "facts.tsv").write_text("ada\tchild\tben\nben\tcity\trome\n")

    def command(*arguments: str, graph: str = "facts.tsv") -> tuple[int, list[str], list[str]]:
        status = main(["ask-graph", *arguments, "--graph", graph, "--model", "model"])
        output, errors = capsys.readouterr()
        return status, output.splitlines(), errors.splitlines()

    return command


def test_an_answer_and_below_it_the_way_there(ask):
    status, [answer, path], errors = ask("the child of ada ?", "--top", "1")
    assert (status, errors) == (0, [])
    assert answer.split()[0] in {"ada", "ben", "rome"}
    assert path.startswith("  ada -child ")


def test_answers_as_json_and_drawn(ask, tmp_path):
    status, [line], _ = ask("the child of ada ?", "--format", "json", "--draw", "way.svg")
    found = json.loads(line)
    assert status == 0
    assert found["answers"][0]["path"][0]["relation"] == "child"
    assert (tmp_path / "way.svg").read_text().startswith("<svg")


def test_a_question_about_nobody_leaves_the_others(ask):
    status, lines, [error] = ask("who is zeno ?", "the child of ada ?", "--top", "1")
    assert status == 1
    assert len(lines) == 2
    assert error.startswith("mm-memgpt: error: 'who is zeno ?' names no entity of the graph")


def test_a_broken_triple_is_named_with_its_line(ask, tmp_path):
    (tmp_path / "broken.tsv").write_text("ada\tchild\tben\nada\tchild\n")
    status, lines, [error] = ask("the child of ada ?", "--top", "1", graph="broken.tsv")
    assert status == 1
    assert len(lines) == 2
    assert "broken.tsv:2" in error


def test_a_picture_is_of_one_question_and_an_svg(ask):
    assert ask("a ?", "b ?", "--draw", "way.svg")[0] == 2
    assert "name it something.svg" in ask("the child of ada ?", "--draw", "way.png")[2][0]
