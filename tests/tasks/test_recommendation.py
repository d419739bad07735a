"""What one will like next, by what one has liked so far."""

import json

import pytest
import torch
from torch.nn import functional

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.datasets.table import read_table
from mm_memgpt.tasks.adapters import ADAPTERS, AdapterConfig
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.model import create
from mm_memgpt.tasks.recommendation import Recommendation
from mm_memgpt.training.finetune import finetune, predict_all
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.types import InputError

COLUMNS = {"text": "liked", "text_pair": "next"}
LIKED = Inputs(text="a brown dog\nrain falls on the city\nmusic", text_pair="two children")
SHORT = Inputs(text="night", text_pair="the quiet water at night")


def model_of(tiny_bert, kind="linear", **options):
    adapter = AdapterConfig(kind=kind, hidden=12)
    return create(build(tiny_bert), Recommendation(COLUMNS, (), options), adapter).eval()


@pytest.fixture
def table(tmp_path):
    rows = [
        {"liked": ["dog", "man"], "next": "rain"},
        {"liked": ["music", "city", "trade"], "next": "house"},
        {"liked": ["water"], "next": "night"},
    ]
    path = tmp_path / "liked.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return read_table(path)


@torch.inference_mode()
def test_a_fresh_model_ranks_by_the_mean_of_what_was_liked(tiny_bert):
    model = model_of(tiny_bert)
    texts = [*LIKED.text.split("\n"), LIKED.text_pair]
    keys = torch.cat([model.backbone(model.backbone.processor([Inputs(text=text)])).key[0] for text in texts])
    naive = functional.normalize(keys[:3].mean(0), dim=-1) @ keys[3]
    [said] = model.task.predict(model, [Example(LIKED)])
    assert said.value == pytest.approx(naive.item(), abs=1e-5)


@pytest.mark.parametrize("kind", ADAPTERS)
@torch.inference_mode()
def test_the_length_of_other_histories_changes_nothing(tiny_bert, kind):
    model = model_of(tiny_bert, kind)
    together = model.task.keys_of(model, [LIKED, SHORT], "asked")
    torch.testing.assert_close(together[1:], model.task.keys_of(model, [SHORT], "asked"), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "gru"])
@torch.inference_mode()
def test_a_history_read_as_one_row_has_the_cosine_of_its_keys(tiny_bert, kind):
    model = model_of(tiny_bert, kind)
    apart = [each.value for each in model.task.predict(model, [Example(LIKED), Example(SHORT)])]
    assert model(model.prepare([LIKED, SHORT])).tolist() == pytest.approx(apart, abs=1e-5)


def test_offsets_of_a_history_are_those_of_its_joined_items(tiny_bert):
    batch = model_of(tiny_bert).prepare([LIKED, SHORT])
    words = [
        LIKED.text[begin:end]
        for (begin, end), part in zip(
            batch["offsets"][0].flatten(0, 1).tolist(), batch["part"][0].flatten().tolist(), strict=True
        )
        if part == 0
    ]
    assert words == LIKED.text.split()


def test_only_the_newest_items_are_read(table):
    task = Recommendation(COLUMNS, (), {"history": 2})
    assert task.example(table, 1).inputs.text == "city\ntrade"


@torch.inference_mode()
def test_what_one_has_is_not_recommended(tiny_bert):
    model = model_of(tiny_bert)
    candidates = ["music", "a brown dog", "rain falls", "the city"]
    ranked = model.task.recommend(model, ["a brown dog", "music"], candidates, top=None)
    assert sorted(each.place for each in ranked) == [2, 3]


def test_what_one_has_is_not_ranked_in_evaluation(tiny_bert):
    model = model_of(tiny_bert)
    examples = [
        Example(Inputs(text=liked, text_pair=then), True)
        for liked, then in (("dog\nrain", "man"), ("city", "dog"), ("house", "rain"))
    ]
    scores = model.task.score(predict_all(model, model.task, examples), examples).values
    assert scores["hits@3"].value == 1
    assert model.task.passed_over("dog\nrain") == {"dog", "rain"}


def test_it_learns_what_comes_next(tiny_bert, table, tmp_path):
    recipe = FinetuneRecipe(
        task="recommendation", backbone=str(tiny_bert), train=table.name, val=table.name, output=str(tmp_path / "out"),
        epochs=80, batch=3, rate=3e-3, adapter_rate=1, adapter=AdapterConfig(dropout=0.0),
        checkpoints=1, **COLUMNS,
    )  # fmt: skip
    assert finetune(recipe)["eval_mrr"] == 1


def test_an_empty_history_is_named(tmp_path):
    path = tmp_path / "liked.jsonl"
    path.write_text('{"liked": [], "next": "rain"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="no item in liked; give a list of texts, or leave the row out"):
        Recommendation(COLUMNS).example(read_table(path), 0)


def test_the_items_of_a_history_are_read_one_by_one():
    """So a long history is no long text, and nothing of it is said to be cut."""
    task = Recommendation({"text": "liked", "text_pair": "next"})
    inputs = Inputs(text="one\ntwo\nthree", text_pair="four")
    assert [each.text for each in task.apart(inputs)] == ["one", "two", "three", "four"]
