"""A model is calibrated into its own folder, its confidence is measured, and it keeps quiet where it is not sure."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mm_memgpt.cli import main
from mm_memgpt.config import SIGNALS
from mm_memgpt.pipeline import load


@pytest.fixture(autouse=True)
def beside_the_photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tiny_model_folder, tmp_path, beside_the_photos) -> str:
    """A copy of the tiny model to calibrate, with larger weights, so that it writes of every photo something else."""
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    weights, draw = load_file(folder / "model.safetensors"), torch.Generator().manual_seed(0)
    for key in sorted(weights):
        if weights[key].ndim > 1 and not key.startswith(("audio_encoder", "fuser.order")):
            weights[key].normal_(std=0.4, generator=draw)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return "model"


@pytest.fixture
def calibrated(folder) -> str:
    """The tiny model, about half sure of every caption, a little more of one with likelier words."""
    write(folder, {"signals": ["mean_logprob"], "weights": [40.0], "bias": 0.0})
    middle = np.median([judged.signals["mean_logprob"] for judged in judged_by(folder, photos(3))])
    write(folder, {"signals": ["mean_logprob"], "weights": [40.0], "bias": -40 * float(middle)})
    return folder


def write(folder: str, confidence: dict) -> None:
    path = Path(folder) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"confidence": confidence}))


def judged_by(folder: str, paths: list[str]) -> list:
    return [judged for _, judged in load(folder, device="cpu").judge_each(paths, beams=1)]


def photos(count: int) -> list[str]:
    """Saves photos of coloured blocks, and returns their paths."""
    for seed in range(count):
        blocks = np.random.default_rng(seed).integers(0, 256, (9, 13, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((52, 36), Image.Resampling.NEAREST).save(f"{seed}.png")
    return [f"{seed}.png" for seed in range(count)]


def data_file(folder: str, count: int) -> str:
    """Photos of which every other one comes with what the model writes of it, so that its caption is good."""
    paths = photos(count)
    written = [judged.caption.text for judged in judged_by(folder, paths)]
    captions = [[text if number % 2 else "nothing like it"] for number, text in enumerate(written)]
    images = [{"bytes": Path(path).read_bytes(), "path": path} for path in paths]
    pyarrow.parquet.write_table(pyarrow.table({"image": images, "captions": captions}), "data.parquet")
    return "data.parquet"


def run(*arguments: str) -> int:
    return main([*arguments, "--device", "cpu", "--beams", "1"])


def test_calibrating_writes_what_the_captions_confidence_is_made_of(folder, capsys):
    data, before = data_file(folder, 6), Path(folder, "model.safetensors").read_bytes()
    old = json.loads(Path(folder, "config.json").read_text())
    capsys.readouterr()
    assert run("calibrate", "--data", data, "--model", folder, "--signals", "evidence", "length") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:-3]] == [*SIGNALS, "all"]
    assert lines[-3].startswith("evidence + length ")
    assert lines[-2] == "6 photos, 50% of captions good"
    new = json.loads(Path(folder, "config.json").read_text())
    fitted = new.pop("confidence")
    assert new == {key: value for key, value in old.items() if key != "confidence"}
    assert fitted["signals"] == ["evidence", "length"]
    assert Path(folder, "model.safetensors").read_bytes() == before
    assert not list(Path(folder).glob("*.new"))
    [judged] = judged_by(folder, ["1.png"])
    score = fitted["bias"] + sum(
        w * judged.signals[s] for s, w in zip(fitted["signals"], fitted["weights"], strict=True)
    )
    assert judged.caption.confidence == pytest.approx(1 / (1 + np.exp(-score)))
    assert load(folder, device="cpu").caption("1.png", beams=1).confidence == pytest.approx(
        judged.caption.confidence, rel=1e-4
    )


def test_a_dry_run_writes_nothing(folder, capsys):
    data, before = data_file(folder, 4), Path(folder, "config.json").read_bytes()
    assert run("calibrate", "--data", data, "--model", folder, "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("confidence = sigmoid(")
    assert Path(folder, "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nano"], "nano: no such folder; calibrate writes into the folder that the model lies in"),
        (["--model", "model", "--signals", "luck"], "--signals: confidence signal 'luck' is unknown; known: mean_"),
    ],
)
def test_what_cannot_be_calibrated_is_one_line(arguments, message, folder, capsys):
    assert run("calibrate", "--data", "none.parquet", *arguments) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mm-memgpt: error: {message}")


def test_photos_of_which_no_caption_or_too_few_are_good_are_refused(folder, capsys):
    data = data_file(folder, 2)
    assert run("calibrate", "--data", data, "--model", folder) == 1
    assert run("evaluate", "confidence", "--data", data, "--model", folder, "--limit", "1") == 1
    few, _, none = capsys.readouterr().err.splitlines()
    assert few.startswith("mm-memgpt: error: data.parquet: 1 good captions, 1 others and 10 folds: each must be at le")
    assert none == "mm-memgpt: error: data.parquet: 0 of 1 captions are good; give photos of both kinds"


def test_the_table_of_a_confidence_shows_the_figures_of_the_json(calibrated, capsys):
    data = data_file(calibrated, 6)
    assert run("evaluate", "confidence", "--data", data, "--model", calibrated, "--format", "json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["photos"], figures["good"]) == (6, 0.5)
    assert run("evaluate", "confidence", "--data", data, "--model", calibrated, "--plots", "plots") == 0
    output, errors = capsys.readouterr()
    names = ("error", "auroc", "surer_cider", "other_cider", "ratio")
    for line, name in zip(output.splitlines()[1:6], names, strict=True):
        assert line.endswith("{value:.3f}  {low:.3f} to {high:.3f}".format(**figures[name]))
    assert errors.splitlines() == ["wrote plots/reliability.png", "wrote plots/risk_coverage.png"]
    assert Path("plots/risk_coverage.png").stat().st_size > 5000


def test_matplotlib_is_looked_for_before_the_long_work(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("evaluate", "confidence", "--data", "none.parquet", "--model", folder, "--plots", "plots") == 1
    assert capsys.readouterr().err == 'mm-memgpt: error: plots need matplotlib: pip install "mm-memgpt[plots]"\n'


def test_it_is_said_where_a_confidence_is_not_calibrated(folder, capsys):
    data = data_file(folder, 2)
    assert run("evaluate", "confidence", "--data", data, "--model", folder) == 0
    assert capsys.readouterr().err == f"{folder}: not calibrated; see mm-memgpt calibrate\n"
    assert run("caption", "0.png", "--model", folder, "--min-confidence", "0") == 0
    assert capsys.readouterr().err == f"{folder}: not calibrated, so --min-confidence is no probability here\n"


def test_a_caption_that_is_not_sure_enough_is_held_back(calibrated, capsys):
    paths = photos(3)
    unsure, _, sure = sorted(judged_by(calibrated, paths), key=lambda judged: judged.caption.confidence)
    assert unsure.caption.confidence < 0.5 - 1e-3 < 0.5 + 1e-3 < sure.caption.confidence
    least = ("--model", calibrated, "--min-confidence", "0.5", "--format")
    capsys.readouterr()
    assert run("caption", *paths, "none.png", *least, "json") == 1
    output, errors = capsys.readouterr()
    rows = {row["path"]: row for row in map(json.loads, output.splitlines())}
    held = {path: row for path, row in rows.items() if "abstained" in row}
    assert (
        min(row["confidence"] for row in rows.values() if "caption" in row)
        >= 0.5
        > max(row["confidence"] for row in held.values())
    )
    assert all(list(row) == ["path", "abstained", "confidence"] for row in held.values())
    assert errors == "mm-memgpt: error: none.png: no such file or folder; check the path\n"
    assert run("caption", *paths, *least, "text") == 0
    output, errors = capsys.readouterr()
    assert [line.partition(": ")[0] for line in output.splitlines()] == [p for p in paths if "caption" in rows[p]]
    assert errors.splitlines() == [row["abstained"] for row in held.values()]
    assert run("caption", *paths, *least, "csv") == 0
    for row in csv.DictReader(io.StringIO(capsys.readouterr().out)):
        assert row["abstained"] == held.get(row["path"], {"abstained": ""})["abstained"]
        assert (row["caption"], row["error"]) == (rows[row["path"]].get("caption", ""), "")


@pytest.mark.parametrize(
    ("sure", "least", "shown"), [(0.314, 0.5, "0.31 below 0.50"), (0.4996, 0.5, "0.499600 below 0.500000")]
)
def test_the_reason_shows_as_many_digits_as_tell_the_two_apart(sure, least, shown):
    from mm_memgpt.commands.caption import held_back
    from mm_memgpt.types import Caption

    held = held_back("a.png", Caption(text="x", confidence=sure, words=()), least)
    assert held.reason == f"a.png: not sure enough ({shown}); lower --min-confidence to see its caption"


@pytest.mark.parametrize("text", ["-0.1", "1.5", "nan", "sure"])
def test_what_is_no_probability_is_a_usage_error(text, capsys):
    assert main(["caption", "a.jpg", f"--min-confidence={text}"]) == 2
    assert f"'{text}' is not a probability, a number from 0 to 1" in capsys.readouterr().err
