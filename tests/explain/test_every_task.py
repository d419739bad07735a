"""Every task is explained by both methods: the word that its prediction is about comes first, and scores add up."""

import random

import pytest

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.explain.text import METHODS, explain
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.known import TASKS
from mm_memgpt.tasks.pair import Pair
from mm_memgpt.tasks.recommendation import Recommendation
from mm_memgpt.tasks.regression import Regression
from mm_memgpt.tasks.retrieval import Retrieval
from mm_memgpt.tasks.span import Answers, Span
from mm_memgpt.tasks.tagging import Tagging
from mm_memgpt.tasks.together import Trained
from mm_memgpt.tasks.words import split_words

ONE = {"text": "text", "label": "label"}
TWO = {"text": "text", "text_pair": "pair"}
GOOD = "film old good story ."

CASES = {
    "classification": (Classification(ONE, ("no", "yes")), Inputs(GOOD), {"text": "good"}),
    "pair": (Pair({**TWO, "label": "label"}, ("no", "yes")), Inputs("long scene", GOOD), {"text_pair": "good"}),
    "tagging": (Tagging({"text": "text", "tags": "tags"}, ("O", "B-x", "I-x")), Inputs(GOOD), {"text": "good"}),
    "span": (Span({**TWO, "label": "label"}), Inputs("long scene", GOOD), {"text_pair": "good"}),
    "regression": (Regression(ONE, (), {"mean": 20.0, "deviation": 10.0}), Inputs(GOOD), {"text": "good"}),
    "retrieval": (Retrieval(TWO), Inputs("old story .", "blue story"), {"text": "story", "text_pair": "story"}),
    "recommendation": (
        Recommendation(TWO),
        Inputs("old .\nstory\nblue", "long story"),
        {"text": "story", "text_pair": "story"},
    ),
}
"""A task, what is explained, and the word of each text that its prediction is about."""

SUBJECTS, BESIDE = ("film", "actor", "story", "scene", "music"), ("long", "old", "blue", ".")
"""Of what is to be found: words that it is found by, and others."""


def labelled(task, row, draw, number):
    """Whether good is there decides; of two texts, whether it is in the second."""
    good = number % 2 == 1
    inputs = Inputs(row(draw, False, 3), row(draw, good, 5)) if "text_pair" in task.columns else Inputs(row(draw, good))
    if task.name == "regression":
        return Example(inputs, 30.0 if good else 10.0)
    return Example(inputs, "yes" if good else "no")


def marked(task, row, draw, number):
    """The word good is what is tagged, or the answer."""
    text = row(draw, True, 5 + number % 3)
    if task.name == "span":
        begin = text.index("good")
        return Example(Inputs(row(draw, False, 2), text), Answers(("good",), ((begin, begin + 4),)))
    tags = tuple("B-x" if word == "good" else "O" for word in text.split())
    return Example(Inputs(text), tags, further=split_words(text))


def found(task, row, draw, number):
    """What is found has a subject that one of those who ask has, too."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    asked, right = ([subject, *draw.choices(BESIDE, k=2)] for _ in range(2))
    draw.shuffle(asked)
    draw.shuffle(right)
    inputs = Inputs(("\n" if task.name == "recommendation" else " ").join(asked), " ".join(right))
    return Example(inputs, further=Trained(inputs.text, inputs.text_pair, frozenset({inputs.text_pair}), ()))


def examples_of(task, row):
    make = {"tagging": marked, "span": marked, "retrieval": found, "recommendation": found}.get(task.name, labelled)
    draw = random.Random(0)
    examples = [make(task, row, draw, number) for number in range(48)]
    if make is not found:
        return examples
    same = [frozenset(each.inputs.text_pair for each in examples[n % 5 :: 5]) for n in range(len(examples))]
    return [
        each._replace(further=each.further._replace(rights=alike)) for each, alike in zip(examples, same, strict=True)
    ]


@pytest.fixture(scope="module")
def models(learned, row):
    """A model of each task that has learned what decides."""
    return {name: learned(task, examples_of(task, row)) for name, (task, _, _) in CASES.items()}


def test_no_task_is_left_out():
    assert set(CASES) == {name for name, task in TASKS.items() if task.explained}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_the_word_that_it_is_about_comes_first(models, name, method):
    _, inputs, due = CASES[name]
    said = explain(models[name], Example(inputs), method)
    first = {part.role: max(part.words, key=lambda word: word.score) for part in said.texts if part.role in due}
    assert {role: getattr(inputs, role)[word.begin : word.end] for role, word in first.items()} == due
    assert [part.role for part in said.texts] == [role for role in ("text", "text_pair") if getattr(inputs, role)]
    assert said.value > said.baseline


@pytest.mark.parametrize("name", CASES)
def test_integrated_gradients_of_every_task_add_up(models, name):
    said = explain(models[name], Example(CASES[name][1]))
    total = sum(word.score for part in said.texts for word in part.words)
    assert total == pytest.approx(said.value - said.baseline + said.delta, abs=1e-3)
    assert abs(said.delta) < 0.05 * abs(said.value - said.baseline)
