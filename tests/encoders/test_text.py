"""The text encoder keeps the contract of Features: a sentence is an item, its key is of all of it."""

import pytest
import torch

from mm_memgpt.config import TextConfig
from mm_memgpt.encoders.text import TextEncoder
from mm_memgpt.types import MODALITIES

EMBEDDED = torch.randn(2, 3, 5, 10, generator=torch.Generator().manual_seed(0))  # b n t e
REAL = torch.tensor([[5, 3, 1], [4, 2, 5]]).unsqueeze(-1) > torch.arange(5)  # b n t


@pytest.fixture
def encoder() -> TextEncoder:
    return TextEncoder(TextConfig(layers=2, heads=4), embedding_width=10, width=8, key_width=6, tokens=7).eval()


def test_sentences_become_items_as_the_contract_says(encoder):
    features = encoder(EMBEDDED, REAL)
    assert features.tokens.shape == (2, 3, 7, 8)  # b n p d
    assert features.mask.sum(-1).tolist() == [[5, 3, 1], [4, 2, 5]]
    assert not features.tokens[~features.mask].any()
    torch.testing.assert_close(features.key.norm(dim=-1), torch.ones(2, 3))
    assert features.time.dtype == torch.float64
    assert (features.modality == MODALITIES.index("text")).all()
    assert features.source.tolist() == [[0, 1, 2]] * 2


def test_an_item_holds_the_first_tokens_and_its_key_is_of_all(encoder):
    encoder.tokens = 3
    features, whole = encoder(EMBEDDED, REAL), encoder(EMBEDDED[:, :, :3], REAL[:, :, :3])
    assert features.tokens.shape == (2, 3, 3, 8)
    assert features.mask.sum(-1).tolist() == [[3, 3, 1], [3, 2, 3]]
    assert not torch.allclose(features.key[0, 0], whole.key[0, 0], atol=1e-3)
    torch.testing.assert_close(features.key[0, 1], whole.key[0, 1])


def test_padding_changes_nothing_not_even_a_nan(encoder):
    noise = EMBEDDED.masked_fill(~REAL.unsqueeze(-1), 1e4)
    for got, due in zip(encoder(noise, REAL), encoder(EMBEDDED, REAL), strict=True):
        torch.testing.assert_close(got, due)


def test_sentences_of_a_row_are_encoded_as_each_alone(encoder):
    together = encoder(EMBEDDED, REAL)
    for place in range(3):
        alone = encoder(EMBEDDED[:, place : place + 1], REAL[:, place : place + 1])
        torch.testing.assert_close(together.tokens[:, place], alone.tokens[:, 0])
        torch.testing.assert_close(together.key[:, place], alone.key[:, 0])


def test_the_order_of_words_matters(encoder):
    turned = encoder(EMBEDDED[:1, :1].flip(2), REAL[:1, :1])
    assert not torch.allclose(turned.key, encoder(EMBEDDED, REAL).key[:1, :1], atol=1e-3)


def test_a_sentence_without_a_token_is_padding_and_no_nan(encoder):
    features = encoder(EMBEDDED, torch.zeros_like(REAL))
    assert not features.mask.any()
    assert all(torch.isfinite(part).all() for part in (features.tokens, features.key))


def test_source_and_time_are_taken_as_given(encoder):
    source, time = torch.tensor([[5, 6, 6], [7, 7, 7]]), torch.rand(2, 3, 2, dtype=torch.float64)
    features = encoder(EMBEDDED, REAL, source, time)
    assert torch.equal(features.source, source)
    assert torch.equal(features.time, time)


def test_shapes_that_do_not_fit_are_refused(encoder):
    with pytest.raises(ValueError, match=r"embedded \(2, 3, 5, 10\) and mask \(2, 3, 4\) must be"):
        encoder(EMBEDDED, REAL[:, :, :4])
