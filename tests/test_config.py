"""Settings check themselves, and a model's config comes back from its folder as it was."""

import json
import re
from dataclasses import dataclass, field

import pytest
import torch

from mm_memgpt.config import (
    AudioConfig,
    DecoderConfig,
    FusionConfig,
    ImageConfig,
    MemoryConfig,
    MMMemGPTConfig,
    build,
)
from mm_memgpt.models.loading import find
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.presets import PRESETS, nano, tiny


@dataclass(kw_only=True)
class Wheel:
    spokes: int
    width: float = 2.0


@dataclass(kw_only=True)
class Bicycle:
    name: str
    wheels: list[Wheel] = field(default_factory=list)
    spare: Wheel | None = None
    gears: tuple[int, ...] | None = None
    bell: bool = False


def parameters(config: MMMemGPTConfig) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in MMMemGPTForConditionalGeneration(config).parameters())


def test_nested_mappings_and_lists_become_dataclasses():
    values = {
        "name": "red",
        "wheels": [{"spokes": 20}, {"spokes": 24, "width": 3}],
        "spare": {"spokes": 9},
        "gears": [1, 5],
    }
    bicycle = Bicycle(
        name="red", wheels=[Wheel(spokes=20), Wheel(spokes=24, width=3.0)], spare=Wheel(spokes=9), gears=(1, 5)
    )
    assert build(Bicycle, values) == bicycle
    assert type(build(Bicycle, values).wheels[1].width) is float


def test_a_number_that_yaml_takes_for_text_is_a_number():
    assert build(Wheel, {"spokes": 3, "width": "1e-3"}) == Wheel(spokes=3, width=0.001)


