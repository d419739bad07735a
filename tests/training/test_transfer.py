"""Transfer sets: texts that a teacher labels, as a sample of fixed size beside the labelled rows of each epoch."""

import json
from collections import Counter

import pytest
import torch

from mm_memgpt.backbones.build import build
from mm_memgpt.datasets.table import read_table
from mm_memgpt.objectives.imitation import TeacherConfig, TransferConfig
from mm_memgpt.tasks.known import TASKS
from mm_memgpt.tasks.model import create
from mm_memgpt.training.finetune import finetune
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.training.rows import RowExamples
from mm_memgpt.training.teacher import taught_by
from mm_memgpt.training.transfer import Text, sample, with_transfer
from mm_memgpt.types import InputError

TEXTS = ("A brown dog runs .", "Two children play .", "A man climbs a rock .", "The dog runs .")
COLUMNS = {
    "classification": {"text": TEXTS, "label": "xyyx"},
    "pair": {"text": TEXTS, "text_pair": TEXTS[::-1], "label": "xyyx"},
    "regression": {"text": TEXTS, "label": (1.0, 2.5, 3.0, 1.5)},
    "tagging": {"text": [t.split() for t in TEXTS], "tags": [["B-x"] * len(t.split()) for t in TEXTS]},
}
REVIEW = "The man sings well enough. A dog RUNS... nobody runs as the brown dog runs!  Two girls climb a big rock."
"""Of its sentences one has three words."""


def written(path, **columns):
    """A file of rows."""
    lines = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return str(path)


@pytest.fixture
def teaching(tmp_path, tiny_model_folder):
    """`teaching(task)`: a fresh teacher of a task, beside the four rows that its student learns from, two at a time."""

    def make(name, how=None, epochs=1.0):
        columns = COLUMNS[name]
        table = read_table(written(tmp_path / "rows.jsonl", **columns))
        task = TASKS[name].learn({role: role for role in columns}, table)
        torch.manual_seed(11)
        create(build(tiny_model_folder), task).save(tmp_path / "teacher")
        model, rows = create(build(tiny_model_folder), task), RowExamples(table, range(4), task, epochs, 5, 2, None)
        how = TeacherConfig(model=str(tmp_path / "teacher"), **(how or {}))
        _, objective, collate = taught_by(how, model, task, task.collate(model.backbone.processor), rows)
        return objective, rows, collate

    return make


def reviews(tmp_path, *texts, **columns):
    return written(tmp_path / "reviews.jsonl", review=texts, **columns)


def test_a_sample_has_each_text_once_and_depends_on_the_seed_alone():
    texts = [Text((f"text {number}",), str(number)) for number in range(40)]
    again = [Text((f"TEXT   {number}!",), "again") for number in range(40)]
    drawn = sample([*texts, *again], 7, seed=3)
    assert len({text.cells for text in drawn}) == 7
    assert [text.cells for text in sample(texts[::-1], 7, seed=3)] == [text.cells for text in drawn]
    assert [text.cells for text in sample(texts, 7, seed=4)] != [text.cells for text in drawn]
    assert len(sample([*texts, *again], 100, seed=3)) == 40


def test_a_sample_is_by_chance():
    texts = [Text((f"text {number}",), str(number)) for number in range(20)]
    counts = Counter(text.place for seed in range(300) for text in sample(texts, 5, seed))
    assert max(counts.values()) < 2 * 300 * 5 / 20
    assert min(counts.values()) > 300 * 5 / 20 / 2


def test_sentences_of_so_many_words_are_taken_and_none_of_the_labelled_rows(teaching, tmp_path):
    objective, rows, _ = teaching("classification")
    path = reviews(tmp_path, REVIEW, "the dog runs")
    examples = with_transfer(TransferConfig(path=path, text="review", sentences=True), objective, rows, rows.table)
    further = [examples.table[number]["text"] for number in range(4, len(examples.table))]
    assert sorted(further) == [
        "The man sings well enough.",
        "Two girls climb a big rock.",
        "nobody runs as the brown dog runs!",
    ]
    assert {examples.table.place(number) for number in range(4, 7)} == {f"{path}:1"}


