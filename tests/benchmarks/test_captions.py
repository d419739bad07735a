"""The caption benchmark from photos to page, on a few photos with a tiny model."""

import json
from shutil import copytree

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mm_memgpt.presets import tiny


@pytest.fixture(scope="module")
def run(data, tiny_model_folder):
    """A function that runs the command on that folder."""
    from benchmarks.captions import main

    def on(*arguments: str, output: str = "out") -> int:
        where = {"data": data, "trunk": data / "trunk.safetensors", "output": data / output, "page": data / "page.md"}
        where |= {"tokenizer": tiny_model_folder, "model": tiny_model_folder, "preset": "tiny", "epochs": 1}
        return main([*(text for name, value in where.items() for text in (f"--{name}", str(value))), *arguments])

    return on


def results(data, output="out"):
    return json.loads((data / output / "results.json").read_text())


def test_two_rows_from_photos_to_page(run, data, capsys):
    assert run("--rows", "neighbour", "ours") == 0
    found = results(data)
    assert found["neighbour"]["val"]["photos"] == found["ours-2026"]["val"]["photos"] == 8
    assert "test" not in found["ours-2026"]
    assert not (data / "out" / "trunk-test").exists()  # test is not even read before --test
    assert found["ours-2026"]["parameters"] > found["ours-2026"]["trained"] > 0
    assert np.load(data / "out" / "trunk-train" / "mirrored.npy").shape[0] == 8

    weights = (data / "out" / "ours-2026.safetensors").stat().st_mtime_ns
    assert run("--rows", "neighbour", "ours", "shipped", "--test") == 0
    assert run("--rows", "neighbour", "ours", "--test") == 0  # nothing is done twice
    assert (data / "out" / "ours-2026.safetensors").stat().st_mtime_ns == weights
    assert run("--write") == 0
    page = (data / "page.md").read_text()
    assert page.startswith("# Page\n")
    assert page.count("\n| nearest neighbours' caption (k = ") == page.count("\n| ours |") == 1
    test = {name: found["test"]["cider"][0] for name, found in results(data).items() if "test" in found}
    ahead = f" {test['ours-2026']:.3f} (", f" | {test['shipped'] - test['ours-2026']:.3f} ("
    assert all(part in next(row for row in page.splitlines() if row.startswith("| ours |")) for part in ahead)
    assert Image.open(data / "images" / "captions_benchmark.png").size == (1200, 576)


def test_the_shipped_model_is_measured_anew_when_its_weights_are_others(run, data, tiny_model_folder, tmp_path):
    assert run("--rows", "shipped", "--limit", "3", output="shipped") == 0
    before = results(data, "shipped")["shipped"]
    assert before["val"]["photos"] == 3
    assert before["milliseconds"] > 0
    copytree(tiny_model_folder, tmp_path / "other")
    weights = load_file(tmp_path / "other" / "model.safetensors")
    save_file({n: w * 1.5 for n, w in weights.items()}, tmp_path / "other" / "model.safetensors", {"format": "pt"})
    run("--rows", "shipped", "--limit", "3", "--model", str(tmp_path / "other"), output="shipped")
    assert results(data, "shipped")["shipped"]["weights"] != before["weights"]


def test_a_lead_is_taken_photo_by_photo():
    from benchmarks.page import lead

    def run(each):
        return {"test": {"each": each}}

    hard = np.linspace(0, 3, 50)  # photos differ far more than the two runs do
    value, low, high = lead(run(hard + 0.1), run(hard))
    assert (value, low, high) == pytest.approx((0.1, 0.1, 0.1))
    noise = np.random.default_rng(0).normal(size=50)
    value, low, high = lead(run(hard + noise), run(hard))
    assert value == pytest.approx(noise.mean())
    assert low < 0 < high


def test_the_stock_trainer_s_row_learns_too(run, data):
    assert run("--rows", "hf", "--limit", "4", output="stock") == 0
    assert results(data, "stock")["hf-2026"]["val"]["photos"] == 4


def test_mirrored_maps_are_of_mirrored_photos(run, data):
    from PIL import ImageOps

    from benchmarks.features import TrunkFeatures
    from mm_memgpt.datasets.base import read

    assert run("--rows", "neighbour") == 0
    photo = read(data / "flickr8k" / "train.parquet")[5].image
    due = TrunkFeatures(tiny().image, data / "trunk.safetensors")([ImageOps.mirror(photo)])[0].numpy()
    assert np.allclose(np.load(data / "out" / "trunk-train" / "mirrored.npy")[5], due, atol=2e-3, rtol=2e-3)


def test_the_same_photos_come_in_the_same_order_and_each_once_an_epoch(tokenizer):
    from benchmarks.features import Part
    from benchmarks.learning import Photos

    maps = np.arange(5, dtype=np.float16)[:, None, None, None] * np.ones((5, 3, 2, 2), dtype=np.float16)
    part = Part([["a dog runs"], ["a cat", "the cat"], ["x"], ["y"], ["z"]], [maps, maps + 10])
    one, two, other = (Photos(part, tokenizer, 2, seed) for seed in (1, 1, 2))
    seen = [[int(each[i]["pixel_values"][0, 0, 0]) for i in range(len(each))] for each in (one, two, other)]
    assert seen[0] == seen[1] != seen[2]
    assert {value % 10 for value in seen[0][:5]} == {value % 10 for value in seen[0][5:]} == set(range(5))
    assert max(seen[0]) >= 10  # the other view is used
    example = next(one[i] for i in range(5) if seen[0][i] % 10 == 1)
    assert [ids.tolist()[0] for ids in example["input_ids"]] == [tokenizer.bos_token_id] * 2
    assert [ids.tolist()[-1] for ids in example["input_ids"]] == [tokenizer.eos_token_id] * 2


def test_what_cannot_be_used_is_one_line(run, data, capsys):
    def refused(message, *arguments):
        assert run(*arguments) == 1
        assert message in capsys.readouterr().err

    assert run("--rows", "neighbour") == 0
    refused("results.json: limit was None, not 3; give --output another folder", "--limit", "3")
    refused("no such file; --trunk must name what a distillation kept", "--trunk", "none.safetensors")
    refused("no validation figures of hf, hf-ours, prefix", "--rows", "best")
    save_file({"other": torch.zeros(2)}, data / "out" / "prefix-2026.safetensors")
    refused("prefix-2026.safetensors: of another shape than the row has now; give --output another", "--rows", "prefix")
