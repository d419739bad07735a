"""A few trunks are distilled, measured and put into a table."""

import json

import pytest
import yaml


@pytest.fixture
def run(data, data_folder, tmp_path):
    """A function that runs the command on eight photos and returns its status."""
    from benchmarks.trunks import main

    if not (data / "teachers").exists():
        (data / "teachers").symlink_to(data_folder / "teachers")
    recipe = {
        "objective": "distillation",
        "output": "unused",
        "teacher": "teachers/tf2_mobilenet_v2_1.0_224_ptq.tflite",
        "workers": 0,
        "data": {"train": [{"path": "flickr8k/train.parquet"}], "val": {"path": "flickr8k/val.parquet"}},
        "optimiser": {"epochs": 1, "batch": 4, "rate": 0.001},
    }
    (tmp_path / "trunk.yaml").write_text(yaml.safe_dump(recipe))
    where = ["--data", str(data), "--output", str(tmp_path / "out"), "--recipe", str(tmp_path / "trunk.yaml")]
    return lambda *arguments: main([*arguments, *where])


@pytest.mark.data
def test_from_names_to_a_table(run, tmp_path, capsys):
    assert run("test_efficientnet@64", "lcnet_035@32", "--write", "--epochs", "1") == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [len(row.split("|")) for row in rows] == [9, 9, 9, 9]
    assert rows[2].startswith("| test_efficientnet | 64 | 0.0")  # without its last layers, which the map does not need
    found = json.loads((tmp_path / "out" / "lcnet_035@32" / "trunk.json").read_text())
    assert found["neighbours"]["photos"] == found["ours"]["photos"] == 8
    assert f"| {found['missed']:.2f} | {found['neighbours']['cider'][0]:.3f} (" in rows[3]

    weights = tmp_path / "out" / "lcnet_035@32" / "trunk.safetensors"
    before = weights.stat().st_mtime_ns
    assert run("lcnet_035@32", "--epochs", "1") == 0  # nothing is done twice
    assert weights.stat().st_mtime_ns == before
    assert run("lcnet_035@32", "--epochs", "2") == 1
    assert "of 1.0 epochs, not 2.0; give --output another folder" in capsys.readouterr().err


def test_what_cannot_be_measured_is_one_line_and_the_others_are(capsys):
    from benchmarks.trunks import main

    for odd in ("lcnet_035", "lcnet_035@33", "@64", "lcnet_035@x"):
        assert main([odd]) == 1
        assert f"error: {odd}: give a name, an @ and a multiple of 32 pixels" in capsys.readouterr().err
