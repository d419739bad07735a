"""Weights from a file, a folder or a hub: they are the source's to the bit; what is missing is said in one line."""

import json

import open_clip
import pytest
import timm
import torch
import torchvision
import transformers
from safetensors.torch import save_file
from timm.models import save_for_hf

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.image import (
    ImageEncoder,
    create_trunk,
    feature_map,
    load_pretrained,
    pixel_statistics,
    resolve,
)
from mm_memgpt.types import InputError

PIXELS = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
VISION = {"image_size": 64, "patch_size": 16, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
TEXT = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 9}
CLIP_VISION = {"image_size": 64, "patch_size": 16, "width": 16, "head_width": 8, "layers": 2}
CLIP_TEXT = {"context_length": 4, "vocab_size": 9, "width": 8, "heads": 2, "layers": 1}


def same(trunk: torch.nn.Module, source: torch.nn.Module, prefix: str = "") -> bool:
    """Whether every parameter of the trunk is the source's of that name."""
    theirs = dict(source.named_parameters())
    return all(torch.equal(value, theirs[prefix + name]) for name, value in trunk.named_parameters())


@pytest.fixture
def clip(tmp_path) -> tuple[open_clip.CLIP, str]:
    """A tiny CLIP and the folder it is saved in, as open_clip lays one out."""
    model = open_clip.CLIP(6, CLIP_VISION, CLIP_TEXT).eval()
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    settings = {"embed_dim": 6, "vision_cfg": CLIP_VISION, "text_cfg": CLIP_TEXT, "quick_gelu": True}
    preprocess = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "size": [64, 64]}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": settings, "preprocess_cfg": preprocess}))
    return model, str(tmp_path)


def test_a_timm_file_is_loaded_with_its_classifier_left_behind(tmp_path):
    model = timm.create_model("test_vit", num_classes=1000).eval()
    save_file(model.state_dict(), tmp_path / "vit.safetensors")
    trunk = create_trunk(ImageConfig(trunk="timm/test_vit"), str(tmp_path / "vit.safetensors"))
    assert same(trunk, model)
    assert not any(name.startswith("head") for name in trunk.state_dict())
    patches = model.forward_features(PIXELS)[:, 1:]  # with the final norm, behind the class token
    torch.testing.assert_close(feature_map(trunk.eval(), PIXELS).flatten(2).mT, patches)


def test_a_timm_vit_brings_its_positions_to_another_size(tmp_path):
    sizes = {"embed_dim": 12, "depth": 1, "num_heads": 2}
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, **sizes)
    save_file(model.state_dict(), tmp_path / "vit.safetensors")
    trunk = create_trunk(
        ImageConfig(trunk="timm/vit_tiny_patch16_224", trunk_args=sizes, size=96), str(tmp_path / "vit.safetensors")
    )
    model.set_input_size((96, 96))
    torch.testing.assert_close(trunk.pos_embed, model.pos_embed)


def test_a_timm_folder_stands_in_the_config_once_resolved(tmp_path):
    model = timm.create_model("test_resnet", num_classes=7, pretrained_cfg_overlay={"mean": (0.1, 0.2, 0.3)})
    save_for_hf(model, tmp_path, safe_serialization=True)
    named = ImageConfig(trunk=f"timm/local-dir:{tmp_path}", size=64)
    given = resolve(named)
    assert given.trunk == "timm/test_resnet"
    assert pixel_statistics(given).mean == (0.1, 0.2, 0.3)
    trunk = create_trunk(given)
    load_pretrained(trunk, named)
    assert same(trunk, model)


