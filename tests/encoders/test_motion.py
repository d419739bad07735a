"""Frames that follow each other closely become a token each, which knows of the frames around it and of no padding."""

import pytest
import torch

from mm_memgpt.config import MotionConfig
from mm_memgpt.encoders.motion import REACH, MotionEncoder
from mm_memgpt.types import MODALITIES

CONFIG = MotionConfig(frames=8, cell=3, inner=6, layers=1, dropout=0.0)
SHAPE = (4, 2, 3)


@pytest.fixture(scope="module")
def encoder() -> MotionEncoder:
    torch.manual_seed(0)
    return MotionEncoder(CONFIG, SHAPE, width=10, key_width=5, tokens=11).eval()


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, *SHAPE, generator=torch.Generator().manual_seed(seed))


def test_a_stretch_is_an_item_with_a_token_a_frame(encoder):
    features = encoder(maps(2, 3, 8))
    assert features.tokens.shape == (2, 3, 11, 10)
    assert features.mask.sum(-1).tolist() == [[8] * 3] * 2
    assert features.tokens[~features.mask].abs().max() == 0
    assert (features.modality == MODALITIES.index("image")).all()
    torch.testing.assert_close(features.key.norm(dim=-1), torch.ones(2, 3))
    assert features.time[0].tolist() == pytest.approx(torch.tensor([[0, 0.64], [0.64, 1.28], [1.28, 1.92]]))
    given = encoder(maps(1, 1, 8), source=torch.tensor([[7]]), time=torch.tensor([[[1.0, 2.0]]]))
    assert (given.source.item(), given.time.tolist()) == (7, [[[1.0, 2.0]]])


def test_frames_that_are_not_real_change_nothing(encoder):
    seen, real = maps(1, 2, 8), torch.ones(1, 2, 8, dtype=torch.bool)
    real[0, 1, 5:] = False
    features = encoder(seen, real)
    other = seen.clone()
    other[0, 1, 5:] = 99.0
    again = encoder(other, real)
    alone = encoder(seen[:, 1:, :5])
    for found, item in ((again, 1), (alone, 0)):
        torch.testing.assert_close(found.tokens[0, item], features.tokens[0, 1])
        torch.testing.assert_close(found.key[0, item], features.key[0, 1])
    assert features.mask[0, 1].tolist() == [True] * 5 + [False] * 6


def test_a_frame_knows_of_those_around_it_and_of_the_mean_of_all(encoder):
    seen = maps(1, 1, 8)
    other = seen.clone()
    other[0, 0, 0] = maps(1, seed=1)[0]
    other[0, 0, 7] += seen[0, 0, 0] - other[0, 0, 0]  # the mean stays
    changed = (encoder(seen).tokens - encoder(other).tokens).abs().amax(-1)[0, 0, :8] > 1e-6
    assert changed.tolist() == [min(place, 7 - place) <= REACH // 2 for place in range(8)]


def test_what_stands_still_is_not_seen(encoder):
    seen = maps(1, 1, 8)
    torch.testing.assert_close(encoder(seen + maps(1, seed=1)).tokens, encoder(seen).tokens, rtol=1e-3, atol=1e-4)


def test_more_frames_than_an_item_holds_are_refused(encoder):
    for odd in (maps(1, 1, 9), maps(1, 8)):
        with pytest.raises(ValueError, match=r"must be \(b, n, f, c, h, w\), f at most 8"):
            encoder(odd)


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    encoder = MotionEncoder(CONFIG, SHAPE, width=10, key_width=5)
    features = encoder(maps(2, 2, 8))
    (features.tokens.square() * torch.randn_like(features.tokens)).sum().backward(retain_graph=True)
    (features.key * torch.randn_like(features.key)).sum().backward()
    assert [name for name, each in encoder.named_parameters() if each.grad is None or not each.grad.any()] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [({"every": 0.0}, "every 0.0 must"), ({"frames": 0}, "frames 0 must"), ({"dropout": 1.0}, "dropout 1.0 must")],
)
def test_settings_that_make_no_sense_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        MotionConfig(**values)
    assert MotionConfig().seconds == pytest.approx(1.92)
