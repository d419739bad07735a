"""A reader of graph questions learns from answers alone, and answers about entities it never saw."""

import json
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from mm_memgpt.datasets.entity_names import Name
from mm_memgpt.datasets.triples import Triple
from mm_memgpt.knowledge.graph_reader import load_graph_reader, question_mentions
from mm_memgpt.knowledge.paths import PathsConfig
from mm_memgpt.knowledge.reading import build_graph
from mm_memgpt.knowledge.surroundings import WalkGraph
from mm_memgpt.training.paths import PathsRecipe, part_of, questions_of, read_graphs, read_questions, train
from mm_memgpt.training.recipe import Optimiser
from mm_memgpt.types import InputError

RELATIONS = ("mother", "boss", "city")


def village(people: int, name: str) -> list[tuple[str, str, str]]:
    """Everyone has a mother and a boss among the others, and a city."""
    triples = []
    for number in range(people):
        triples.append((f"{name}{number}", "mother", f"{name}{(number * 3 + 1) % people}"))
        triples.append((f"{name}{number}", "boss", f"{name}{(number * 5 + 2) % people}"))
        triples.append((f"{name}{number}", "city", f"{name}town{number % 4}"))
    return triples


def walk(triples, start: str, relations) -> list[str]:
    known = {(head, relation): tail for head, relation, tail in triples}
    path = [start]
    for relation in relations:
        path += [relation, known[path[-1], relation]]
    return path


def made(folder: Path, people: int = 30) -> tuple[Path, Path]:
    """Files of questions of two hops, and of their graph."""
    triples = village(people, "p")
    graph, questions = folder / "graph.tsv", folder / "questions.jsonl"
    graph.write_text("\n".join("\t".join(each) for each in [("head", "relation", "tail"), *triples]) + "\n")
    lines = []
    for number, first, second in product(range(people), ("mother", "boss"), RELATIONS):
        path = walk(triples, f"p{number}", (first, second))
        text = f"what is the {second} of the {first} of p{number} ?"
        lines.append(json.dumps({"question": text, "answers": [path[-1]], "path": path}))
    questions.write_text("\n".join(lines) + "\n")
    return questions, graph


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> PathsRecipe:
    folder = tmp_path_factory.mktemp("paths")
    questions, graph = made(folder)
    shape = PathsConfig(width=32, buckets=300, inverses=False, dropout=0, hops=2)
    optimiser = Optimiser(epochs=12, batch=16, rate=5e-3, weight_decay=0)
    return PathsRecipe(
        questions=str(questions), graph=str(graph), output=str(folder / "run"), model=shape, optimiser=optimiser
    )


@pytest.fixture(scope="module")
def reader(recipe):
    train(recipe)
    return load_graph_reader(recipe.output)


def test_questions_of_two_hops_are_learned_from_answers_alone(recipe, reader):
    questions = [each for each in questions_of(recipe) if part_of(each) == "test"]
    assert len(questions) > 5
    for question in questions:
        [answer] = reader.ask(question.text, question.graph, top=1)
        assert question.graph.names.index(answer.answer) in question.answers
        assert [step.relation for step in answer.path] == list(question.relations)


def test_a_graph_of_entities_never_seen_is_asked_alike(reader):
    triples = village(11, "stranger")
    [answer, *_] = reader.ask(
        "what is the city of the boss of stranger4 ?", WalkGraph.of_triples(triples, inverses=False)
    )
    assert answer.answer == walk(triples, "stranger4", ("boss", "city"))[-1]
    assert [(step.head, step.relation) for step in answer.path] == [("stranger4", "boss"), ("stranger0", "city")]
    assert answer.score > 0.5


def test_of_two_entities_of_one_name_the_one_that_fits_is_told(reader):
    triples = [Triple("p1", "city", "rome"), Triple("q", "mother", "r"), Triple("r", "boss", "s")]
    graph = WalkGraph(build_graph(triples, [Name("q", "p1")])[0], inverses=False)
    [answer, *_] = reader.ask("what is the boss of the mother of p1 ?", graph)
    assert answer.answer == "s"


def test_parts_hold_no_question_in_common(recipe):
    questions = questions_of(recipe)
    one = questions[0]
    reworded = one._replace(text="said otherwise", place="elsewhere")
    assert part_of(one) == part_of(reworded)
    assert {part_of(each) for each in questions} == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"path": ["p0", "mother"]}, "a path is entity, relation, entity, ..., got 2 names"),
        ({"path": ["p0", "uncle", "p1"]}, "'uncle' of its path is not in the graph"),
        ({"path": ["nobody", "mother", "p1"]}, "'nobody' of its path is not in the graph"),
    ],
)
def test_a_question_that_cannot_be_asked_is_named_and_passed_over(tmp_path, row, message):
    questions, graph = made(tmp_path)
    with questions.open("a") as file:
        file.write(json.dumps({"question": "what ?", "answers": ["p1"], **row}) + "\n")
    told = []
    graphs = read_graphs(graph, None, [], inverses=True)
    assert len(read_questions(questions, graphs, None, told.append)) == 180
    assert [f"{questions}:181: {message}" in str(each) for each in told] == [True]
    with pytest.raises(InputError, match="181"):
        read_questions(questions, graphs, None)


def test_known_paths_may_be_asked_for_too(recipe, tmp_path):
    short = replace(recipe.optimiser, epochs=1)
    figures = train(replace(recipe, paths=1.0, output=str(tmp_path / "run"), optimiser=short))
    assert figures["eval_loss"] > 0


def test_a_recipe_says_what_is_wrong_with_it():
    with pytest.raises(ValueError, match=r"paths -1\.0 must be at least 0"):
        PathsRecipe(questions="q", graph="g", output="o", paths=-1.0)


@pytest.mark.data
def test_the_entity_of_a_real_question_is_found_by_its_name(data_folder):
    folder = data_folder / "knowledge"
    questions = questions_of(
        PathsRecipe(
            questions=str(folder / "pathquestion.parquet"),
            graph=str(folder / "pathquestion_kb.parquet"),
            graphs="subset",
            output="none",
        )
    )
    assert len(questions) == 8756
    some = [each for each in questions if part_of(each) == "val"]
    assert 700 < len(some) < 1000
    found = []
    for question in some:
        with suppress(InputError):  # one is called "."
            found += [question.entity in each.entities for each in question_mentions(question.text, question.graph)]
    assert sum(found) >= 0.95 * len(some)
    assert len(found) <= 1.05 * len(some)
