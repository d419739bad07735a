"""The image encoder keeps the contract of Features, and its trunk can be frozen and thawed."""

from dataclasses import replace

import pytest
import torch

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.base import TrunkOutput
from mm_memgpt.encoders.image import (
    ImageEncoder,
    create_trunk,
    feature_map,
    map_shape,
    pixel_statistics,
    stage_maps,
)
from mm_memgpt.presets import tiny
from mm_memgpt.types import MODALITIES

CONFIG = tiny().image  # 64 pixels, a map of 2 x 2
PIXELS = torch.randn(2, 3, 3, 64, 64, generator=torch.Generator().manual_seed(0))  # b n c h w


@pytest.fixture
def encoder() -> ImageEncoder:
    return ImageEncoder(CONFIG, width=8, key_width=6).eval()


@pytest.fixture
def linear() -> ImageEncoder:
    return ImageEncoder(replace(CONFIG, connector="linear"), width=8, key_width=6).eval()


def test_photos_become_items_as_the_contract_says(encoder):
    features = encoder(PIXELS)
    assert features.tokens.shape == (2, 3, 4, 8)  # b n p d
    assert features.mask.shape == (2, 3, 4)
    assert features.mask.dtype == torch.bool
    assert features.mask.all()
    assert features.key.shape == (2, 3, 6)
    torch.testing.assert_close(features.key.norm(dim=-1), torch.ones(2, 3))
    assert features.time.shape == (2, 3, 2)
    assert features.time.dtype == torch.float64
    assert (features.modality == MODALITIES.index("image")).all()
    assert features.source.tolist() == [[0, 1, 2]] * 2
    assert features.source.dtype == torch.int64


def test_source_and_time_are_taken_as_given(encoder):
    source = torch.tensor([[5], [7]])
    time = torch.tensor([[[1.79e9, 1.79e9 + 0.5]], [[3.0, 4.0]]], dtype=torch.float64)
    features = encoder(PIXELS[:, 0], source=source, time=time)
    assert torch.equal(features.source, source)
    assert torch.equal(features.time, time)


def test_photos_of_a_row_are_encoded_as_each_alone(encoder):
    together = encoder(PIXELS)
    for photo in range(3):
        alone = encoder(PIXELS[:, photo])
        torch.testing.assert_close(together.tokens[:, photo], alone.tokens[:, 0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(together.key[:, photo], alone.key[:, 0], atol=1e-5, rtol=1e-4)


def test_each_token_is_its_own_cell_of_the_grid_at_first(encoder):
    """The resampler begins as identity, so before training a token is its cell of the map, projected."""
    tokens = encoder(PIXELS[:1, 0]).tokens[0, 0]
    cells = feature_map(encoder.trunk, PIXELS[:1, 0])[0].flatten(1).T  # (p, c): the map is as fine as the grid
    torch.testing.assert_close(tokens, encoder.norm(encoder.project(cells)))


def test_a_linear_connector_is_one_matrix_and_a_place(linear):
    cells = feature_map(linear.trunk, PIXELS[:1, 0])[0].flatten(1).T
    torch.nn.init.normal_(linear.position)
    norm, matrix = linear.project
    torch.testing.assert_close(linear(PIXELS[:1, 0]).tokens[0, 0], matrix(norm(cells)) + linear.position)


def test_an_unknown_connector_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"connector 'perceiver' is unknown; known: resampler, linear"):
        replace(CONFIG, connector="perceiver")


@pytest.mark.parametrize("kind", ["encoder", "linear"])
def test_every_parameter_gets_a_gradient(kind, request):
    encoder = request.getfixturevalue(kind)
    encoder.train()
    for parameter in encoder.parameters():  # zero starts hold gradients back for one step, so leave them
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    features = encoder(PIXELS[0])
    (features.tokens * torch.randn(3, 1, 4, 8)).sum().add((features.key * torch.randn(3, 1, 6)).sum()).backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_frozen_trunk_learns_nothing_and_keeps_its_statistics(encoder):
    encoder.freeze().train()
    before = {name: value.clone() for name, value in encoder.trunk.state_dict().items()}
    encoder(PIXELS[0]).tokens.square().sum().backward()
    assert all(parameter.grad is None for parameter in encoder.trunk.parameters())
    assert encoder.position.grad is not None
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.trunk.state_dict().items())


