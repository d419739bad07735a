"""What a recipe starts from: a fresh model, a distilled trunk or a whole model; and what does not fit is named."""

import math
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from mm_memgpt.encoders.image import create_trunk
from mm_memgpt.presets import tiny
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.training.run import train
from mm_memgpt.training.tasks import build_task, training_sentences
from mm_memgpt.types import InputError


@pytest.fixture
def build(write_recipe, tmp_path):
    """A function that builds the task of a recipe with changed keys."""
    return lambda **changes: build_task(read_recipe(write_recipe(tmp_path, **changes)))


def test_the_model_has_as_many_embeddings_as_the_tokenizer_has_tokens(build, material):
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(material / "tokenizer")
    assert build().model.config.vocab_size == len(tokenizer)


def test_a_distilled_trunk_is_where_the_model_s_trunk_starts(build, tmp_path):
    trunk = create_trunk(tiny().image)
    save_file(trunk.state_dict(), tmp_path / "trunk.safetensors")
    model = build(trunk=str(tmp_path / "trunk.safetensors")).model
    ours = model.image_encoder.trunk.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in trunk.state_dict().items())


def test_a_recipe_names_another_tower_and_its_size(build):
    own = build().model.config.image
    other = build(tower="resnet10t", size=96).model.config.image
    assert (own.trunk, own.size) == ("test_resnet", 64)
    assert (other.trunk, other.size, other.grid) == ("resnet10t", 96, own.grid)
    assert build(size=96).model.config.image == replace(own, size=96)
    due = r"^preset tiny: grid 2 is finer than the trunk's 1x1 map; .* change tower, size or decoder$"
    with pytest.raises(InputError, match=due):
        build(size=32)
    assert build(tower="resnet10t").model.config.image.size is None  # its own


@pytest.mark.data
def test_a_tower_is_distilled_at_the_size_that_the_recipe_gives(build, data_folder):
    data = {"root": str(data_folder), "train": [{"path": "flickr8k/train.parquet"}]}
    changes = {
        "objective": "distillation",
        "teacher": "teachers/tf2_mobilenet_v2_1.0_224_ptq.tflite",
        "data": data | {"val": {"path": "flickr8k/val.parquet"}},
    }
    assert build(**changes, tower="lcnet_035", size=96).model.grids == [(24, 24), (12, 12), (6, 6), (3, 3), (3, 3)]
    due = "vit_tiny_patch16_224 at 224 pixels: the trunk has no stage of stride 4; .*; take another tower or size"
    with pytest.raises(InputError, match=due):
        build(**changes, tower="vit_tiny_patch16_224")


def test_a_rate_of_zero_freezes_the_trunk(build):
    assert build(optimiser={"epochs": 1, "trunk_rate": 0}).model.image_encoder.frozen
    assert not build(optimiser={"epochs": 1, "trunk_rate": 0.1}).model.image_encoder.frozen


def test_a_whole_model_is_where_a_run_goes_on(build, tiny_model_folder, tmp_path):
    task = build(start=str(tiny_model_folder), tokenizer=None)
    due = load_file(tiny_model_folder / "model.safetensors")
    ours = task.model.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in due.items())
    task.keep(tmp_path)
    for file in ("tokenizer.json", "preprocessor_config.json"):
        assert (tmp_path / file).exists() == (tiny_model_folder / file).exists()
    assert (tmp_path / "tokenizer.json").read_bytes() == (tiny_model_folder / "tokenizer.json").read_bytes()


def test_what_does_not_fit_is_named_in_one_line(build, tmp_path):
    def refused(message, **changes):
        with pytest.raises(InputError, match=f"^{tmp_path}/{message}$"):
            build(**changes)

    due = "write one with mm-memgpt tokenizer --output .*"
    refused(f"words: no tokenizer.json in it; {due}", tokenizer=str(tmp_path / "words"))
    file = tmp_path / "trunk.safetensors"
    due = "trunk must name the trunk.safetensors of a distillation"
    refused(f"trunk.safetensors: no such file; {due}", trunk=str(file))
    file.write_text("no weights")
    refused("trunk.safetensors: not a safetensors file .*; give what a distillation kept", trunk=str(file))
    weights = create_trunk(tiny().image).state_dict()
    weights["conv1.0.weight"] = torch.zeros(2, 3)
    save_file(weights, file)
    due = "is not as in the preset's trunk; distil one of the same preset"
    refused(f"trunk.safetensors: conv1.0.weight {due}", trunk=str(file))
    save_file({**create_trunk(tiny().image).state_dict(), "extra": torch.zeros(2)}, file)
    refused(f"trunk.safetensors: extra {due}", trunk=str(file))


def test_contrast_trains_the_keys_alone(build, tiny_model_folder):
    model = build(objective="contrastive", start=str(tiny_model_folder), tokenizer=None).model
    trained = {name.rsplit(".", 1)[0] for name, each in model.named_parameters() if each.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"text_encoder", "image_encoder"}
    assert {name for name in trained if name.startswith("image_encoder")} == {"image_encoder.key"}


@pytest.mark.parametrize("objective", ["contrastive", "self_critical"])
def test_each_objective_runs_from_a_whole_model_to_a_whole_model(objective, write_recipe, tmp_path, tiny_model_folder):
    figures = train(write_recipe(tmp_path, objective=objective, start=str(tiny_model_folder), tokenizer=None))
    assert math.isfinite(figures["eval_loss"])
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_model_folder, tmp_path / "output"))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name].half(), after[name])}
    # the rewards of a model that writes nonsense are too rare to count on
    assert changed == {"text_encoder", "image_encoder"} if objective == "contrastive" else set(before) == set(after)


def test_a_decoder_learns_to_write_from_text_alone(write_recipe, tmp_path, tiny_model_folder):
    table = pa.table({"captions": [["A dog runs.", "Two boats."], ["One cat sits on grass."]]})
    pq.write_table(table, tmp_path / "t.parquet")
    data = {"root": str(tmp_path), "train": [{"path": "t.parquet"}], "val": {"path": "t.parquet"}}
    changes = {"objective": "language", "start": str(tiny_model_folder), "tokenizer": None, "data": data}
    figures = train(write_recipe(tmp_path, **changes, optimiser={"epochs": 40, "batch": 2, "rate": 0.01}))
    assert figures["eval_loss"] < 2.5  # from ln 300 = 5.7
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_model_folder, tmp_path / "output"))
    changed = {name for name in before if not torch.equal(before[name].half(), after[name])}
    assert changed
    assert all(name.startswith("decoder.") and "cross" not in name for name in changed), changed


def test_word_weights_are_of_every_photo_that_can_be_read(write_recipe, write_photos, material, tmp_path):
    write_photos(material / "some_broken.parquet", rows=6, broken=(2,))
    data = {"root": str(material), "train": [{"path": "some_broken.parquet"}], "val": {"path": "photos.parquet"}}
    recipe = read_recipe(write_recipe(tmp_path, objective="self_critical", data=data))
    sentences = list(training_sentences(recipe))
    assert [len(each) for each in sentences] == [1, 2, 1, 2, 3]  # the third row's three went with its photo
