"""The decoder is rewarded for reading what settles a question, whatever else lies in memory."""

import pytest
import torch

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.seam import memory_layers
from mm_memgpt.objectives.looking import LEAST, answer_place, looking_loss, noticed, token_sources
from mm_memgpt.presets import tiny
from mm_memgpt.types import MIXED_SOURCE


@pytest.fixture(scope="module")
def model() -> MMMemGPTForConditionalGeneration:
    torch.manual_seed(0)
    return MMMemGPTForConditionalGeneration(tiny()).eval()


def test_the_loss_is_minus_the_logarithm_of_the_attention_on_what_settles_it():
    weights = [torch.tensor([[[0.1, 0.2, 0.3, 0.4]] * 2, [[0.4, 0.3, 0.2, 0.1]] * 2])] * 2  # null, readout, two tokens
    sources = torch.tensor([[MIXED_SOURCE, 0, 1], [MIXED_SOURCE, 1, 0]])
    about = torch.tensor([[False, True], [True, True]])
    due = -(torch.tensor([0.4, 0.2 + 0.1]).log()).mean()
    torch.testing.assert_close(looking_loss(weights, sources, about), due)


def test_what_nothing_in_memory_settles_counts_for_nothing():
    weights = [torch.full((2, 1, 3), 1 / 3)]
    sources = torch.tensor([[MIXED_SOURCE, 0], [MIXED_SOURCE, MIXED_SOURCE]])
    some = looking_loss(weights, sources, torch.tensor([[True], [True]]))
    assert some.item() == pytest.approx(torch.tensor(3.0).log().item())
    assert looking_loss(weights, sources, torch.tensor([[False], [False]])) == 0
    nowhere = looking_loss([torch.tensor([[[1.0, 0.0, 0.0]]])], sources[:1], torch.tensor([[True]]))
    assert nowhere.item() == pytest.approx(-torch.tensor(LEAST).log().item())


def test_attention_is_noticed_at_the_place_that_is_asked_for_in_the_later_layers(model):
    memory, mask = torch.randn(2, 5, 32), torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    text, place = torch.randint(3, 300, (2, 7)), torch.tensor([4, 2])
    with noticed(model, place) as weights:
        model(input_ids=text, memory=memory, memory_mask=mask)
    count = len(memory_layers(model.decoder))
    assert len(weights) == count - count // 2
    torch.testing.assert_close(weights[0].sum(-1), torch.ones(2, 4))
    assert weights[0].shape == (2, 4, 6)
    assert weights[0][1, :, 4:].abs().max() == 0
    other = text.clone()
    other[0, 5:], other[1, 3:] = 9, 9  # what comes later changes nothing
    with noticed(model, place) as again:
        model(input_ids=other, memory=memory, memory_mask=mask)
    torch.testing.assert_close(again, weights)
    model(input_ids=text, memory=memory, memory_mask=mask)
    assert len(weights) == len(again)  # no longer


def test_tokens_know_their_source_in_the_order_in_which_they_are_read(model):
    photos = model.image_encoder(torch.randn(1, 2, 3, 64, 64), source=torch.tensor([[5, 3]]))
    sound = model.audio_encoder(torch.randn(1, 1, 15_600), source=torch.tensor([[7]]))
    state = model.bank.empty(1)
    for features in (photos, sound):
        state = model.bank.write(state, features)
    fused = model.fuser(state)
    _, mask = model.readable(fused)
    sources = token_sources(state, fused)
    assert sources.shape == mask.shape
    assert sources[0].tolist() == [MIXED_SOURCE] + [5] * 4 + [3] * 4 + [7] * 3


def test_an_answer_is_begun_one_place_before_its_first_token():
    learned = torch.tensor([[False, False, True, True], [False, True, True, True]])
    assert answer_place(learned).tolist() == [1, 0]
