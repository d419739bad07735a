import json

import pytest
import torch

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.backbones.layers import chosen, recorded, with_layers
from mm_memgpt.config import MMMemGPTConfig
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.types import InputError

TEXT = Inputs(text="a man rides a horse")


@pytest.fixture
def family_folder(family, folder_of):
    return folder_of(family)


def test_layers_are_chosen_evenly_from_the_first_on():
    assert chosen(2, 6) == [0, 3]
    assert chosen(4, 6) == [0, 1, 3, 4]
    assert chosen([2, 5], 6) == [2, 5]


@pytest.mark.parametrize("layers", [0, 7, [], [3, 1], [0, 6], [1, 1]])
def test_layers_that_are_not_there_are_refused(layers):
    with pytest.raises(ValueError, match="layers"):
        chosen(layers, 6)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_family_keeps_the_very_layers(family_folder, kept):
    whole, fewer = build(family_folder), build(family_folder, layers=[kept])
    [stack], [one] = whole.layers, fewer.layers
    assert len(one) == 1
    old, new = stack[kept].state_dict(), one[0].state_dict()
    assert all(torch.equal(value, old[name]) for name, value in new.items() if "relative_attention_bias" not in name)
    assert torch.equal(fewer.embedding.weight, whole.embedding.weight)


def test_a_family_with_fewer_layers_is_saved_as_it_is(family_folder, tmp_path):
    fewer = build(family_folder, layers=1)
    fewer.save(tmp_path)
    batch = fewer.processor([TEXT])
    assert torch.equal(build(tmp_path)(batch).tokens, fewer(batch).tokens)


def test_all_layers_are_the_whole_model(family_folder):
    whole, same = build(family_folder), build(family_folder, layers=2)
    batch = whole.processor([TEXT])
    assert torch.equal(whole(batch).tokens, same(batch).tokens)


def test_what_reads_in_a_model_of_ours_loses_layers(tiny_model_folder, tmp_path):
    config = MMMemGPTConfig.from_pretrained(tiny_model_folder)
    config.text.layers = 3
    MMMemGPTForConditionalGeneration(config).save_pretrained(tmp_path / "three")
    MMMemGPTProcessor.from_pretrained(tiny_model_folder).save_pretrained(tmp_path / "three")
    whole, fewer = (build(tmp_path / "three", layers=layers) for layers in (None, [0, 2]))
    for name, value in fewer.layers[0][1].state_dict().items():
        assert torch.equal(value, whole.layers[0][2].state_dict()[name])
    fewer.save(tmp_path / "two")
    batch = fewer.processor([TEXT])
    assert torch.equal(build(tmp_path / "two")(batch).tokens, fewer(batch).tokens)


def test_a_layer_too_many_is_one_line(family_folder):
    with pytest.raises(InputError, match="layers 3 must be from 1 to the 2 there are"):
        build(family_folder, layers=3)


def test_a_model_that_shares_its_layers_loses_none():
    from transformers import AlbertConfig, AlbertModel

    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24, "embedding_size": 8}
    model = AlbertModel(AlbertConfig(vocab_size=30, num_hidden_layers=3, **sizes))
    with pytest.raises(ValueError, match="no layers of its own to leave out"):
        with_layers(model, 1, ("encoder",))


def test_what_passes_through_is_recorded_and_changes_nothing(family_folder):
    backbone = build(family_folder)
    batch = backbone.processor([TEXT])
    before, said = backbone(batch).tokens, json.dumps(backbone.model.config.to_dict(), default=str)
    with recorded(backbone, backbone.layers, backbone.looking) as readings:
        after = backbone(batch).tokens
    [reading] = readings
    t = batch["input_ids"].shape[-1]
    assert torch.allclose(before, after, atol=1e-5)
    assert [tuple(state.shape) for state in reading.hidden[0]] == [(1, t, 16)] * 3
    assert [tuple(look.shape) for look in reading.attention[0]] == [(1, 2, t, t)] * 2
    assert torch.equal(reading.output.tokens, after)
    assert json.dumps(backbone.model.config.to_dict(), default=str) == said
    backbone(batch)
    assert len(readings) == 1
