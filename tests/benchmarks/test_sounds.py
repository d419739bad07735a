"""Ears are trained on all folds but one, tell what they did not hear, and stand in a table."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
import yaml
from safetensors.torch import save_file

from mm_memgpt.datasets.sound import pieces
from mm_memgpt.encoders.audio import create_trunk
from mm_memgpt.objectives.hearing import TrunkHearing
from mm_memgpt.presets import tiny
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.training.tasks import build_task

LABELS = ["rain", "rooster", "one", "two"]


def tone(number: int) -> dict:
    content = io.BytesIO()
    samples = 0.3 * np.sin(np.arange(20_000) * (0.05, 0.5)[number % 2] * (1 + number / 50))
    soundfile.write(content, samples, 16_000, "PCM_16", format="WAV")
    return {"bytes": content.getvalue(), "path": None}


@pytest.fixture
def run(tmp_path, data_folder):
    """A function that runs the command on eight tones in four folds, and a few digits, and returns its status."""
    from benchmarks.sounds import main

    tones = {"audio": [tone(row) for row in range(8)]}
    digits = {**tones, "digit": [1 + row % 2 for row in range(8)], "index": list(range(8))}
    clips = {**tones, "class_name": [LABELS[row % 2] for row in range(8)], "fold": [1 + row // 2 for row in range(8)]}
    for name, table in (("esc10/folds1to4", clips), ("fsdd/train", digits), ("fsdd/test", digits)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    (tmp_path / "teachers").symlink_to(data_folder / "teachers")
    recipe = {
        "objective": "hearing",
        "preset": "tiny",
        "output": "unused",
        "teacher": "teachers/yamnet.tflite",
        "labels": LABELS,
        "workers": 0,
        "checkpoints": 1,
        "data": {
            "train": [{"path": "fsdd/train.parquet"}, {"path": "esc10/folds1to4.parquet"}],
            "val": {"path": "fsdd/train.parquet", "where": {"index": [0, 1]}},
        },
        "optimiser": {"epochs": 1, "batch": 7, "rate": 0.001},
    }
    (tmp_path / "ears.yaml").write_text(yaml.safe_dump(recipe))
    where = ["--data", str(tmp_path), "--output", str(tmp_path / "out"), "--recipe", str(tmp_path / "ears.yaml")]
    return lambda *arguments: main([*arguments, *where])


@pytest.mark.data
@pytest.mark.slow
def test_from_folds_to_a_table(run, tmp_path, capsys):
    assert run("--test") == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("|")]
    what = [row.split("|")[1:3] for row in rows[2:]]
    assert [int(sounds) for _, sounds in what] == [2, 2, 2, 2, 8, 8, 2, 8]
    assert "the nearest class's mean" in what[5][0]
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert set(found) - {"budget", "nearest"} == {
        f"{part}-{n}" for part in ("fold", "validation", "test") for n in range(1, 5)
    }
    right = sum(told == label for n in range(1, 5) for told, label in zip(found[f"fold-{n}"], LABELS[:2], strict=True))
    assert f"| 8 | {right / 8:.3f} (" in rows[6]

    before = (tmp_path / "out" / "without-3" / "report.json").stat().st_mtime_ns
    assert run() == 0  # nothing is done twice
    assert (tmp_path / "out" / "without-3" / "report.json").stat().st_mtime_ns == before
    assert run("--set", "optimiser.epochs=2") == 1
    assert "of another recipe or other --set; give --output another folder" in capsys.readouterr().err


@pytest.mark.data
def test_the_fold_that_is_told_is_not_learned_from(run, tmp_path):
    from benchmarks.sounds import without

    root = [f"data.root={tmp_path}"]
    change = without(2, read_recipe(tmp_path / "ears.yaml", root))
    _, clips = build_task(read_recipe(tmp_path / "ears.yaml", [*root, change])).readers
    assert [row["fold"] for row in clips.reader.values("fold")] == [1, 1, 3, 3, 4, 4]


def test_a_clip_is_told_by_the_mean_over_its_audible_pieces(tmp_path):
    from benchmarks.sounds import Ears

    config = tiny().audio
    model = TrunkHearing(create_trunk(config), config, 1, 1, 4).eval()
    save_file(model.trunk.state_dict(), tmp_path / "audio_trunk.safetensors")
    save_file(model.label_head.state_dict(), tmp_path / "label_head.safetensors")
    ears = Ears(tmp_path, config, LABELS)
    sounds = torch.cat([0.2 * torch.randn(6, 40_000), torch.zeros(6, 30_000)], dim=1)
    for sound in sounds:
        items = pieces(sound)[0][:3]  # the other two are silent
        with torch.no_grad():
            due = model.label_head(model.pooled(items)).log_softmax(-1).mean(0)
        assert ears.say(sound) == LABELS[due.argmax()]


def test_a_share_is_a_mean_with_its_interval():
    from benchmarks.sounds import line, share

    assert share([1, 0, 1, 1]).value == 0.75
    low, high = share([True] * 80 + [False] * 20)[1:]
    assert 0.70 < low < 0.75 < 0.85 < high < 0.90
    assert line("rain", [1, 1]) == "| rain | 2 | 1.000 (1.000 to 1.000) |"


@pytest.mark.data
def test_a_recipe_without_the_clips_cannot_leave_one_out(run, capsys):
    assert run("--set", "data.train=[{path: fsdd/train.parquet}]") == 1
    assert (
        "esc10/folds1to4.parquet: 0 training sources of the recipe; list it once, to leave folds out"
        in capsys.readouterr().err
    )


@pytest.mark.data
def test_costs_are_a_table_and_what_has_none_is_one_line(run, tmp_path, capsys):
    from benchmarks.sound_cost import main

    where = ["--data", str(tmp_path), "--recipe", str(tmp_path / "ears.yaml")]
    assert main(["test_efficientnet@32", "no_such_trunk@64", "lcnet_050", *where]) == 1
    said = capsys.readouterr()
    [row] = [row for row in said.out.splitlines() if row.startswith("| test_efficientnet")]
    assert row.startswith("| test_efficientnet | 32 | 64 x 1 x 4 |")
    costs = [float(cell.replace(",", "")) for cell in row.split("|")[5:10]]
    assert costs[3] == pytest.approx(costs[0] + costs[2], abs=0.02)
    assert costs[4] == pytest.approx(15 * 60_000 / costs[3], rel=0.01)
    assert "error: audio: timm has no trunk 'no_such_trunk'; try one of" in said.err
    assert "error: lcnet_050: give a name, an @ and how many mel bands, as in lcnet_050@64" in said.err
