"""The optimiser's groups, the order of the data, and the weights that leave."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.presets import tiny
from mm_memgpt.training.recipe import Optimiser, read_recipe
from mm_memgpt.training.run import training_arguments
from mm_memgpt.training.trainer import RecipeTrainer, parameter_groups

SETTINGS = Optimiser(epochs=1, rate=0.01, trunk_rate=0.5, weight_decay=0.3)


@pytest.fixture(scope="module")
def model() -> MMMemGPTForConditionalGeneration:
    return MMMemGPTForConditionalGeneration(tiny())


def placed(model: nn.Module, settings: Optimiser) -> dict[str, tuple[float, float]]:
    """Rate and decay of every parameter, by name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = parameter_groups(model, settings)
    found = [(names[id(p)], (group["lr"], group["weight_decay"])) for group in groups for p in group["params"]]
    assert len(dict(found)) == len(found)  # none twice
    return dict(found)


def test_every_parameter_is_in_one_group(model):
    assert placed(model, SETTINGS).keys() == dict(model.named_parameters()).keys()


def test_gates_learn_ten_times_as_fast_and_never_decay(model):
    groups = placed(model, SETTINGS)
    gates = {name for name in groups if name.endswith("gate.alpha")}
    assert len(gates) == 2
    assert {groups[name] for name in gates} == {(0.1, 0.0)}
    assert {name for name, (rate, _) in groups.items() if rate == 0.1} == gates


def test_the_trunk_has_its_own_rate(model):
    groups = placed(model, SETTINGS)
    assert {rate for name, (rate, _) in groups.items() if ".trunk." in name} == {0.005}
    assert {name for name, (rate, _) in groups.items() if rate == 0.005} == {n for n in groups if ".trunk." in n}


def test_matrices_decay_and_norms_and_biases_do_not(model):
    sizes = {name: parameter.ndim for name, parameter in model.named_parameters()}
    for name, (_, decay) in placed(model, SETTINGS).items():
        assert decay == (0.3 if sizes[name] > 1 else 0.0), name


def test_what_is_frozen_is_in_no_group(model):
    model.image_encoder.freeze()
    names = placed(model, SETTINGS).keys()
    model.image_encoder.thaw()
    assert names == {name for name, _ in model.named_parameters() if not name.startswith("image_encoder.trunk.")}


@pytest.fixture
def trainer(write_recipe, tmp_path) -> RecipeTrainer:
    recipe = read_recipe(write_recipe(tmp_path), ["workers=1"])
    return RecipeTrainer(
        nn.Conv2d(3, 2, 3).to(memory_format=torch.channels_last),
        training_arguments(recipe, 5, "pixel_values"),
        train_dataset=[{"pixel_values": n} for n in range(5)],
        eval_dataset=[{"pixel_values": n} for n in range(3)],
        objective=lambda model, batch: {"loss": model.weight.sum() * 0 + batch["pixel_values"].float().mean()},
        settings=recipe.optimiser,
    )


def test_the_optimiser_is_the_recipes(trainer):
    assert type(trainer.create_optimizer()) is torch.optim.AdamW
    trainer.optimizer = None
    trainer.settings = replace(SETTINGS, name="sgd", momentum=0.7)
    sgd = trainer.create_optimizer()
    assert type(sgd) is torch.optim.SGD
    assert {group["momentum"] for group in sgd.param_groups} == {0.7}


def test_the_data_come_in_the_stream_s_order(trainer):
    batches = [batch["pixel_values"].tolist() for batch in trainer.get_train_dataloader()]
    assert batches == [[0, 1], [2, 3], [4]]


def test_validation_leaves_the_random_numbers_as_they_were(trainer):
    before = torch.get_rng_state()
    assert trainer.evaluate()["eval_loss"] == pytest.approx(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_in_another_memory_layout_are_saved_in_the_plain_one(trainer, tmp_path):
    from safetensors.torch import load_file

    assert not trainer.model.weight.is_contiguous()
    trainer.save_model(str(tmp_path / "saved"))
    assert torch.equal(load_file(tmp_path / "saved" / "model.safetensors")["weight"], trainer.model.weight)
