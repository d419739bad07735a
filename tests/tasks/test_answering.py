"""An answer is written from the sentences that fit the question, and nothing is an answer, too."""

import pytest

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.table_given import GivenTable
from mm_memgpt.tasks.answering import NO_ANSWER, Answering, nearest
from mm_memgpt.tasks.base import Prediction
from mm_memgpt.tasks.prompt import Composed

COLUMNS = {"text": "asked", "text_pair": "passage", "label": "answers"}
PASSAGE = "Anna has a boat. It rains. The boat is green."
ROWS = [
    {"asked": "What colour is the boat?", "passage": PASSAGE, "answers": ["green", "a green one"]},
    {"asked": "Who is Ben?", "passage": PASSAGE, "answers": []},
]


@pytest.fixture
def table():
    return GivenTable(ROWS, ("asked", "passage", "answers"), ("t:0", "t:1"))


class Scribe:
    """Writes what it is told to."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def write(self, prompts, how) -> list[Composed]:
        return [Composed(text, True) for text in self.texts]


def test_the_question_stands_behind_its_passage_and_the_answer_is_begun(table):
    example = Answering.learn(COLUMNS, table).example(table, 0)
    assert example.further.text == f"{PASSAGE} Question: What colour is the boat?\n"
    assert (example.further.begin, example.further.memory) == ("Answer:", ())
    assert example.target == ("green", "a green one")


def test_remembered_the_passage_is_in_the_memory_sentence_by_sentence(table):
    example = Answering.learn(COLUMNS, table, {"remember": True}).example(table, 0)
    assert example.further.memory == ("Anna has a boat.", "It rains.", "The boat is green.")
    assert example.further.text == "Question: What colour is the boat?\n"


def test_of_a_long_passage_the_sentences_that_fit_are_read_in_their_order():
    sentences = ["The cat sleeps.", "A boat sinks.", "It rains.", "My boat is green."]
    assert nearest("Which boat is green?", sentences, 2) == ["A boat sinks.", "My boat is green."]
    task = Answering(COLUMNS, (), {"sentences": 1})
    assert task.prompt(Inputs(text="Which boat?", text_pair=PASSAGE)).text == "Anna has a boat. Question: Which boat?\n"


def test_no_answer_is_learned_as_a_text_and_said_as_nothing(table):
    task = Answering.learn(COLUMNS, table)
    examples = [task.example(table, row) for row in range(2)]
    written = []
    collate = task.collate(lambda prompts, texts: written.append(texts))
    collate(examples)
    assert written == [["green", NO_ANSWER]]
    said = task.predict(Scribe("green", NO_ANSWER), examples)
    assert [each.value for each in said] == ["green", ""]


def test_any_of_the_right_answers_is_right(table):
    task = Answering.learn(COLUMNS, table)
    examples = [task.example(table, row) for row in range(2)]
    scores = task.score([Prediction(value="A green one!"), Prediction(value="")], examples).values
    assert (scores["exact_match"].value, scores["f1"].value, scores["no_answer_accuracy"].value) == (1, 1, 1)


def test_too_few_sentences_are_refused():
    with pytest.raises(ValueError, match="sentences 0 must be at least 1"):
        Answering(COLUMNS, (), {"sentences": 0})