def test_a_thawed_trunk_learns_again(encoder):
    encoder.freeze().train().thaw()
    before = {name: value.clone() for name, value in encoder.trunk.named_buffers()}
    encoder(PIXELS[0]).tokens[..., 0].sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.trunk.parameters())
    assert any(not torch.equal(value, before[name]) for name, value in encoder.trunk.named_buffers())


def test_the_trunk_brings_its_mean_deviation_and_size():
    inception = pixel_statistics(ImageConfig(trunk="inception_v3"))
    assert inception == (299, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    mobilenet = pixel_statistics(ImageConfig(trunk="mobilenetv4_conv_small", size=160))
    assert mobilenet == (160, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_the_shape_of_the_map_is_probed_without_a_trace():
    trunk = create_trunk(CONFIG).train()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    assert map_shape(trunk, 96) == (96, 3, 3)
    assert trunk.training
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_the_last_of_the_stages_is_the_map():
    trunk = create_trunk(CONFIG).eval()
    maps = stage_maps(trunk, PIXELS[0])
    assert [stage.shape[-1] for stage in maps] == [32, 16, 8, 4, 2]
    torch.testing.assert_close(maps[-1], feature_map(trunk, PIXELS[0]))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ImageConfig(trunk="resnet_of_mine"), "timm has no trunk 'resnet_of_mine'; try one of .*resnet"),
        (ImageConfig(trunk="qqq"), "timm has no trunk 'qqq'; try one of mobilenetv4_conv_small, resnet18"),
        (
            ImageConfig(trunk="test_resnet", size=64, grid=5),
            "grid 5 is finer than the trunk's 2x2 map; try a larger size",
        ),
    ],
)
def test_a_trunk_that_cannot_serve_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        ImageEncoder(config, width=8, key_width=6)


def test_pixels_without_a_batch_are_refused(encoder):
    with pytest.raises(ValueError, match=r"pixel_values \(3, 64, 64\) must be \(b, 3, h, w\) or \(b, n, 3, h, w\)"):
        encoder(PIXELS[0, 0])


@pytest.mark.parametrize("connector", ["resampler", "linear"])
def test_from_the_trunk_s_map_an_item_is_as_from_its_photo(connector):
    encoder = ImageEncoder(replace(CONFIG, connector=connector), width=8, key_width=6, tokens=7).eval()
    maps = feature_map(encoder.trunk, PIXELS.flatten(0, 1)).unflatten(0, (2, 3))
    source = torch.tensor([[4, 5, 6], [1, 1, 0]])
    for due, found in zip(encoder(PIXELS, source), encoder.from_map(maps, source=source), strict=True):
        assert torch.equal(due, found)
    with pytest.raises(ValueError, match=r"maps \(3, 512, 2, 2\) must be \(b, n, c, h, w\)"):
        encoder.from_map(torch.zeros(3, 512, 2, 2))


def test_a_mirror_image_is_looked_at_too_and_its_cells_lie_on_the_photo_s():
    plain = ImageEncoder(CONFIG, width=32, key_width=12).eval()
    mirrored = ImageEncoder(replace(CONFIG, mirrored=True), width=32, key_width=12).eval()
    mirrored.load_state_dict(plain.state_dict())
    photo = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        seen, turned = (plain._look(pixels).map for pixels in (photo, photo.flip(-1)))
        both = mirrored._look(photo).map
        torch.testing.assert_close(both, (seen + turned.flip(-1)) / 2)
        assert not torch.allclose(both, seen)
        torch.testing.assert_close(mirrored(photo.flip(-1)).key, mirrored(photo).key)
        torch.testing.assert_close(mirrored._look(photo.flip(-1)).map, both.flip(-1))  # what is left comes out right
    for encoder in (plain, mirrored):  # running statistics aside, training sees what it is given
        encoder.train()
    torch.testing.assert_close(mirrored(photo).tokens, plain(photo).tokens)


def test_a_mirrored_embedding_is_the_mean_of_both():
    encoder = ImageEncoder(replace(CONFIG, mirrored=True), width=32, key_width=12).eval()
    encoder.perceive = lambda trunk, pixels: TrunkOutput(pixels, pixels[:, :, 0, 0])
    photo = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(encoder._look(photo).embedding, (photo[:, :, 0, 0] + photo[:, :, 0, -1]) / 2)
    torch.testing.assert_close(encoder._look(photo).map, photo)  # turned, turned back, and the mean of equals
