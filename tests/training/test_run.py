"""A recipe is run, interrupted, resumed and kept."""

import io
import json
import shutil
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from mm_memgpt.models.loading import read_model
from mm_memgpt.presets import PRESETS, tiny
from mm_memgpt.training.run import last_checkpoint, rhythm, train
from mm_memgpt.types import InputError


def shaky(vocab_size: int):
    """The preset tiny with dropout, so that a run depends on the state of its random numbers."""
    config = tiny(vocab_size)
    config.decoder = replace(config.decoder, dropout=0.4)
    return config


@pytest.fixture(scope="module", autouse=True)
def shaky_preset():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "shaky", shaky)
        yield


@pytest.fixture(scope="module")
def unbroken(write_recipe, tmp_path_factory) -> tuple[Path, dict[str, float], str]:
    """The output folder, the figures and the standard output of a run of six updates that nothing disturbed."""
    folder = tmp_path_factory.mktemp("unbroken")
    with redirect_stdout(io.StringIO()) as printed:
        figures = train(write_recipe(folder, preset="shaky"))
    return folder / "output", figures, printed.getvalue()


def history(output: Path) -> list[dict[str, float]]:
    """What was logged on the way, less the clock's readings."""
    state = json.loads((output / "checkpoint-6" / "trainer_state.json").read_text())
    timed = ("_runtime", "_per_second")
    return [{name: value for name, value in row.items() if not name.endswith(timed)} for row in state["log_history"]]


