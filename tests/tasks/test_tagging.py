import itertools
import json

import pytest
import torch

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.table import read_table
from mm_memgpt.objectives.labels import IGNORED
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.model import read_task_model
from mm_memgpt.tasks.tagging import Tagging, likeliest, repaired
from mm_memgpt.tasks.words import first_tokens, joined, split_words
from mm_memgpt.types import InputError

COLUMNS = {"text": "tokens", "tags": "tags"}
ROWS = [
    (
        ["Ada", "Lovelace", "met", "Babbage", "in", "London", "."],
        ["B-person", "I-person", "O", "B-person", "O", "B-place", "O"],
    ),
    (["I", "live", "in", "New", "York"], ["O", "O", "O", "B-place", "I-place"]),
    (["我", "住", "在", "北京"], ["O", "O", "O", "B-place"]),
    (["أنا", "في", "القاهرة"], ["O", "O", "B-place"]),
]


@pytest.fixture
def table(tmp_path):
    """`table(rows)`: words and tags as a JSON lines table."""

    def write(rows=ROWS):
        lines = [json.dumps({"tokens": tokens, "tags": tags}) for tokens, tags in rows]
        path = tmp_path / "rows.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        return read_table(path)

    return write


def task_and_examples(table, **options):
    task = Tagging.learn(COLUMNS, table, options)
    return task, [task.example(table, index) for index in range(len(table))]


def plain(text):
    return Example(Inputs(text=text))


@pytest.mark.parametrize("name", ["pieces", "bytes", "own"])
def test_a_few_rows_are_learned_by_heart_in_any_script_and_tokenizer(name, table, model_of, overfitted):
    task, examples = task_and_examples(table())
    model = model_of(task, name)
    assert overfitted(model, examples, steps=400 if name == "own" else 120) < 0.05
    predictions = task.predict(model, examples)
    assert [tuple(each.details["tags"]) for each in predictions] == [example.target for example in examples]
    first = predictions[0].value[0]
    assert {key: first[key] for key in ("kind", "start", "end", "characters", "text")} == {
        "kind": "person",
        "start": 0,
        "end": 2,
        "characters": [0, 12],
        "text": "Ada Lovelace",
    }
    assert [each.value[-1]["text"] for each in predictions[1:]] == ["New York", "北京", "القاهرة"]
    assert all(0.5 < entity["confidence"] <= 1 for each in predictions for entity in each.value)
    assert task.score(predictions, examples).values["f1"].value == 1
    json.dumps([[each.value, each.details] for each in predictions])


def test_nano_tags_too(table, model_of, overfitted):
    task, examples = task_and_examples(table())
    model = model_of(task, "nano").requires_grad_(False)
    model.head.requires_grad_(True)
    before = overfitted(model, examples, steps=0)
    assert overfitted(model, examples, steps=60, rate=1e-1) < before / 4


def test_only_the_first_token_of_a_word_is_learned(table, model_of):
    task, examples = task_and_examples(table())
    model = model_of(task)
    batch = task.collate(model.backbone.processor)(examples)
    assert (batch["labels"] != IGNORED).sum(1).tolist() == [len(words) for words, _ in ROWS]
    first = (batch["labels"][0] != IGNORED).nonzero().flatten()
    assert batch["offsets"].flatten(1, 2)[0, first, 0].tolist() == [begin for begin, _ in examples[0].further]


def test_padding_changes_nothing(table, model_of):
    task, examples = task_and_examples(table())
    model = model_of(task)
    together = task.predict(model, examples)
    alone = [task.predict(model, [example])[0] for example in examples]
    assert [each.details for each in together] == [each.details for each in alone]
    assert [each.confidence for each in together] == pytest.approx([each.confidence for each in alone], abs=1e-5)


def test_windows_say_the_same_where_the_text_fits(table, model_of):
    task, examples = task_and_examples(table())
    model = model_of(task, over="head")
    whole = task.predict(model, examples)
    model.backbone.processor.fit = model_of(task, over="windows", stride=5).backbone.processor.fit
    assert [each.value for each in task.predict(model, examples)] == [each.value for each in whole]


def test_a_word_in_two_windows_is_read_where_more_is_around_it(table, model_of):
    task, _ = task_and_examples(table())
    model = model_of(task, longest=8, stride=3)
    text, words = joined(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])
    batch = model.prepare([Inputs(text=text)])
    # windows of 6: a-f, d-i, g-j; e is 1 from the edge in the first and in the second, d 2 and 0
    places = [divmod(token, 8) for token in first_tokens(batch, 0, words)]
    assert [window for window, _ in places] == [0, 0, 0, 0, 0, 1, 1, 1, 2, 2]
    assert [batch["offsets"][0, window, token].tolist() for window, token in places] == [list(word) for word in words]


def test_every_word_of_a_long_text_is_read_in_windows(table, model_of):
    task, _ = task_and_examples(table())
    text = "who met the choir in London " * 60
    [prediction] = task.predict(model_of(task, stride=10), [plain(text)])
    assert len(prediction.details["tags"]) == 360
    assert prediction.details["unread"] == 0


