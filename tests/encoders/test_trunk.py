"""The contract of every library's towers, over a catalogue of tiny random ones: the same Features from any."""

import subprocess
import sys

import open_clip
import pytest
import timm
import torch
import torchvision
import transformers
from einops import rearrange
from torch import nn
from torch.nn import functional
from torchvision.models._api import register_model

from mm_memgpt.config import ImageConfig, MMMemGPTConfig
from mm_memgpt.encoders.image import ImageEncoder, create_trunk, feature_map, map_shape, pixel_statistics, stage_maps
from mm_memgpt.encoders.trunk import ADAPTERS, split
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.presets import tiny

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
VIT = {"image_size": 64, "patch_size": 16, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
WINDOWS = {"embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2], "window_size": 4}
CLIP_VISION = {"image_size": 64, "patch_size": 16, "width": 16, "head_width": 8, "layers": 2}
SIGLIP_VISION = {"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "map", "timm_proj": "none"}


@register_model()
def vit_test(weights=None, **arguments):
    sizes = {"patch_size": 16, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 24}
    return torchvision.models.VisionTransformer(**{"image_size": 224, **sizes, **arguments})


@register_model()
def swin_test(weights=None):
    return torchvision.models.SwinTransformer([4, 4], 8, [1, 2], [1, 2], [4, 4])


def config(trunk: str, key: str = "learned", **trunk_args) -> ImageConfig:
    return ImageConfig(trunk=trunk, trunk_args=trunk_args, size=64, grid=2, heads=2, key=key)


CATALOGUE = {
    "timm resnet": (config("timm/test_resnet"), (96, 2, 2)),
    "timm vit": (config("timm/test_vit"), (64, 4, 4)),
    "timm vit of its own size": (config("timm/vit_tiny_patch16_224", embed_dim=12, depth=2), (12, 4, 4)),
    "timm convnext": (config("timm/test_convnext"), (64, 2, 2)),
    "timm efficientnet": (config("timm/test_efficientnet"), (64, 2, 2)),
    "timm swin": (config("timm/swin_tiny_patch4_window7_224", **WINDOWS), (16, 8, 8)),
    "open_clip vit": (config("open_clip/tiny", "trunk", embed_dim=6, vision_cfg=CLIP_VISION), (16, 4, 4)),
    "open_clip resnet": (
        config("open_clip/tiny", "trunk", embed_dim=6, vision_cfg={"image_size": 32, "layers": [1] * 4, "width": 4}),
        (128, 2, 2),
    ),
    "open_clip siglip": (config("open_clip/tiny", "trunk", embed_dim=64, vision_cfg=SIGLIP_VISION), (64, 4, 4)),
    "torchvision mobilenet": (config("torchvision/mobilenet_v3_small"), (576, 2, 2)),
    "torchvision resnet": (config("torchvision/resnet18"), (512, 2, 2)),
    "torchvision vit": (config("torchvision/vit_test"), (16, 4, 4)),
    "torchvision swin": (config("torchvision/swin_test"), (16, 8, 8)),
    "transformers clip": (
        config("transformers/clip_vision_model", "trunk", **VIT, intermediate_size=24, projection_dim=6),
        (16, 4, 4),
    ),
    "transformers siglip": (
        config("transformers/siglip_vision_model", "trunk", **VIT, intermediate_size=24),
        (16, 4, 4),
    ),
    "transformers vit": (config("transformers/vit", **VIT, intermediate_size=24), (16, 4, 4)),
    "transformers dinov2": (config("transformers/dinov2", **VIT, mlp_ratio=2), (16, 4, 4)),
    "transformers convnext": (
        config("transformers/convnext", hidden_sizes=[4, 6, 8, 10], depths=[1] * 4, image_size=64),
        (10, 2, 2),
    ),
    "transformers swin": (config("transformers/swin", **WINDOWS, image_size=64), (16, 8, 8)),
}
"""Towers with a photo of 64 pixels, and the shape of their map."""
SHARED = {"open_clip vit": 6, "open_clip resnet": 6, "open_clip siglip": 64, "transformers clip": 6}
SHARED["transformers siglip"] = 16

every_trunk = pytest.mark.parametrize("name", CATALOGUE)


def build(name: str, key: str | None = None) -> ImageEncoder:
    torch.manual_seed(0)
    given = CATALOGUE[name][0]
    given = ImageConfig(**{**vars(given), "key": given.key if key is None else key})
    return ImageEncoder(given, width=8, key_width=SHARED[name] if given.key == "trunk" else 5)


def photos(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@every_trunk
def test_any_trunk_makes_the_same_features(name):
    encoder = build(name).eval()
    features = encoder(photos(2, 3, 3, 64, 64))  # b n c h w
    assert features.tokens.shape == (2, 3, 4, 8)  # b n p d
    assert features.mask.all()
    assert features.key.shape == (2, 3, SHARED.get(name, 5))
    torch.testing.assert_close(features.key.norm(dim=-1), torch.ones(2, 3))
    library, _ = split(CATALOGUE[name][0].trunk)
    assert map_shape(encoder.trunk, 64, library) == CATALOGUE[name][1]


@pytest.mark.parametrize(
    ("name", "key"), [*((name, "learned") for name in CATALOGUE), *((name, "trunk") for name in SHARED)]
)
def test_every_parameter_gets_a_gradient(name, key):
    encoder = build(name, key).train()
    for parameter in encoder.parameters():  # zero starts hold gradients back for one step, so leave them
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    features = encoder(photos(3, 3, 64, 64))
    loss = (features.tokens * photos(3, 1, 4, 8)).sum() + (features.key * photos(*features.key.shape)).sum()
    loss.backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []


@every_trunk
def test_a_frozen_trunk_stays_as_it_is_and_a_thawed_one_learns(name):
    encoder = build(name).freeze().train()
    before = {name: value.clone() for name, value in encoder.trunk.state_dict().items()}
    encoder(photos(3, 3, 64, 64)).tokens[..., 0].sum().backward()
    assert encoder.position.grad.any()
    assert all(parameter.grad is None for parameter in encoder.trunk.parameters())
    assert all(torch.equal(value, before[name]) for name, value in encoder.trunk.state_dict().items())
    encoder.thaw()
    encoder(photos(3, 3, 64, 64)).tokens[..., 0].sum().backward()
    assert any(parameter.grad.any() for parameter in encoder.trunk.parameters() if parameter.grad is not None)


GLOBAL = {"timm efficientnet", "torchvision mobilenet", "torchvision resnet"}
"""Towers each of whose cells sees most of a photo of 64 pixels, by squeeze-and-excitation or by depth."""


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in GLOBAL])
def test_a_bright_spot_brightens_its_own_cell(name):
    """What changes most is the cell where the spot lies, so rows are rows and columns are columns."""
    encoder = build(name).eval()
    _, rows, columns = CATALOGUE[name][1]
    height, width = 64 // rows, 64 // columns
    for row, column in ((0, columns - 1), (rows - 1, 0)):
        spot = torch.zeros(2, 3, 64, 64)
        spot[1, :, row * height : (row + 1) * height, column * width : (column + 1) * width] = 3
        dark, bright = encoder.perceive(encoder.trunk, spot).map.detach()
        change = (bright - dark).norm(dim=0)
        assert divmod(change.argmax().item(), columns) == (row, column)


OBLONG = ["timm resnet", "timm vit", "timm convnext", "torchvision swin"]
OBLONG += ["transformers clip", "transformers vit", "transformers dinov2", "transformers swin", "transformers siglip"]


@pytest.mark.parametrize("name", OBLONG)
def test_an_oblong_photo_has_an_oblong_map(name):
    encoder = build(name).eval()
    channels, rows, columns = CATALOGUE[name][1]
    spot = torch.zeros(2, 3, 64, 128)
    spot[1, :, -64 // rows :, : 64 // columns] = 3
    dark, bright = encoder.perceive(encoder.trunk, spot).map.detach()
    assert dark.shape == (channels, rows, 2 * columns)
    assert divmod((bright - dark).norm(dim=0).argmax().item(), 2 * columns) == (rows - 1, 0)
    assert encoder(spot).tokens.shape == (2, 1, 4, 8)


def test_tokens_and_channels_last_are_laid_out_as_by_hand():
    pixels = photos(2, 3, 64, 64)
    with torch.no_grad():
        vit = build("timm vit").eval().trunk
        tokens = vit.forward_features(pixels)[:, 1:]  # behind the class token
        torch.testing.assert_close(feature_map(vit, pixels), tokens.transpose(1, 2).reshape(2, 64, 4, 4))
        swin = build("timm swin").eval().trunk
        torch.testing.assert_close(feature_map(swin, pixels), swin.forward_features(pixels).permute(0, 3, 1, 2))
        dino = build("transformers dinov2").eval().trunk
        tokens = dino(pixels).last_hidden_state[:, 1:]
        by_hand = rearrange(tokens, "b (rows columns) c -> b c rows columns", rows=4)
        torch.testing.assert_close(feature_map(dino, pixels, "transformers"), by_hand)


def test_a_key_in_the_shared_space_is_the_librarys_own_embedding():
    pixels = photos(3, 3, 64, 64)
    text = {"context_length": 4, "vocab_size": 9, "width": 8, "heads": 2, "layers": 1}
    ours = build("open_clip vit").eval()
    library = open_clip.CLIP(6, CLIP_VISION, text).eval()
    library.visual.load_state_dict(ours.trunk.state_dict())
    expected = {"open_clip vit": library.encode_image(pixels)}
    siglip = build("open_clip siglip").eval()
    expected["open_clip siglip"] = siglip.trunk(pixels)
    text = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 9}
    sizes = {**VIT, "intermediate_size": 24}
    clip = build("transformers clip").eval()
    both = {"text_config": text, "vision_config": sizes}
    library = transformers.CLIPModel(transformers.CLIPConfig(**both, projection_dim=6)).eval()
    library.load_state_dict(clip.trunk.state_dict(), strict=False)
    expected["transformers clip"] = library.get_image_features(pixels).pooler_output
    tower = build("transformers siglip").eval()
    library = transformers.SiglipModel(transformers.SiglipConfig(**both)).eval()
    library.vision_model.load_state_dict(dict(tower.trunk.named_parameters()))
    expected["transformers siglip"] = library.get_image_features(pixels).pooler_output
    for name, encoder in zip(expected, (ours, siglip, clip, tower), strict=True):
        assert expected[name].shape == (3, SHARED[name])
        torch.testing.assert_close(encoder(pixels).key[:, 0], functional.normalize(expected[name], dim=-1))


@pytest.mark.parametrize("size", [32, 96])
@pytest.mark.parametrize("name", [name for name in CATALOGUE if "vit" in name or "clip" in name or "siglip" in name])
def test_a_vit_works_at_another_size(name, size):
    given = ImageConfig(**{**vars(CATALOGUE[name][0]), "size": size, "grid": 1})
    encoder = ImageEncoder(given, width=8, key_width=SHARED.get(name, 5)).eval()
    assert pixel_statistics(given).size == size
    tokens = encoder(photos(2, 3, size, size)).tokens
    assert tokens.isfinite().all()
    channels, rows, columns = CATALOGUE[name][1]
    assert map_shape(encoder.trunk, size, split(given.trunk)[0]) == (channels, rows * size // 64, columns * size // 64)


@pytest.mark.parametrize(
    ("given", "size", "mean"),
    [
        (ImageConfig(trunk="timm/inception_v3"), 299, (0.5, 0.5, 0.5)),
        (ImageConfig(trunk="vit_base_patch16_clip_224.openai"), 224, CLIP_MEAN),
        (ImageConfig(trunk="open_clip/ViT-B-16-SigLIP"), 224, (0.5, 0.5, 0.5)),
        (ImageConfig(trunk="open_clip/ViT-L-14-336", trunk_args={"pretrained": "openai"}), 336, CLIP_MEAN),
        (ImageConfig(trunk="torchvision/efficientnet_b3"), 300, (0.485, 0.456, 0.406)),
        (ImageConfig(trunk="torchvision/vit_b_16", trunk_args={"weights": "IMAGENET1K_SWAG_E2E_V1"}), 384, None),
        (ImageConfig(trunk="transformers/clip_vision_model"), 224, CLIP_MEAN),
        (ImageConfig(trunk="transformers/siglip_vision_model", trunk_args={"image_size": 384}), 384, (0.5, 0.5, 0.5)),
        (ImageConfig(trunk="transformers/dinov2", trunk_args={"image_mean": [0.1, 0.2, 0.3]}), 224, (0.1, 0.2, 0.3)),
        (ImageConfig(trunk="torchvision/resnet18", size=96), 96, (0.485, 0.456, 0.406)),
    ],
)
def test_pixel_statistics_are_those_of_the_towers_weights(given, size, mean):
    found = pixel_statistics(given)
    assert found.size == size
    assert found.mean == ((0.485, 0.456, 0.406) if mean is None else mean)


@pytest.mark.parametrize(
    ("trunk", "shape", "shared", "std"),
    [
        ("open_clip/ViT-B-32", (768, 7, 7), 512, 0.26862954),
        ("open_clip/ViT-B-16-SigLIP", (768, 14, 14), 768, 0.5),
        ("timm/vit_base_patch16_224", (768, 14, 14), None, 0.5),
    ],
)
def test_towers_of_real_size_by_name(trunk, shape, shared, std):
    given = ImageConfig(trunk=trunk, key="learned" if shared is None else "trunk", grid=7)
    with torch.device("meta"):
        encoder = ImageEncoder(given, width=8, key_width=shared or 5)
        features = encoder(torch.zeros(1, 3, 224, 224))
    assert features.key.shape == (1, 1, shared or 5)
    assert map_shape(encoder.trunk, 224, split(trunk)[0]) == shape
    assert pixel_statistics(given).std[0] == std


def test_weights_trained_with_quick_gelu_get_it():
    """The activation has no weights, so with the wrong one a tower would load and see wrongly."""
    activations = {}
    for tag in ("openai", "laion2b_s34b_b79k"):
        with torch.device("meta"):
            trunk = create_trunk(ImageConfig(trunk="open_clip/ViT-B-32", trunk_args={"pretrained": tag}))
        activations[tag] = type(trunk.transformer.resblocks[0].mlp.gelu).__name__
    assert activations == {"openai": "QuickGELU", "laion2b_s34b_b79k": "GELU"}


@pytest.mark.parametrize(
    "name", ["timm swin", "open_clip vit", "torchvision swin", "transformers clip", "transformers swin"]
)
def test_a_saved_model_sees_the_same_with_any_trunk(name, tmp_path):
    """Loading refills what is not among the weights, such as a window's index table; nothing may be lost there."""
    given = CATALOGUE[name][0]
    whole = tiny().to_dict() | {"image": given, "key_width": SHARED.get(name, 12), "width": 32}
    whole = {key: whole[key] for key in ("width", "key_width", "image", "memory", "fusion", "decoder")}
    model = MMMemGPTForConditionalGeneration(MMMemGPTConfig(**whole)).eval()
    model.save_pretrained(tmp_path)
    again = MMMemGPTForConditionalGeneration.from_pretrained(tmp_path).eval()
    pixels = photos(2, 3, 64, 64)
    assert torch.equal(again.image_encoder(pixels).tokens, model.image_encoder(pixels).tokens)
    assert torch.equal(again.image_encoder(pixels).key, model.image_encoder(pixels).key)


def test_what_the_map_never_uses_is_not_there():
    names = dict(build("open_clip vit", "learned").trunk.named_parameters())
    assert "proj" not in names
    assert "proj" in dict(build("open_clip vit").trunk.named_parameters())
    assert not any("head" in name for name in dict(build("transformers siglip", "learned").trunk.named_parameters()))
    assert not any("fc" in name.split(".")[0] for name, _ in build("torchvision resnet").trunk.named_parameters())
    assert not any("mask_token" in name for name, _ in build("transformers dinov2").trunk.named_parameters())


def test_a_tower_of_your_own_needs_one_file(tmp_path, monkeypatch):
    (tmp_path / "brightness_trunk.py").write_text(
        "from torch import nn\n"
        "from mm_memgpt.encoders.base import PixelStatistics, TrunkOutput\n"
        "def create(name, config, weights):\n"
        "    return nn.Conv2d(3, config.trunk_args['width'], 8, stride=8)\n"
        "def statistics(name, config):\n"
        "    return PixelStatistics(config.size or 32, (0.0,) * 3, (1.0,) * 3)\n"
        "def perceive(trunk, pixels):\n"
        "    return TrunkOutput(trunk(pixels), None)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(ADAPTERS, "mine", "brightness_trunk")
    given = ImageConfig(trunk="mine/brightness", trunk_args={"width": 7}, grid=4, heads=2)
    encoder = ImageEncoder(given, width=8, key_width=5)
    assert encoder(photos(2, 3, 32, 32)).tokens.shape == (2, 1, 16, 8)
    assert map_shape(encoder.trunk, 32, "mine") == (7, 4, 4)


def test_a_tower_registered_with_timm_needs_none():
    @timm.models.register_model
    def resnet_of_the_test(pretrained=False, **arguments):
        return timm.create_model("test_resnet", **arguments)

    encoder = ImageEncoder(config("timm/resnet_of_the_test"), width=8, key_width=5)
    assert encoder(photos(2, 3, 64, 64)).tokens.shape == (2, 1, 4, 8)


def test_only_the_chosen_library_is_imported():
    code = (
        "import sys; from mm_memgpt.config import ImageConfig; from mm_memgpt.encoders.image import create_trunk;"
        "assert not {'timm', 'open_clip', 'torchvision'} & set(sys.modules);"
        "create_trunk(ImageConfig(trunk='torchvision/squeezenet1_1', size=64));"
        "assert not {'timm', 'open_clip'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (config("keras/resnet50"), "unknown library 'keras'; known: timm, open_clip, torchvision, transformers"),
        (config("timm/resnet51"), "timm has no trunk 'resnet51'; try one of .*resnet50"),
        (config("open_clip/ViT-B-33"), "open_clip has no trunk 'ViT-B-33'; try one of ViT-B-32"),
        (config("torchvision/resnet51"), "torchvision has no trunk 'resnet51'; try one of resnet50"),
        (config("transformers/clip_vison_model"), "no trunk 'clip_vison_model'; try one of clip_vision_model"),
        (config("transformers/bert"), "'bert' reads input_ids, not photos; try clip_vision_model"),
        (config("torchvision/googlenet", init_weights=False), "is a GoogLeNet, not one of .*; try timm/googlenet"),
        (config("timm/hrnet_w18_small"), "gives no map of a 64x64 photo .*; try another size or trunk"),
        (config("timm/test_resnet", colour=1), "{'colour': 1} do not fit 'timm/test_resnet' .*unexpected"),
        (
            config("transformers/vit", colour=1),
            "unknown key 'colour' .* of transformers/vit; see ViTConfig",
        ),
        (config("transformers/vit", hidden_size="wide"), "do not fit 'transformers/vit' .*'hidden_size'"),
        (config("open_clip/ViT-B-32", colour=1), "unknown key 'colour' in image.trunk_args of open_clip; known keys"),
        (config("open_clip/ViT-B-32", pretrained="mine"), "no weights 'mine' of 'ViT-B-32'; known: openai, "),
        (config("torchvision/resnet18", weights="mine"), "no weights 'mine' of 'resnet18'; known: IMAGENET1K_V1"),
        (config("timm/test_vit", "trunk"), "shares no space with text; set image.key to 'learned', or take"),
        (
            config("open_clip/tiny", "trunk", embed_dim=6, vision_cfg=CLIP_VISION),
            "key_width 5 is not the 6 of the space that 'open_clip/tiny' shares with text; set key_width to 6",
        ),
    ],
)
def test_a_trunk_that_cannot_serve_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ImageEncoder(given, width=8, key_width=5)


def test_stages_are_timms_only():
    with pytest.raises(ValueError, match="the stages of VisionTransformer are not known; take a trunk of timm"):
        stage_maps(create_trunk(CATALOGUE["open_clip vit"][0]), photos(1, 3, 64, 64))
