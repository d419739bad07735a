"""What is asked finds what is right, by keys of one encoder."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.datasets.table import read_table
from mm_memgpt.tasks.adapters import ADAPTERS, AdapterConfig
from mm_memgpt.tasks.model import create, read_task_model
from mm_memgpt.tasks.retrieval import Retrieval
from mm_memgpt.training.finetune import finetune, predict_all
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.types import InputError

COLUMNS = {"text": "question", "text_pair": "sentence"}
PAIRS = [
    ("who painted the house", "the old man painted the red house at night"),
    ("a dog", "a brown dog runs"),
    ("what falls", "rain falls on the city"),
    ("where play the children", "two children play in the water"),
]


def write(path, rows, names):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)
    return path


def model_of(tiny_bert, columns=COLUMNS, adapter=None, **options):
    return create(build(tiny_bert), Retrieval(columns, (), options), adapter).eval()


def examples_of(task, table):
    return [task.example(table, index) for index in range(len(table))]


def test_a_fresh_model_has_the_cosines_of_its_backbone(tiny_bert):
    from transformers import AutoModel, AutoTokenizer

    tokenizer, plain = AutoTokenizer.from_pretrained(tiny_bert), AutoModel.from_pretrained(tiny_bert).eval()
    asked, found = (
        functional.normalize(
            torch.stack([plain(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0) for text in texts]),
            dim=-1,
        )
        for texts in zip(*PAIRS, strict=True)
    )
    model = model_of(tiny_bert)
    inputs = [Inputs(*pair) for pair in PAIRS]
    torch.testing.assert_close(model(model.prepare(inputs)), (asked * found).sum(-1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_pair_read_as_one_row_has_the_cosine_of_its_keys(tiny_bert, kind):
    model = model_of(tiny_bert, adapter=AdapterConfig(kind=kind, hidden=12))
    examples = examples_of(model.task, _Pairs(PAIRS))
    with torch.inference_mode():
        as_rows = model(model.prepare([example.inputs for example in examples]))
        apart = [each.value for each in model.task.predict(model, examples)]
    torch.testing.assert_close(as_rows, torch.tensor(apart), atol=1e-5, rtol=1e-4)


def test_every_parameter_learns(tiny_bert):
    model = model_of(tiny_bert)
    examples = _learned(model.task, _Pairs(PAIRS))
    model.task.objective(model, model.task.collate(model.backbone.processor)(examples))["loss"].backward()
    assert [name for name, each in model.named_parameters() if each.grad is None] == [
        "backbone.model.pooler.dense.weight",
        "backbone.model.pooler.dense.bias",
    ]


def test_a_second_right_answer_in_the_batch_is_no_negative(tiny_bert):
    rows = [("a dog", "a brown dog runs", 1), ("a dog", "the dog", 1), ("rain", "rain falls", 1), ("rain", "night", 0)]
    task = Retrieval({**COLUMNS, "label": "label"})
    batch = task.collate(build(tiny_bert).processor)(_learned(task, _Pairs(rows, label=True)))
    assert batch["labels"].tolist() == [0, 1, 2]
    assert batch["counts"].tolist() == [[False, False, True, True]] * 2 + [[True, True, False, True]]


def test_a_text_that_two_rows_find_stands_in_the_batch_once(tiny_bert):
    task = Retrieval(COLUMNS)
    rows = [("a dog", "it runs"), ("a man", "it runs"), ("rain", "falls")]
    batch = task.collate(build(tiny_bert).processor)(_learned(task, _Pairs(rows)))
    assert len(batch["found_input_ids"]) == 2
    assert batch["labels"].tolist() == [0, 0, 1]


def test_hard_negatives_are_the_questions_wrong_rows_that_share_its_words():
    rows = [
        ("a brown dog", "it runs", 1),
        ("a brown dog", "rain", 0),
        ("a brown dog", "the brown dog", 0),
        ("rain", "falls", 1),
    ]
    task = Retrieval({**COLUMNS, "label": "label"}, (), {"hard": 1})
    first, second = _learned(task, _Pairs(rows, label=True))
    assert [name for name, _ in first.further.wrongs] == ["the brown dog"]
    assert second.further.wrongs == ()


def test_negatives_are_named_by_a_column_or_mined(tmp_path):
    path = write(
        tmp_path / "n.csv", [("a dog", "runs", '["a cat", "no"]'), ("a man", "a dog walks", "")], ["q", "s", "n"]
    )
    columns = {"text": "q", "text_pair": "s"}
    named = _learned(Retrieval({**columns, "negatives": "n"}, (), {"hard": 2}), read_table(path))
    assert [name for name, _ in named[0].further.wrongs] == ["a cat", "no"]
    mined = _learned(Retrieval(columns, (), {"hard": 1, "mine": True}), read_table(path))
    assert [name for name, _ in mined[0].further.wrongs] == ["a dog walks"]


def test_a_question_ranks_its_own_rows_where_they_say_what_is_wrong(tiny_bert):
    rows = [("dog", "a", 0), ("dog", "b", 1), ("dog", "c", 1), ("rain", "d", 0), ("man", "e", 1), ("man", "f", 0)]
    task = Retrieval({**COLUMNS, "label": "label"})
    scores = task.score(_said([0.9, 0.5, 0.7, 0.1, 0.3, 0.3]), examples_of(task, _Pairs(rows, label=True))).values
    assert scores["mrr"].value == pytest.approx((1 / 2 + 1 / 2) / 2)  # a tie counts against
    assert scores["hits@1"].value == 0
    assert (scores["queries"].value, scores["left_out"].value) == (2, 1)


def test_without_labels_a_question_ranks_all_that_is_found(tiny_bert):
    model = model_of(tiny_bert)
    rows = [("rain falls", "rain falls"), ("a dog", "a dog"), ("a dog", "rain falls"), ("the city", "two children")]
    examples = examples_of(model.task, _Pairs(rows))
    predictions = predict_all(model, model.task, examples, batch=2)
    scores = model.task.score(predictions, examples).values
    assert scores["queries"].value == 3
    keys = {text: p.found for (_, text), p in zip(rows, predictions, strict=True)}
    last = sorted(keys, key=lambda text: -(keys[text] @ predictions[3].asked)).index("two children") + 1
    assert scores["mrr"].value == pytest.approx((1 + 1 + 1 / last) / 3)


def test_rank_gives_the_best_first(tiny_bert):
    model = model_of(tiny_bert)
    candidates = [Inputs(text_pair=text) for text in ("two children", "a brown dog", "rain falls")]
    ranked = model.task.rank(model, Inputs(text="a brown dog"), candidates, top=2)
    assert ranked[0].place == 1
    assert ranked[0].score == pytest.approx(1, abs=1e-5)
    assert len(ranked) == 2
    assert ranked[1].score < 1


def test_it_learns_which_answer_goes_with_which_question(tiny_bert, tmp_path):
    rows = [("dog", "rain"), ("music", "man"), ("house", "water"), ("night", "city")]
    path = write(tmp_path / "pairs.csv", rows, ["question", "sentence"])
    recipe = FinetuneRecipe(
        task="retrieval", backbone=str(tiny_bert), train=str(path), val=str(path), output=str(tmp_path / "out"),
        epochs=80, batch=4, rate=3e-3, adapter_rate=1, adapter=AdapterConfig(dropout=0.0),
        checkpoints=2, **COLUMNS,
    )  # fmt: skip
    assert finetune(recipe)["eval_mrr"] == 1
    model = read_task_model(tmp_path / "out")
    examples = examples_of(model.task, read_table(path))
    again = predict_all(model, model.task, examples)
    model.save(tmp_path / "again")
    other = read_task_model(tmp_path / "again")
    assert [each.value for each in predict_all(other, other.task, examples)] == [each.value for each in again]
    assert model.task.score(again, examples).values["mrr"].value == 1


def test_photos_are_found_by_words(tmp_path):
    photos = Path(__file__).parents[2] / "demos" / "photos"
    words = {"astronaut": "rain", "coffee": "a dog", "cat": "the rock", "rocket": "two boys"}
    rows = [(word, str(photos / f"{name}.jpg")) for name, word in words.items()]
    path = write(tmp_path / "photos.csv", rows, ["says", "photo"])
    recipe = FinetuneRecipe(
        task="retrieval", backbone="nano", train=str(path), val=str(path), output=str(tmp_path / "out"),
        text="says", image="photo", tuning="frozen", epochs=40, batch=4, rate=1e-2, checkpoints=1,
    )  # fmt: skip
    assert finetune(recipe)["eval_mrr"] == 1
    model = read_task_model(tmp_path / "out")
    photos = [model.task.example(read_table(path), index).inputs for index in range(4)]
    assert model.task.rank(model, Inputs(text="the rock"), photos, top=1)[0].place == 2
    with torch.inference_mode():
        as_rows = model(model.prepare(photos)).tolist()
    apart = [each.value for each in model.task.predict(model, [_example(each) for each in photos])]
    assert as_rows == pytest.approx(apart, abs=1e-4)


def test_the_folder_says_what_is_asked_and_what_is_found(tiny_bert, tmp_path):
    model_of(tiny_bert, hard=3).save(tmp_path)
    said = json.loads((tmp_path / "task.json").read_text(encoding="utf-8"))
    assert (said["task"], said["columns"], said["options"]["hard"]) == ("retrieval", COLUMNS, 3)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": "q"}, "names text alone; name what is asked and what is found"),
        ({"text": "q", "image": "i", "negatives": "n"}, "negatives are texts, and image is to be found"),
    ],
)
def test_columns_that_leave_a_side_out_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        Retrieval(columns)


def test_a_label_that_is_neither_right_nor_wrong_is_named():
    task = Retrieval({**COLUMNS, "label": "label"})
    with pytest.raises(InputError, match="label 'maybe' in label is neither right nor wrong; write 1 or 0"):
        task.example(_Pairs([("a", "b", "maybe")], label=True), 0)


def test_a_table_without_a_right_row_is_refused():
    task = Retrieval({**COLUMNS, "label": "label"})
    with pytest.raises(InputError, match="no row is right"):
        task.gather(_Pairs([("a", "b", 0)], label=True), [0])


def test_a_broken_row_is_named_and_the_others_are_learned_from():
    task = Retrieval(COLUMNS)
    gathered, rows = task.gather(_Pairs([("a", "b"), ("a", ""), ("c", "d")]), range(3))
    assert len(rows) == 3
    with pytest.raises(InputError, match="empty text"):
        task.example(gathered, 1)
    assert task.example(gathered, 2).further.found == "d"


class _Pairs:
    """Rows as a table has them."""

    name, folder = "pairs", None

    def __init__(self, rows, label=False):
        self.columns = (*COLUMNS.values(), "label") if label else tuple(COLUMNS.values())
        self.rows = [dict(zip(self.columns, row, strict=True)) for row in rows]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]

    def place(self, index):
        return f"pairs:{index}"


def _learned(task, table):
    gathered, rows = task.gather(table, range(len(table)))
    return [task.example(gathered, row) for row in rows]


def _said(cosines):
    from mm_memgpt.tasks.base import Prediction

    return [Prediction(value=cosine) for cosine in cosines]


def _example(inputs):
    from mm_memgpt.tasks.base import Example

    return Example(inputs)


def test_keys_are_of_unit_length(tiny_bert):
    model = model_of(tiny_bert)
    keys = model.task.keys_of(model, [Inputs(*pair) for pair in PAIRS], "found", batch=3)
    np.testing.assert_allclose(keys.detach().norm(dim=-1), 1, rtol=1e-5)
