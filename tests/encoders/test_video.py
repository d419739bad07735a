"""A clip's frames and sound become items of one stream, each as its own encoder makes it, at its own time."""

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mm_memgpt.config import MotionConfig
from mm_memgpt.datasets.clip_tracks import Moment
from mm_memgpt.encoders.image import ImageEncoder
from mm_memgpt.encoders.motion import MotionEncoder
from mm_memgpt.encoders.video import VideoEncoder
from mm_memgpt.presets import tiny
from mm_memgpt.types import MODALITIES, Features, InputError

SIZE = 64


class Ear(nn.Module):
    """Two tokens and a key of a piece of sound, by one matrix: the interface of an audio encoder."""

    def __init__(self, width: int = 8, key_width: int = 6, length: int = 10) -> None:
        super().__init__()
        self.tokens, self.keys = nn.Linear(length, 2 * width), nn.Linear(length, key_width)

    def forward(self, waveforms: Tensor, source: Tensor | None = None, time: Tensor | None = None) -> Features:
        tokens = self.tokens(waveforms).unflatten(-1, (2, -1))  # (b, n, 2, d)
        key = nn.functional.normalize(self.keys(waveforms), dim=-1)
        modality = torch.full(waveforms.shape[:2], MODALITIES.index("audio"))
        return Features(tokens, torch.ones(tokens.shape[:3], dtype=torch.bool), key, time, modality, source)


def pixels(photo: Image.Image) -> Tensor:
    return torch.full((1, 3, SIZE, SIZE), photo.getpixel((0, 0))[0] / 255)


def seen(start: float, end: float, shade: int) -> Moment:
    return Moment(start, end, Image.new("RGB", (5, 3), (shade,) * 3), None)


def heard(start: float, end: float) -> Moment:
    return Moment(start, end, None, torch.sin(torch.arange(10) * (start + 1)))


MOMENTS = [heard(0, 0.9), seen(0, 1, 10), heard(0.9, 1.8), seen(1, 2.5, 90), seen(2.5, 3, 200), heard(1.8, 2.1)]
KINDS = [1, 0, 1, 0, 0, 1]


@pytest.fixture(scope="module")
def image() -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder(tiny().image, width=8, key_width=6).eval()


@pytest.fixture(scope="module")
def encoder(image) -> VideoEncoder:
    torch.manual_seed(1)
    return VideoEncoder(image, Ear(), pixels)


def test_items_come_in_the_order_of_the_moments_with_their_times(encoder):
    [features] = encoder.encode_moments(iter(MOMENTS), source=7)
    assert features.tokens.shape == (1, 6, 4, 8)  # b n p d: the image encoder's four tokens are the most
    assert features.modality.tolist() == [KINDS]
    assert features.source.tolist() == [[7] * 6]
    assert features.time.dtype == torch.float64
    assert features.time.tolist() == [[[moment.start, moment.end] for moment in MOMENTS]]
    torch.testing.assert_close(features.key.norm(dim=-1), torch.ones(1, 6))


def test_an_item_of_fewer_tokens_is_filled_up_with_tokens_that_are_not_real(encoder):
    [features] = encoder.encode_moments(MOMENTS, source=0)
    assert features.mask.sum(-1).tolist() == [[2 if kind else 4 for kind in KINDS]]
    assert features.mask[:, :, :2].all()
    assert features.tokens[~features.mask].abs().max() == 0


