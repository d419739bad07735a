"""A student with and without its teacher, measured: what is done is not done again, and gains are of the same rows."""

import json

import pytest
import torch
import yaml

from benchmarks.distillation import ALONE, TAUGHT, TEACHER, added, kept, main, table
from mm_memgpt.backbones.build import build
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.model import create

TEXTS = ("A brown dog runs .", "Two children play .", "A man climbs a rock .", "The dog runs .")


@pytest.fixture
def command(tmp_path, tiny_model_folder):
    """`command("--write")`: the benchmark of one seed on four rows; its exit status."""
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, "xyyx", strict=True)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    torch.manual_seed(4)
    task = Classification({"text": "text", "label": "label"}, ("x", "y"))
    create(build(tiny_model_folder), task).save(tmp_path / "teacher")
    keys = {"task": "classification", "backbone": str(tiny_model_folder), "text": "text", "label": "label"}
    keys |= {"teacher": {"model": "elsewhere"}, "epochs": 1, "batch": 2, "checkpoints": 1, "output": "unused"}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(keys | {"train": "elsewhere", "val": "elsewhere"}))
    (tmp_path / "page.md").write_text("<!-- distillation:start -->\n<!-- distillation:end -->\n")
    given = dict.fromkeys(("train", "val", "test"), tmp_path / "rows.jsonl")
    given |= {
        "recipe": recipe,
        "teacher": tmp_path / "teacher",
        "output": tmp_path / "out",
        "page": tmp_path / "page.md",
    }
    options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    return lambda *further: main([*options, "--seeds", "7", *further])


def test_both_students_are_measured_once_and_the_page_has_them(command, tmp_path, capsys):
    assert command("--write") == 0
    kept_at = tmp_path / "out" / "taught-7" / "measured.json"
    figures = json.loads(kept_at.read_text())
    assert len(figures["right"]) == len(TEXTS)
    kept_at.write_text(json.dumps(figures | {"right": [1, 1, 1, 1]}))
    capsys.readouterr()
    assert command("--resume") == 0
    assert "| student with the teacher |" in (said := capsys.readouterr().out)
    assert "1.000" in said
    assert "student without" in (tmp_path / "page.md").read_text()


def test_without_resume_nothing_is_overwritten(command, capsys):
    assert command() == 0
    assert command() == 1
    assert "holds checkpoints of an earlier run; add --resume" in capsys.readouterr().err


def test_the_student_without_a_teacher_may_learn_longer(command, tmp_path):
    assert command("--alone", "epochs=2") == 0
    reports = [tmp_path / "out" / f"{name}-7" / "report.json" for name in (TAUGHT, ALONE)]
    assert [json.loads(report.read_text())["samples"] for report in reports] == [4, 8]


def run(*right):
    return {"right": list(right), "parameters": 1_000_000, "milliseconds": 1.0, "validation": 0.5, "core_seconds": 3}


def test_what_is_kept_and_added_is_over_all_seeds():
    found = {TEACHER: run(1, 1, 1, 0), f"{TAUGHT}-1": run(1, 1, 0, 0), f"{TAUGHT}-2": run(1, 1, 1, 0)}
    found |= {f"{ALONE}-1": run(1, 0, 0, 0), f"{ALONE}-2": run(1, 1, 0, 0)}
    assert kept(found, TAUGHT).value == pytest.approx(2.5 / 3)
    assert added(found).value == pytest.approx((0.75 + 0.5) / 2 - (0.25 + 0.5) / 2)
    assert "adds +0.250" in table(found)[-1]
