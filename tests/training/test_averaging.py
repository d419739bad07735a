"""The average of models: each weight the weighted mean, everything else the first one's, and only of one shape."""

import copy
import shutil

import pytest
import torch
from safetensors.torch import load_file

from mm_memgpt.cli import main
from mm_memgpt.models.loading import read_model
from mm_memgpt.training.averaging import average
from mm_memgpt.types import InputError


@pytest.fixture
def models(tiny_model_folder):
    """Three copies of the tiny model; in the second every weight is 1 larger, in the third 4 larger."""
    first, _ = read_model(tiny_model_folder)
    others = [copy.deepcopy(first) for _ in range(2)]
    with torch.no_grad():
        for model, step in zip(others, (1.0, 4.0), strict=True):
            for parameter in model.parameters():
                parameter += step
    return [first, *others]


@pytest.mark.parametrize(("shares", "step"), [(None, 5 / 3), ([2, 1, 1], 1.25), ([0, 0, 3], 4.0)])
def test_every_weight_is_the_weighted_mean(models, shares, step):
    before = {name: value.clone() for name, value in models[0].named_parameters()}
    mean = average(models, shares)
    for name, value in mean.named_parameters():
        torch.testing.assert_close(value, before[name] + step, rtol=1e-6, atol=1e-6)


def test_what_does_not_fit_is_said(models):
    with pytest.raises(InputError, match="an average is of at least two models; name another"):
        average(models[:1])
    for shares in ([1], [1, -1], [0, 0]):
        with pytest.raises(InputError, match="for 2 models; give one at least 0 for each, not all 0"):
            average(models[:2], shares)
    models[1].fuser = torch.nn.Linear(2, 2)
    with pytest.raises(InputError, match=r"fuser\.\S+ of model 2 is not as in the first"):
        average(models[:2])


def test_the_command_writes_a_model_that_is_whole(models, tiny_model_folder, tmp_path, capsys):
    shutil.copytree(tiny_model_folder, tmp_path / "a")
    models[2].save_pretrained(tmp_path / "b")
    for name in ("processor_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model_folder / name, tmp_path / "b" / name)
    a, b, out = (str(tmp_path / name) for name in ("a", "b", "out"))
    assert main(["average", a, b, "--output", out, "--shares", "3", "1"]) == 0
    before, after = load_file(tmp_path / "a" / "model.safetensors"), load_file(tmp_path / "out" / "model.safetensors")
    assert before.keys() == after.keys()
    for name, value in before.items():
        if value.is_floating_point() and "running" not in name:
            torch.testing.assert_close(after[name].float(), value.float() + 1, rtol=2e-3, atol=2e-3)
    read_model(tmp_path / "out")
    capsys.readouterr()
    assert main(["average", a, b, "--output", b]) == 1
    assert capsys.readouterr().err == f"mm-memgpt: error: {b}: is one of the models; name another folder\n"
    assert main(["average", a, "--output", str(tmp_path / "c")]) == 1
    assert capsys.readouterr().err == f"mm-memgpt: error: {a}: an average is of at least two models; name another\n"