def test_an_open_clip_folder_keeps_its_space_and_statistics(clip):
    model, folder = clip
    named = ImageConfig(trunk=f"open_clip/local-dir:{folder}", key="trunk", grid=2, heads=2)
    given = resolve(named)
    assert given.trunk == "open_clip/saved"
    assert folder not in str(given.trunk_args)
    assert pixel_statistics(given) == (64, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    encoder = ImageEncoder(given, width=8, key_width=6).eval()
    load_pretrained(encoder.trunk, named)
    assert same(encoder.trunk, model.visual)
    quick = open_clip.create_model(f"local-dir:{folder}").eval()  # the folder says QuickGELU
    expected = quick.encode_image(PIXELS, normalize=True)
    torch.testing.assert_close(encoder(PIXELS).key[:, 0], expected)


def test_an_open_clip_vit_at_another_size_is_the_librarys_own(clip):
    _, folder = clip
    given = ImageConfig(trunk=f"open_clip/local-dir:{folder}", key="trunk", size=96)
    library = open_clip.create_model(f"local-dir:{folder}", force_image_size=96)
    assert same(create_trunk(given, pretrained=True), library.visual)


def test_a_torchvision_file_is_loaded(tmp_path):
    model = torchvision.models.squeezenet1_1().eval()
    torch.save(model.state_dict(), tmp_path / "squeezenet.pth")
    given = ImageConfig(trunk="torchvision/squeezenet1_1", size=64)
    trunk = create_trunk(given, str(tmp_path / "squeezenet.pth")).eval()
    assert same(trunk, model)
    torch.testing.assert_close(feature_map(trunk, PIXELS, "torchvision"), model.features(PIXELS))


@pytest.mark.parametrize("half", [False, True])
def test_the_image_half_of_a_saved_clip_is_found(half, tmp_path):
    settings = transformers.CLIPConfig(text_config=TEXT, vision_config=VISION | {"num_attention_heads": 2})
    settings.projection_dim = settings.vision_config.projection_dim = 6
    model = transformers.CLIPModel(settings).eval()
    (model.half() if half else model).save_pretrained(tmp_path)
    transformers.CLIPImageProcessor(image_mean=[0.1, 0.2, 0.3]).save_pretrained(tmp_path)
    named = ImageConfig(trunk=f"transformers/{tmp_path}", key="trunk", grid=2, heads=2)
    given = resolve(named)
    assert given.trunk == "transformers/clip_vision_model"
    assert str(tmp_path) not in str(given.trunk_args)
    assert pixel_statistics(given)[:2] == (64, (0.1, 0.2, 0.3))
    encoder = ImageEncoder(given, width=8, key_width=6).eval()
    load_pretrained(encoder.trunk, named)
    assert {parameter.dtype for parameter in encoder.trunk.parameters()} == {torch.float32}
    expected = model.float().get_image_features(PIXELS).pooler_output
    torch.testing.assert_close(encoder(PIXELS).key[:, 0], torch.nn.functional.normalize(expected, dim=-1))


def test_a_saved_image_tower_is_loaded_from_its_folder_and_from_its_file(tmp_path):
    model = transformers.ViTModel(transformers.ViTConfig(**VISION, num_attention_heads=2)).eval()
    model.save_pretrained(tmp_path)
    named = ImageConfig(trunk=f"transformers/{tmp_path}")
    assert same(create_trunk(named, pretrained=True), model)
    assert same(create_trunk(resolve(named), str(tmp_path / "model.safetensors")), model)


def test_what_we_keep_of_a_trunk_can_be_given_back(tmp_path):
    given = ImageConfig(trunk="open_clip/tiny", trunk_args={"embed_dim": 6, "vision_cfg": CLIP_VISION})
    kept = create_trunk(given)
    save_file(kept.state_dict(), tmp_path / "trunk.safetensors")
    assert same(create_trunk(given, str(tmp_path / "trunk.safetensors")), kept)


def test_weights_of_another_tower_are_refused(tmp_path):
    save_file({"other": torch.zeros(2)}, tmp_path / "other.safetensors")
    towers = {
        "timm/test_resnet": {},
        "torchvision/squeezenet1_1": {},
        "open_clip/tiny": {"embed_dim": 6, "vision_cfg": CLIP_VISION},
        "transformers/vit": {**VISION, "num_attention_heads": 2},
    }
    for trunk, arguments in towers.items():
        given = ImageConfig(trunk=trunk, trunk_args=arguments, size=64)
        with pytest.raises(InputError, match=rf"other.safetensors: not what {trunk} can load \(.*; give a file or"):
            create_trunk(given, str(tmp_path / "other.safetensors"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none.safetensors", "none.safetensors: no such file or folder; give a safetensors"),
        (lambda folder: folder, r"no weights \(\*.safetensors, \*.bin, \*.pt\) in it"),
        (lambda folder: [(folder / f"{n}.bin").touch() for n in "ab"] and folder, "has 2 files of weights; name one"),
    ],
)
def test_a_path_without_weights_is_named(make, message, tmp_path):
    with pytest.raises(InputError, match=message):
        create_trunk(ImageConfig(trunk="timm/test_resnet"), str(make(tmp_path)))


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    """The hub client told to stay offline with an empty cache, and a proxy where nobody listens."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("trunk", "trunk_args"),
    [
        ("timm/test_resnet", {}),
        ("timm/hf-hub:timm/test_resnet.r160_in1k", {}),
        ("open_clip/ViT-B-16-SigLIP", {}),
        ("open_clip/ViT-B-32", {"pretrained": "laion2b_s34b_b79k"}),
        ("torchvision/squeezenet1_1", {}),
        ("transformers/openai/clip-vit-base-patch32", {}),
    ],
)
def test_without_a_hub_one_line_has_both_ways_out(trunk, trunk_args, no_hub):
    with pytest.raises(InputError) as caught:
        create_trunk(ImageConfig(trunk=trunk, trunk_args=trunk_args, size=224), pretrained=True)
    assert str(caught.value).startswith(f"{trunk}: its pretrained weights cannot be fetched (")
    assert str(caught.value).endswith("connect to their hub, or give a local file or folder: pretrained='PATH'")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("trunk", "message"),
    [
        ("transformers/vit", "names a kind of tower, not a saved one; name one, such as transformers/openai/clip"),
        ("open_clip/ViT-B-32", "weights must be chosen; set image.trunk_args pretrained to one of openai, .*or give"),
        ("timm/resnet51", "timm has no trunk 'resnet51'; try one of .*resnet50"),
        ("transformers//no/such/folder", "/no/such/folder: no such folder; give the folder of a saved model, or its"),
        ("torchvision/.", "torchvision has no model folders; name the trunk .*pretrained='PATH'"),
    ],
)
def test_a_name_without_weights_is_refused_with_the_way_out(trunk, message):
    with pytest.raises(ValueError, match=message):
        create_trunk(ImageConfig(trunk=trunk), pretrained=True)


def test_a_model_never_points_to_another_folder(clip):
    _, folder = clip
    with pytest.raises(ValueError, match="is a saved model; give resolve"):
        ImageEncoder(ImageConfig(trunk=f"open_clip/local-dir:{folder}"), width=8, key_width=5)
