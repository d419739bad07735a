"""Every task on the command line: learned, said, measured and explained; a bad row costs one line."""

import json
from pathlib import Path

import pytest
import yaml

from mm_memgpt.cli import main
from mm_memgpt.tasks.known import TASKS

TEXTS = ("A brown dog runs .", "Two children play .", "A man climbs a rock .", "The dog runs .")
LABELS = {"precision_macro", "recall_macro", "f1_macro", "accuracy"}
CASES = {
    "classification": ({"text": TEXTS, "label": ("x", "y", "y", "x")}, LABELS),
    "pair": ({"text": TEXTS, "text_pair": TEXTS[::-1], "label": ("x", "y", "y", "x")}, LABELS),
    "regression": ({"text": TEXTS, "label": (1.0, 2.5, 3.0, 1.5)}, {"r2"}),
    "tagging": (
        {"text": [t.split() for t in TEXTS], "tags": [["B-x", *["O"] * (len(t.split()) - 1)] for t in TEXTS]},
        {"f1"},
    ),
    "span": ({"text": TEXTS, "text_pair": TEXTS, "label": [[t.split()[1]] for t in TEXTS]}, {"exact_match", "f1"}),
    "retrieval": ({"text": TEXTS, "text_pair": TEXTS[::-1]}, {"mrr", "hits@1"}),
    "summarization": ({"text": TEXTS, "label": TEXTS}, {"rouge_1", "rouge_2", "rouge_l"}),
    "recommendation": ({"text": [[t, "A rock ."] for t in TEXTS], "text_pair": TEXTS[::-1]}, {"mrr", "hits@1"}),
}
"""Columns by role, and figures that an evaluation has."""
WRITING = {
    "answering": ({"text": TEXTS, "text_pair": TEXTS[::-1], "label": [[t] for t in TEXTS]}, {"exact_match", "f1"}),
    "dialogue": ({"text": TEXTS, "label": TEXTS[::-1]}, {"bleu", "chrf"}),
    "summary_writing": ({"text": TEXTS, "label": TEXTS[::-1]}, {"rouge_1", "rouge_2", "rouge_l"}),
    "translation": ({"text": TEXTS, "label": TEXTS[::-1], "language": ("de", "fr", "de", "fr")}, {"bleu", "chrf"}),
}
"""The same of tasks that write, which explain nothing."""
ELSEWHERE = {"code", "generation"}
"""Tasks whose figures have commands of their own (`tests/test_cli_generate.py`)."""


def written(columns: dict, bad: bool = False) -> str:
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if bad:
        rows.insert(1, rows[0] | {"text": " "})
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return "rows.jsonl"


ASKED = ["--model", "run", "--device", "cpu", "--format", "json"]


def learned_and_measured(recipe: dict, figures: set, capsys) -> None:
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["finetune", "recipe.yaml"]) == 0
    capsys.readouterr()
    assert main(["evaluate", recipe["task"], "--data", "rows.jsonl", *ASKED]) == 0
    said = json.loads(capsys.readouterr().out)
    assert figures <= said.keys()
    assert said["rows"] == len(TEXTS)


def said_but_for_one(columns: dict, options: list, capsys) -> list[dict]:
    """What is said of rows of which the second is broken."""
    assert main(["predict", written(columns, bad=True), *options, *ASKED]) == 1
    output, errors = capsys.readouterr()
    rows = [json.loads(line) for line in output.splitlines()]
    assert ["error" in row for row in rows] == [False, True, False, False, False]
    assert sum("rows.jsonl:2: " in line for line in errors.splitlines()) == 1
    return rows


def test_no_task_is_left_out():
    assert {*CASES, *WRITING, *ELSEWHERE} == set(TASKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_task_is_learned_said_measured_and_explained(name, tiny_model_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    columns, figures = CASES[name]
    recipe = {"task": name, "backbone": str(tiny_model_folder), "train": written(columns), "val": "rows.jsonl"}
    recipe |= {role: role for role in columns} | {"output": "run", "batch": 2, "epochs": 1, "checkpoints": 1}
    learned_and_measured(recipe, figures, capsys)
    explained = TASKS[name].explained
    explain = ["--explain", "occlusion"] if explained else []
    rows = said_but_for_one(columns, explain, capsys)
    assert all(row["explanation"]["method"] == "occlusion" for row in rows if explained and "error" not in row)
    assert not {"asked", "found"} & rows[0].keys()


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["ours", "fresh"])
@pytest.mark.parametrize("name", WRITING)
def test_a_task_that_writes_is_learned_said_and_measured(
    name, backbone, tiny_model_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    columns, figures = WRITING[name]
    shape = {"model_type": "marian", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1}
    shape |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 64}
    start = {"backbone": str(tiny_model_folder)} if backbone == "ours" else {"config": shape, "vocabulary": 300}
    recipe = {"task": name, **start, "train": written(columns), "val": "rows.jsonl", "output": "run"}
    recipe |= {role: role for role in columns} | {"batch": 2, "epochs": 1, "checkpoints": 1}
    recipe |= {"options": {"decoding": {"longest": 4}}}
    learned_and_measured(recipe, figures, capsys)
    said_but_for_one(columns, [], capsys)
