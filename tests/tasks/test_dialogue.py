"""Every turn but the first is learned from those before it: the last ones read, the earlier ones remembered."""

import pytest
import torch

from mm_memgpt.datasets.table_given import GivenTable
from mm_memgpt.tasks.dialogue import Dialogue, tidied
from mm_memgpt.tasks.known import TASKS
from mm_memgpt.tasks.writing_model import read_writer
from mm_memgpt.types import InputError

TALKS = [
    {"turns": ["Hi , Ada .", "Hello !", "Tea ?", "Please ."]},
    {"turns": ""},
    {"turns": "One.\n\nTwo."},
]


@pytest.fixture
def table():
    return GivenTable(TALKS, ("turns",), [f"t:{row}" for row in range(3)])


@pytest.fixture
def task(table):
    return Dialogue.learn({"text": "turns"}, table)


def test_a_conversation_is_a_row_for_each_turn_that_answers(task, table):
    view = task.view(table)
    examples = [task.example(view, row) for row in (0, 1, 2, 4)]
    assert [example.target for example in examples] == ["Hello!", "Tea?", "Please.", "Two."]
    assert examples[2].further.memory == ("Hi, Ada.",)
    assert examples[2].further.text == "Hello!\nTea?\n"
    assert examples[0].place == "t:0 turn 2"
    assert len(view) == 5


def test_a_broken_conversation_costs_itself_alone(task, table):
    view = task.view(table)
    with pytest.raises(InputError, match="t:1: empty text in turns"):
        task.example(view, 3)


def test_all_turns_of_a_conversation_stay_on_one_side(task, table):
    view, name = task.view(table), task.columns[task.together]
    assert [view[row][name] for row in (0, 1, 2, 4)] == ["t:0", "t:0", "t:0", "t:2"]


def test_the_next_turn_may_stand_in_a_column_of_its_own():
    rows = [{"so far": "Hi.\nHello.\nTea?", "next": "Please ."}]
    table = GivenTable(rows, ("so far", "next"), ["t:0"])
    task = Dialogue.learn({"text": "so far", "label": "next"}, table, {"recent": 1})
    example = task.example(task.view(table), 0)
    assert (example.target, example.further.text, example.further.memory) == ("Please .", "Tea?\n", ("Hi.", "Hello."))


def test_a_model_without_memory_may_leave_earlier_turns_out(table):
    task = Dialogue.learn({"text": "turns"}, table, {"forgetful": True})
    assert task.example(task.view(table), 2).further.memory == ()


def test_turns_that_were_said_are_judged_by_how_well_they_were_foreseen(task, table, tiny_model_folder):
    view, model = task.view(table), read_writer(tiny_model_folder, "cpu")
    examples = [task.example(view, row) for row in (0, 2, 4)]
    values = task.score(task.predict(model, examples), examples).values
    logprobs = model.score([each.further for each in examples], [each.target for each in examples])
    own = torch.cat([each[:-1] for each in logprobs])
    assert values["perplexity"].value == pytest.approx((-own.double().mean()).exp().item(), rel=1e-4)
    assert {"bleu", "chrf", "exact_match"} < {*values}
    asked = [each._replace(target=None) for each in examples]
    assert all("foreseen" not in said.details for said in task.predict(model, asked))


def test_saved_it_reads_conversations_as_it_did(task, table):
    again = TASKS["dialogue"](**task.saved())
    assert again.example(again.view(table), 1) == task.example(task.view(table), 1)


def test_turns_are_spaced_as_people_write_them():
    assert tidied("I don \u2019 t know ,  Sir ; it's 5 ' s turn !") == "I don\u2019t know, Sir; it's 5's turn!"


@pytest.mark.parametrize(
    ("options", "message"),
    [({"recent": 0}, "recent 0 must be at least 1"), ({"remember": True}, "remembers by itself")],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Dialogue({"text": "turns"}, (), options)
