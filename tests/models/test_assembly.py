"""A model is put together by name: one argument swaps the tower, one the language model; what is saved stands alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import save_for_hf
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

import mm_memgpt
from mm_memgpt.config import AudioConfig, DecoderConfig, ImageConfig, MMMemGPTConfig
from mm_memgpt.models.assembly import PRETRAINED, with_tower
from mm_memgpt.models.seam import stock_state
from mm_memgpt.presets import base, nano, small
from mm_memgpt.training.tokenizer import train_on
from mm_memgpt.types import InputError

WORDS = ("A brown dog runs through the grass .", "Two children play in the water .")
MODELS = {
    "gpt2": {"n_embd": 24, "n_layer": 2, "n_head": 3, "n_positions": 40},
    "llama": {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 3},
    "t5": {"d_model": 24, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 3, "decoder_start_token_id": 2},
}
PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=MODELS)
def language_model(request, tmp_path_factory) -> Path:
    """A tiny language model with random weights and a tokenizer, as save_pretrained writes them."""
    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("models") / request.param
    tokenizer = train_on(WORDS, vocab=300)
    special = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "vocab_size": len(tokenizer)}
    config = AutoConfig.for_model(request.param, **MODELS[request.param], **special)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    kind.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_one_argument_swaps_the_language_model(language_model):
    model = mm_memgpt.assemble("tiny", decoder=language_model, pretrained=False)
    assert model.model.config.decoder.model["model_type"] == language_model.name
    caption = model.caption(PHOTO, beams=2)
    assert 0 < caption.confidence <= 1
    assert " ".join(word.word for word in caption.words) == caption.text


def test_one_argument_swaps_the_tower(tmp_path):
    model = mm_memgpt.assemble("tiny", trunk="timm/test_vit")
    assert model.model.config.image.trunk == "timm/test_vit"
    model.save(tmp_path / "model")
    assert mm_memgpt.load(tmp_path / "model").caption(PHOTO) == model.caption(PHOTO)


HEARD = (0.3 * np.sin(np.arange(24_000) * 0.1).astype(np.float32), 16_000)


def test_one_argument_swaps_the_ears(tmp_path):
    model = mm_memgpt.assemble("tiny", ears=AudioConfig(trunk="timm/test_resnet", times=2, heads=4))
    assert model.model.config.audio.trunk == "timm/test_resnet"
    model.save(tmp_path / "model")
    assert mm_memgpt.load(tmp_path / "model").caption(HEARD).text == model.caption(HEARD).text
    with pytest.raises(ValueError, match="no_such_tower"):
        mm_memgpt.assemble("tiny", ears="timm/no_such_tower")


def test_pretrained_ears_come_from_the_folder_they_are_named_by(tmp_path):
    torch.manual_seed(2)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    waves = {"conv_dim": (8, 8), "conv_stride": (5, 64), "conv_kernel": (10, 64), "num_conv_pos_embeddings": 8}
    hubert = AutoModel.from_config(AutoConfig.for_model("hubert", **sizes, **waves, num_conv_pos_embedding_groups=2))
    hubert.save_pretrained(tmp_path / "hubert")
    save_for_hf(timm.create_model("test_resnet"), tmp_path / "tower", safe_serialization=True)
    given = {"trunk": f"timm/local-dir:{tmp_path / 'tower'}", "ears": f"transformers/{tmp_path / 'hubert'}"}
    model = mm_memgpt.assemble("tiny", **given, pretrained=True)
    assert model.model.config.audio.trunk == "transformers/hubert"
    kept = model.model.audio_encoder.trunk.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in hubert.state_dict().items() if name in kept)
    assert len(kept) > 20
    assert model.caption(HEARD, beams=1).confidence > 0


def test_another_tower_looks_once_for_nobody_says_it_learned_from_mirror_images():
    shape = nano().image
    assert shape.mirrored
    assert with_tower("timm/test_vit", shape) == replace(shape, trunk="timm/test_vit", size=None, mirrored=False)


def test_pretrained_weights_come_from_the_same_place_and_the_gates_stay_closed(language_model):
    given = mm_memgpt.assemble("tiny").model.image_encoder.trunk.state_dict()
    file = str(language_model.parent / "tower.safetensors")
    save_file(given, file)
    model = mm_memgpt.assemble("tiny", decoder=language_model, pretrained=file).model
    kind = AutoModelForSeq2SeqLM if model.config.is_encoder_decoder else AutoModelForCausalLM
    due = kind.from_pretrained(language_model).state_dict()
    assert all(torch.equal(value, due[name]) for name, value in stock_state(model.decoder).items())
    assert all(torch.equal(value, given[name]) for name, value in model.image_encoder.trunk.state_dict().items())
    assert all(not value.any() for name, value in model.named_parameters() if name.endswith("gate.alpha"))


def test_what_is_saved_needs_no_other_folder(language_model, tmp_path):
    moved = Path(shutil.copytree(language_model, tmp_path / "language_model"))
    model = mm_memgpt.assemble("tiny", decoder=moved)
    model.save(tmp_path / "model")
    shutil.rmtree(moved)
    again = mm_memgpt.load(tmp_path / "model")
    assert type(again.model) is type(model.model)
    due, found = model.caption(PHOTO), again.caption(PHOTO)
    assert (found.text, found.confidence) == (due.text, pytest.approx(due.confidence, rel=1e-6))
    assert str(moved) not in (tmp_path / "model" / "config.json").read_text()


@pytest.mark.parametrize(
    ("preset", "trunk", "tower", "grid"),
    [(small, "open_clip/ViT-B-32", 512, 7), (base, "open_clip/ViT-B-16-SigLIP", 768, 7)],
)
def test_the_large_presets_have_the_shapes_of_the_models_they_are_named_after(preset, trunk, tower, grid):
    config = preset()
    assert (config.image.trunk, config.image.key, config.key_width, config.image.grid) == (trunk, "trunk", tower, grid)
    with torch.device("meta"):
        stock = AutoModelForCausalLM.from_config(config.decoder.language_model())
    millions = sum(parameter.numel() for parameter in stock.parameters()) / 1e6
    assert millions == pytest.approx({"small": 124.4, "base": 361.8}[preset.__name__], abs=0.1)  # as published
    assert PRETRAINED[preset.__name__].decoder.count("/") == 1


def test_a_large_preset_is_built_whole_on_the_meta_device():
    from mm_memgpt.models.auto import model_class

    config = small()
    with torch.device("meta"):
        model = model_class(config)(config)
    assert model.image_encoder.key is None  # CLIP's own
    assert sum(parameter.numel() for parameter in model.parameters()) > 200e6


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"preset": "giant"}, InputError, "preset 'giant' is unknown; known: tiny, nano, small, base"),
        ({"trunk": "timm/resnet_of_mine"}, ValueError, "timm has no trunk 'resnet_of_mine'; try one of"),
        ({"trunk": "tim/resnet18"}, ValueError, "unknown library 'tim'; known: timm, open_clip, torchvision"),
        ({"decoder": "nowhere"}, InputError, "nowhere: .*give the folder of a saved model.*or a hub name"),
        ({"tokenizer": "nowhere"}, InputError, "nowhere: no tokenizer there .*; name a folder that has one: tokenizer"),
        ({"device": "cuda:99"}, InputError, "device 'cuda:99' cannot be used"),
    ],
)
def test_a_part_that_cannot_be_had_is_one_line(changes, error, message):
    with pytest.raises(error, match=message) as caught:
        mm_memgpt.assemble(**{"preset": "tiny", **changes})
    assert "\n" not in str(caught.value)


def test_whole_configs_may_be_given():
    image = ImageConfig(trunk="torchvision/resnet18", size=64, grid=2, heads=4)
    decoder = DecoderConfig(model={"model_type": "gpt2", **MODELS["gpt2"], "vocab_size": 8192}, heads=3)
    config = mm_memgpt.assemble("tiny", trunk=image, decoder=decoder).model.config
    assert isinstance(config, MMMemGPTConfig)
    assert config.image.trunk == "torchvision/resnet18"
    assert config.decoder.model["model_type"] == "gpt2"