def test_each_item_is_what_its_own_encoder_makes_of_it(encoder):
    [features] = encoder.encode_moments(MOMENTS, source=0)
    for place, moment in enumerate(MOMENTS):
        if moment.photo is None:
            alone = encoder.audio(moment.samples.reshape(1, 1, -1))
        else:
            alone = encoder.image(pixels(moment.photo))
        count = alone.tokens.shape[2]
        torch.testing.assert_close(features.tokens[:, place, :count], alone.tokens[:, 0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(features.key[:, place], alone.key[:, 0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("batch", [1, 4])
def test_groups_change_nothing_but_their_number(encoder, batch):
    [whole] = encoder.encode_moments(MOMENTS, source=3)
    groups = list(encoder.encode_moments(MOMENTS, source=3, batch=batch))
    assert [group.key.shape[1] for group in groups] == ([1] * 6 if batch == 1 else [4, 2])
    together = torch.cat([group.key for group in groups], dim=1)
    torch.testing.assert_close(together, whole.key, atol=1e-5, rtol=1e-4)
    assert torch.equal(torch.cat([group.time for group in groups], dim=1), whole.time)


def test_moments_are_read_a_group_at_a_time(encoder):
    read = []

    def moments():
        for number in range(100):
            read.append(number)
            yield seen(number, number + 1, number)

    features = encoder.encode_moments(moments(), source=0, batch=3)
    next(features)
    assert len(read) == 3


def test_without_an_audio_encoder_sound_is_left_out(image):
    [features] = VideoEncoder(image, None, pixels).encode_moments(MOMENTS, source=0)
    assert features.modality.tolist() == [[0, 0, 0]]
    assert features.time[0, :, 0].tolist() == [0, 1, 2.5]
    assert list(VideoEncoder(image, None, pixels).encode_moments([heard(0, 1)], source=0)) == []


def test_both_encoders_get_gradients(encoder):
    [features] = encoder.encode_moments(MOMENTS, source=0)
    features.key.sum().backward()
    assert encoder.audio.keys.weight.grad.abs().sum() > 0
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in encoder.image.parameters())


def test_what_came_before_a_break_is_given_first(encoder):
    def moments():
        yield from MOMENTS[:3]
        raise InputError("clip.mp4: cut short")

    features = encoder.encode_moments(moments(), source=0, batch=2)
    assert [next(features).key.shape[1], next(features).key.shape[1]] == [2, 1]
    with pytest.raises(InputError, match=r"^clip\.mp4: cut short$"):
        next(features)


def test_what_does_not_fit_is_refused(image):
    with pytest.raises(ValueError, match="tokens of frames are 8 wide, of sound 9; build both of one width"):
        list(VideoEncoder(image, Ear(width=9), pixels).encode_moments(MOMENTS, source=0))
    with pytest.raises(ValueError, match="keys of frames are 6 wide, of sound 5; build both of one width"):
        list(VideoEncoder(image, Ear(key_width=5), pixels).encode_moments(MOMENTS, source=0))
    with pytest.raises(ValueError, match="batch 0 must be at least 1; try batch=16"):
        VideoEncoder(image, None, pixels).encode_moments(MOMENTS, source=0, batch=0)


@pytest.fixture(scope="module")
def close(image) -> VideoEncoder:
    torch.manual_seed(2)
    motion = MotionEncoder(MotionConfig(frames=3, cell=2, inner=4), image.map_shape, width=8, key_width=6).eval()
    return VideoEncoder(image, Ear(), pixels, motion)


def test_looked_at_closely_frames_come_by_stretches_with_the_last_of_them(close):
    moments = [
        seen(0, 0.1, 10),
        heard(0, 0.15),
        seen(0.1, 0.2, 90),
        seen(0.2, 0.3, 5),
        heard(0.15, 0.3),
        seen(0.3, 0.4, 7),
    ]
    [features] = close.encode_moments(moments, source=3)
    assert features.modality.tolist() == [[1, 0, 1, 0]]
    assert features.time.tolist() == [[[0, 0.15], [0, 0.3], [0.15, 0.3], [0.3, 0.4]]]
    assert features.mask.sum(-1).tolist() == [[2, 3, 2, 1]]
    maps = close.image.look(torch.cat([pixels(moments[place].photo) for place in (0, 2, 3)]))
    alone = close.motion(maps[None, None])
    torch.testing.assert_close(features.tokens[0, 1, :3], alone.tokens[0, 0, :3])
    torch.testing.assert_close(features.key[0, 1], alone.key[0, 0])


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_stretches_are_the_same_whatever_the_group(close, batch):
    moments = [seen(number / 10, (number + 1) / 10, 20 * number) for number in range(7)]
    [whole] = close.encode_moments(moments, source=0)
    parts = list(close.encode_moments(moments, source=0, batch=batch))
    assert sum(part.tokens.shape[1] for part in parts) == 3
    together = torch.cat([part.key for part in parts], dim=1)
    torch.testing.assert_close(together, whole.key)