def test_an_interrupted_and_resumed_run_is_an_unbroken_one(unbroken, write_recipe, tmp_path, interrupt):
    """To the bit, and with a worker process beside, which draws random numbers of its own when it starts."""
    recipe = write_recipe(tmp_path, preset="shaky", workers=1)
    interrupt(3, recipe)
    assert last_checkpoint(tmp_path / "output").name == "checkpoint-3"
    figures = train(recipe, resume=True)
    output, due, _ = unbroken
    assert [row["step"] for row in history(output) if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert history(tmp_path / "output") == history(output)
    assert figures["eval_loss"] == due["eval_loss"]
    for weights in ("checkpoint-6/model.safetensors", "model.safetensors"):
        ours, theirs = load_file(tmp_path / "output" / weights), load_file(output / weights)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_run_learns_and_keeps_the_best_weights_it_had(unbroken):
    output, figures, _ = unbroken
    losses = [row["eval_loss"] for row in history(output) if "eval_loss" in row]
    assert len(losses) == 6
    assert min(losses) < losses[0]
    assert figures["eval_loss"] == pytest.approx(min(losses))
    model, processor = read_model(output)
    assert {value.dtype for value in load_file(output / "model.safetensors").values() if value.is_floating_point()} == {
        torch.float16
    }
    assert model.config.vocab_size == len(processor.tokenizer)
    best = json.loads((output / "checkpoint-6" / "trainer_state.json").read_text())["best_global_step"]
    kept = load_file(output / f"checkpoint-{best}" / "model.safetensors")
    for name, value in model.state_dict().items():
        if name in kept:
            torch.testing.assert_close(value.float(), kept[name].half().float())


def test_accumulated_batches_are_averaged(unbroken):
    """Without smoothing the loss that is learned from is the plain cross-entropy."""
    for row in history(unbroken[0]):
        if "loss" in row:
            assert row["loss"] == pytest.approx(row["cross_entropy"], rel=1e-4)


def test_the_gates_are_logged_and_move(unbroken):
    rows = [row for row in history(unbroken[0]) if "loss" in row]
    opened = torch.tanh(torch.tensor(1.0)).item()  # the preset's gates start at 1
    for gate in ("gate_0", "gate_1"):
        assert rows[0][gate] == pytest.approx(opened, abs=0.05)
        assert len({row[gate] for row in rows}) > 1


def test_the_log_is_for_tensorboard_too(unbroken):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    [folder] = {file.parent for file in unbroken[0].rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(folder)).Reload()
    due = [row["loss"] for row in history(unbroken[0]) if "loss" in row]
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(due)
    assert len(events.Scalars("train/gate_1")) == 6
    assert len(events.Scalars("eval/loss")) >= 6


def test_standard_output_stays_free(unbroken):
    assert unbroken[2] == ""


def test_the_report_says_what_ran_and_names_no_place(unbroken):
    output, figures, _ = unbroken
    report = json.loads((output / "report.json").read_text())
    assert report["eval_loss"] == figures["eval_loss"]
    assert report["samples"] == 24
    assert report["resumed"] is False
    assert report["hardware"].endswith("1 threads, cpu")
    assert str(output.parent) not in (output / "report.json").read_text()


def test_a_second_run_into_the_same_folder_is_refused(unbroken, write_recipe, tmp_path):
    output = unbroken[0]
    before = sorted(path.name for path in output.iterdir())
    with pytest.raises(InputError, match="output: holds checkpoints of an earlier run; add --resume or --set output="):
        train(write_recipe(tmp_path, preset="shaky"), [f"output={output}"])
    assert sorted(path.name for path in output.iterdir()) == before


def test_there_must_be_something_to_resume(write_recipe, tmp_path):
    with pytest.raises(InputError, match="output: no checkpoint to resume; leave out --resume"):
        train(write_recipe(tmp_path), resume=True)


def test_a_checkpoint_that_was_not_written_to_its_end_does_not_count(tmp_path):
    assert last_checkpoint(tmp_path / "none") is None
    for name, state in (("2", "{}"), ("10", "{}"), ("12", '{"epoch": '), ("of-mine", "{}")):
        (tmp_path / f"checkpoint-{name}").mkdir()
        (tmp_path / f"checkpoint-{name}" / "trainer_state.json").write_text(state)
    (tmp_path / "checkpoint-14").mkdir()
    assert last_checkpoint(tmp_path).name == "checkpoint-10"
    shutil.rmtree(tmp_path / "checkpoint-10")
    assert last_checkpoint(tmp_path).name == "checkpoint-2"


@given(st.integers(1, 100_000), st.integers(1, 40))
def test_every_save_falls_on_a_log(steps, checkpoints):
    log, save = rhythm(steps, checkpoints)
    assert save % log == 0
    assert 1 <= log <= 50
    due = max(1, steps // checkpoints)
    assert 0.95 * due - 1 <= save <= due


def test_mixed_precision_trains_the_full_weights(write_recipe, tmp_path):
    recipe = write_recipe(tmp_path, checkpoints=1, optimiser={"epochs": 1, "batch": 4, "precision": "bf16"})
    assert train(recipe)["eval_loss"] < 8
    weights = load_file(tmp_path / "output" / "checkpoint-2" / "model.safetensors")
    assert {value.dtype for value in weights.values() if value.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_photo_is_skipped_counted_and_named(workers, write_recipe, write_photos, tmp_path, capsys):
    write_photos(tmp_path / "broken.parquet", rows=5, broken=(2,))
    recipe = write_recipe(tmp_path, workers=workers, checkpoints=1)
    train(recipe, [f"data.train.0.path={tmp_path / 'broken.parquet'}"])
    [line] = json.loads((tmp_path / "output" / "report.json").read_text())["skipped"]
    assert line.startswith(f"{tmp_path / 'broken.parquet'}:2: ")
    assert f"skipped 1 sample: {line}; see " in capsys.readouterr().err


def test_data_that_cannot_be_used_at_all_ends_the_run_in_one_line(write_recipe, write_photos, tmp_path):
    write_photos(tmp_path / "broken.parquet", rows=4, broken=(0, 1, 2, 3))
    recipe = write_recipe(tmp_path, workers=1)
    with pytest.raises(InputError) as error:
        train(recipe, [f"data.train.0.path={tmp_path / 'broken.parquet'}"])
    assert str(error.value).startswith(f"10 samples in a row cannot be used; the last: {tmp_path / 'broken.parquet'}:")
    assert "\n" not in str(error.value)
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize("package", ["accelerate", "tensorboard"])
def test_without_the_training_packages_the_extra_is_named(package, write_recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    with pytest.raises(ImportError, match=rf'training needs {package}: pip install "mm-memgpt\[train\]"'):
        train(write_recipe(tmp_path))


@pytest.mark.data
def test_a_trunk_learns_from_the_teacher_and_is_kept(data_folder, material, write_recipe, tmp_path):
    from mm_memgpt.encoders.image import create_trunk

    recipe = write_recipe(
        tmp_path,
        objective="distillation",
        teacher=str((data_folder / "teachers" / "tf2_mobilenet_v2_1.0_224_ptq.tflite").resolve()),
        checkpoints=1,
        optimiser={"epochs": 1, "batch": 4},
    )
    figures = train(recipe)
    kept = load_file(tmp_path / "output" / "trunk.safetensors")
    create_trunk(tiny().image).load_state_dict(kept)
    state = json.loads((tmp_path / "output" / "checkpoint-2" / "trainer_state.json").read_text())
    [logged] = [row for row in state["log_history"] if "loss" in row]
    assert {"map_0", "map_4", "pooled", "logit"} <= logged.keys()
    assert figures["eval_loss"] > 0
    assert all(value.isfinite().all() for value in kept.values())