def test_words_beyond_the_limit_are_outside_and_counted(table, model_of):
    task, _ = task_and_examples(table())
    [prediction] = task.predict(model_of(task, longest=8, over="head"), [plain("in the in the in the in the in the")])
    assert prediction.details["unread"] == 4
    assert prediction.details["tags"][6:] == ["O"] * 4


def test_plain_text_has_the_characters_of_that_text(table, model_of, overfitted):
    task, examples = task_and_examples(table())
    model = model_of(task)
    overfitted(model, examples)
    [prediction] = task.predict(model, [plain("  Ada Lovelace met Babbage in London.")])
    assert [entity["text"] for entity in prediction.value] == ["Ada Lovelace", "Babbage", "London"]
    assert prediction.value[0]["characters"] == [2, 14]
    assert prediction.details["words"][-1] == [36, 37]


def test_a_text_without_a_word_has_no_entities(table, model_of):
    task, _ = task_and_examples(table())
    [prediction] = task.predict(model_of(task), [plain(" ")])
    assert (prediction.value, prediction.details["tags"]) == ((), [])


def test_a_model_is_the_same_after_saving(table, model_of, tmp_path):
    task, examples = task_and_examples(table(), decoding="greedy")
    model = model_of(task, longest=9, stride=2)
    model.save(tmp_path / "model")
    again = read_task_model(tmp_path / "model")
    assert again.task.saved() == task.saved()
    assert again.task.predict(again, examples) == task.predict(model, examples)


def test_the_likeliest_sequence_is_the_best_of_all_valid_ones():
    labels = ("O", "B-a", "I-a", "B-b", "I-b")
    scores = torch.randn(4, 5, dtype=torch.double).log_softmax(-1)
    valid = [tags for tags in itertools.product(labels, repeat=4) if repaired(tags) == tags]
    worth = {tags: sum(scores[place, labels.index(tag)].item() for place, tag in enumerate(tags)) for tags in valid}
    assert likeliest(scores, labels) == max(worth, key=worth.__getitem__)
    assert likeliest(scores[:0], labels) == ()


def test_greedy_tags_are_valid_too(table, model_of):
    task, examples = task_and_examples(table(), decoding="greedy")
    for prediction in task.predict(model_of(task), examples):
        assert repaired(prediction.details["tags"]) == tuple(prediction.details["tags"])


def test_an_inside_that_continues_nothing_begins_an_entity():
    assert repaired(["O", "I-a", "I-a", "I-b"]) == ("O", "B-a", "I-a", "B-b")


def test_confidence_grows_where_the_tags_grow_likelier(table, model_of):
    task, examples = task_and_examples(table())
    model = model_of(task)
    batch = model.prepare([example.inputs for example in examples])
    predictions = task.predict(model, examples)
    outputs = model(batch).detach().requires_grad_()
    said = task.confidence(outputs, batch, predictions)
    assert said.shape == (4,)
    said.sum().backward()
    better = task.confidence(outputs.detach() + outputs.grad, batch, predictions)
    assert (better > said).all()


def test_words_of_any_script():
    texts = {
        "Don't stop, Ada!": ["Don", "'", "t", "stop", ",", "Ada", "!"],
        "我住在北京。": ["我", "住", "在", "北", "京", "。"],
        "हिन्दी में 3.5": ["हिन्दी", "में", "3", ".", "5"],
        "مُحَمَّد هنا": ["مُحَمَّد", "هنا"],
        "ok 😂\u200d": ["ok", "😂"],
        "iPhone在北京": ["iPhone", "在", "北", "京"],
        "": [],
    }
    assert {text: [text[begin:end] for begin, end in split_words(text)] for text in texts} == texts


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(["a", "b"], ["O"])], "2 words and 1 tags"),
        ([(["a", "b"], ["O", "X-a"])], "tag 'X-a' of token 1 is none of O, B-kind and I-kind"),
        ([([], [])], "no word in tokens"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(rows, message, table):
    task = Tagging(COLUMNS, ["O", "B-a", "I-a"])
    with pytest.raises(InputError, match=message) as error:
        task.example(table(rows), 0)
    assert str(error.value).startswith(table(rows).place(0))


def test_rows_without_an_entity_teach_nothing(table):
    with pytest.raises(InputError, match="no entity in column 'tags'"):
        Tagging.learn(COLUMNS, table([(["a"], ["O"])]))


def test_a_kind_unseen_in_training_is_refused(table, model_of):
    task = Tagging(COLUMNS, ["O", "B-a", "I-a"])
    collate = task.collate(model_of(task).backbone.processor)
    with pytest.raises(InputError, match="kind 'person' was not in the training rows; they had a"):
        collate([task.example(table(), 0)])


def test_an_unknown_decoding_is_refused():
    with pytest.raises(ValueError, match="decoding 'beam' is unknown; known: viterbi, greedy"):
        Tagging(COLUMNS, (), {"decoding": "beam"})
