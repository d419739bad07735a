"""The table of link prediction: each model is trained once, and test is ranked from both sides."""

import json
from pathlib import Path

import pytest
import yaml

TRAIN = [(0, "r", 1), (1, "r", 2), (2, "r", 3), (3, "r", 0), (1, "s", 0), (2, "s", 1)]
PAGE = "# Page\n\n<!-- entities:start -->\nold\n<!-- entities:end -->\n\nbehind\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for part, rows in {"train": TRAIN, "val": [(3, "s", 2)], "test": [(0, "s", 3), (2, "r", 3)]}.items():
        Path(f"{part}.tsv").write_text("".join(f"e{head}\t{relation}\te{tail}\n" for head, relation, tail in rows))
    optimiser = {"epochs": 2, "batch": 4, "rate": 0.03, "weight_decay": 0}
    parts = {part: {"path": f"{part}.tsv"} for part in ("train", "val", "test")}
    recipe = {"model": "complex", **parts, "output": "no", "width": 4, "drawn": 3, "optimiser": optimiser}
    Path("recipes").mkdir()
    Path("recipes/entities_wn18rr.yaml").write_text(yaml.safe_dump(recipe))
    Path("page.md").write_text(PAGE)
    return tmp_path


def test_each_model_is_trained_once_and_the_page_has_its_row(folder, capsys):
    from benchmarks.entities import main

    arguments = [
        "--sets",
        "wn18rr",
        "--models",
        "complex",
        "rotate",
        "--output",
        "runs",
        "--page",
        "page.md",
        "--write",
    ]
    assert main(arguments) == 0
    first = Path("page.md").read_text()
    assert first.startswith("# Page")
    assert first.endswith("behind\n")
    rows = [line for line in first.splitlines() if line.startswith("| WN18RR")]
    assert [row.split("|")[2].strip() for row in rows] == ["ComplEx", "RotatE"]
    found = json.loads(Path("runs/figures.json").read_text())["wn18rr_complex"]
    assert found["parameters"] == 4 * 4 + 2 * 2 * 4
    value, low, high = found["test"]["mrr"]
    assert low <= value <= high
    assert value == pytest.approx((found["heads"][0] + found["tails"][0]) / 2)
    written = Path("runs/wn18rr_rotate/model.safetensors").stat().st_mtime_ns
    assert main(arguments) == 0
    assert Path("page.md").read_text() == first
    assert Path("runs/wn18rr_rotate/model.safetensors").stat().st_mtime_ns == written


def test_other_triples_than_the_models_are_refused(folder, capsys):
    from benchmarks.entities import main

    arguments = ["--sets", "wn18rr", "--models", "complex", "--output", "runs"]
    assert main(arguments) == 0
    Path("test.tsv").write_text("e0\ts\te9\n")
    assert main(arguments) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("is of other entities than the triples; train it again")