def test_each_epoch_has_all_labelled_rows_and_the_next_of_the_transfer_set(teaching, tmp_path):
    objective, rows, _ = teaching("classification", epochs=3)
    path = reviews(tmp_path, *(f"text {number}" for number in range(9)))
    how = TransferConfig(path=path, text="review", most=6, share=0.5)
    examples = with_transfer(how, objective, rows, rows.table)
    assert len(examples) == 3 * (4 + 3)
    epochs = [[examples[7 * epoch + place].inputs.text for place in range(7)] for epoch in range(3)]
    assert all({*TEXTS} <= {*epoch} for epoch in epochs)
    first, second, third = ({*epoch} - {*TEXTS} for epoch in epochs)
    assert len(first) == len(second) == 3
    assert not first & second
    assert third == first
    again = with_transfer(how, objective, rows, rows.table)
    assert all(again[place].inputs == examples[place].inputs for place in range(len(examples)))


@pytest.mark.parametrize("name", ["classification", "pair", "regression"])
def test_labels_are_what_the_teacher_says_and_it_reads_each_text_once(name, teaching, tmp_path, monkeypatch):
    objective, rows, collate = teaching(name)
    columns = {"text_pair": ("A cat .", "No .")} if name == "pair" else {}
    path = reviews(tmp_path, "Nobody is here .", "A cat sleeps .", **columns)
    examples = with_transfer(TransferConfig(path=path, text="review"), objective, rows, rows.table)
    chosen = [examples.task.example(examples.table, number) for number in (4, 5)]
    said = objective.teacher.task.predict(objective.teacher, chosen)
    for example, each in zip(chosen, said, strict=True):
        due = pytest.approx(each.value, rel=1e-4) if name == "regression" else each.value
        assert example.target == due
    monkeypatch.setattr(objective.teacher, "forward", None)
    heard, _ = objective._said(batch := collate(chosen), batch["known"])
    assert heard.shape == (2, examples.task.outputs)


def test_where_states_are_imitated_the_teacher_reads_again(teaching, tmp_path):
    objective, rows, collate = teaching("classification", {"hidden": 1.0})
    path = reviews(tmp_path, "Nobody is here .", "A cat sleeps .")
    examples = with_transfer(TransferConfig(path=path, text="review"), objective, rows, rows.table)
    assert "known" not in collate([examples.task.example(examples.table, 5)])
    assert not objective.cache


def test_a_recipe_learns_from_texts_without_labels(teaching, tmp_path, tiny_model_folder, capsys):
    teaching("classification")
    path = reviews(tmp_path, "Nobody is here .", "", "A cat sleeps .", "Two cats sleep .")
    transfer = TransferConfig(path=path, text="review", most=3)
    run = FinetuneRecipe(
        task="classification",
        backbone=str(tiny_model_folder),
        train=str(tmp_path / "rows.jsonl"),
        val=str(tmp_path / "rows.jsonl"),
        text="text",
        label="label",
        output=str(tmp_path / "out"),
        teacher=TeacherConfig(model=str(tmp_path / "teacher"), transfer=transfer),
        batch=2,
        epochs=2,
        checkpoints=1,
    )
    assert finetune(run)["eval_accuracy"] >= 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["samples"] == 2 * (4 + 3)
    assert [f"{path}:2" in line for line in report["skipped"]] == [True]
    assert "labelled by the teacher" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "further", "message"),
    [
        ("classification", {}, "no column 'text' for teacher.transfer.text; it has review"),
        ("classification", {"text": "review"}, "no text in it that the labelled rows have not; give others"),
        ("pair", {"text": "review", "sentences": True}, "sentences of one text are no pairs"),
        ("tagging", {"text": "review"}, "what a model of tagging says is no label of a row; leave out 'transfer'"),
    ],
)
def test_a_transfer_set_that_cannot_be_used_is_one_line(name, further, message, teaching, tmp_path):
    objective, rows, _ = teaching(name)
    path = reviews(tmp_path, "the DOG runs")
    with pytest.raises(InputError, match=message) as error:
        with_transfer(TransferConfig(path=path, **further), objective, rows, rows.table)
    assert str(error.value).startswith(path)
    assert "\n" not in str(error.value)