def test_of_several_types_a_value_keeps_the_one_that_it_has():
    @dataclass(kw_only=True)
    class Trip:
        files: str | list[str]
        more: str | list[str] | None = None

    assert build(Trip, {"files": "a.csv"}) == Trip(files="a.csv")
    assert build(Trip, {"files": ["a.csv"], "more": "b.csv"}) == Trip(files=["a.csv"], more="b.csv")
    with pytest.raises(ValueError, match="files must be text, got 3"):
        build(Trip, {"files": 3})
    with pytest.raises(ValueError, match="files must be text, got None"):
        build(Trip, {"files": None})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "red", "bel": True}, "unknown key 'bel'; known keys: bell, gears, name, spare, wheels"),
        ({"name": "red", "spare": {"spoke": 3}}, "unknown key 'spoke' in spare; known keys: spokes, width"),
        ({"name": "red", "wheels": [{"width": 1.0}]}, "missing key 'spokes' in wheels[0]"),
        ({}, "missing key 'name'"),
        ({"name": 5}, "name must be text, got 5"),
        ({"name": "red", "bell": 1}, "bell must be true or false, got 1"),
        ({"name": "red", "spare": {"spokes": True}}, "spare.spokes must be a whole number, got True"),
        ({"name": "red", "spare": {"spokes": 1, "width": "wide"}}, "spare.width must be a number, got 'wide'"),
        ({"name": "red", "spare": 7}, "spare must be a mapping of keys, got 7"),
        ({"name": "red", "wheels": {"spokes": 1}}, "wheels must be a list, got {'spokes': 1}"),
        ({"name": "red", "gears": [1, 2.5]}, "gears[1] must be a whole number, got 2.5"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_place(values, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build(Bicycle, values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ImageConfig(grid=0), "grid 0 must be at least 1; try grid=5"),
        (lambda: ImageConfig(size=0), "size 0 must be at least 1; try size=None"),
        (lambda: MemoryConfig(slots=4, ring=4), "ring 4 must be at least 1 and less than slots 4; try ring=8"),
        (lambda: FusionConfig(graph_layers=3), "graph_layers 3 must be 0, 1 or 2; try graph_layers=1"),
        (lambda: DecoderConfig(reads="beside"), "reads 'beside' is unknown; known: before, after"),
        (
            lambda: DecoderConfig(output_std=0.0),
            "output_std 0.0 must be above 0, or nothing is learned; close the gate instead",
        ),
        (lambda: DecoderConfig(dropout=1.0), "dropout 1.0 must be at least 0 and below 1; try dropout=0.1"),
        (
            lambda: DecoderConfig(model={"model_type": "lama"}),
            "decoder model_type 'lama' is not one that transformers knows; try 'llama'",
        ),
        (lambda: MMMemGPTConfig(width=36), "image.heads 8 does not divide width 36; try heads=4"),
        (
            lambda: MMMemGPTConfig(fusion=FusionConfig(heads=0)),
            "fusion.heads 0 does not divide width 256; try heads=256",
        ),
        (
            lambda: MMMemGPTConfig(audio=AudioConfig(heads=6)),
            "audio.heads 6 does not divide width 256; try heads=2",
        ),
    ],
)
def test_sizes_that_cannot_work_are_refused_with_a_way_out(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_a_key_the_model_does_not_know_is_refused():
    own = "width, key_width, summary, image, audio, motion, text, memory, fusion, decoder, confidence, asking, search"
    with pytest.raises(ValueError, match=f"^unknown key 'widht' in the model's config; its own keys: {own}$"):
        MMMemGPTConfig(widht=32)
    known = "connector, grid, heads, key, mirrored, size, trunk, trunk_args"
    with pytest.raises(ValueError, match=f"^unknown key 'grids' in image; known keys: {known}$"):
        MMMemGPTConfig(image={"grids": 3})


def test_a_folder_gives_the_config_back(tmp_path):
    config = tiny(vocab_size=301)
    config.decoder.layers = (1,)
    config.save_pretrained(tmp_path)
    again = MMMemGPTConfig.from_pretrained(tmp_path)
    assert again.decoder == config.decoder
    assert again.image == config.image
    assert again.audio == config.audio
    assert again.to_dict() == config.to_dict()


def test_a_key_nobody_knows_in_a_folder_is_refused(tmp_path):
    tiny().save_pretrained(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    values["memory"]["slot"] = 9
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match="unknown key 'slot' in memory; known keys: ring, slots"):
        MMMemGPTConfig.from_pretrained(tmp_path)


def test_derived_sizes_follow_the_parts():
    config = MMMemGPTConfig(
        image=ImageConfig(grid=3), decoder=DecoderConfig(model={"model_type": "llama", "vocab_size": 77})
    )
    assert config.tokens_per_item == 9
    assert config.audio is None
    config.audio = AudioConfig(bands=2, times=4)
    assert config.tokens_per_item == 9
    config.audio = AudioConfig(bands=2, times=5)
    assert config.tokens_per_item == 10
    assert config.vocab_size == 77


def test_an_encoder_decoder_tells_generation_where_to_begin(tmp_path):
    sizes = {"model_type": "t5", "d_model": 16, "num_heads": 2, "num_layers": 3, "num_decoder_layers": 1}
    config = MMMemGPTConfig(decoder=DecoderConfig(model={**sizes, "decoder_start_token_id": 7}))
    config.save_pretrained(tmp_path)
    again = MMMemGPTConfig.from_pretrained(tmp_path)
    assert again.is_encoder_decoder
    assert again.decoder_start_token_id == 7
    assert not tiny().is_encoder_decoder


SPECIAL = {"tiny": (0, 1, 2), "nano": (0, 1, 2), "small": (304, 304, 304), "base": (0, 0, 0)}
"""Begin, end and padding: ours, GPT-2's last token, SmolLM2's first."""


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_takes_the_tokenizer_s_size_and_its_own_special_tokens(name):
    config = PRESETS[name](vocab_size=305)
    assert config.vocab_size == 305
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == SPECIAL[name]


def test_presets_have_the_sizes_they_promise():
    assert parameters(tiny()) < 1_000_000
    assert 5_000_000 < parameters(nano()) <= 12_000_000


def test_what_ships_looks_at_photos_as_its_preset_says():
    shipped, preset = MMMemGPTConfig.from_pretrained(find("nano")), nano()
    assert shipped.image == preset.image  # the mirror image was once lost on the way through runs older than it
    assert shipped.memory == preset.memory
