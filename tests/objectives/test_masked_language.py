"""Masked language modelling: what is taken out of a text, and the loss of transformers' own models."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertForMaskedLM, RobertaConfig, RobertaForMaskedLM

from mm_memgpt.objectives.masked_language import UNTAUGHT, MaskedLanguage, mask_tokens, masked_language_loss

MASK_TOKEN, VOCABULARY = 4, 19
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 20,
}
IDS = torch.tensor([[1, 7, 9, 11, 8, 2], [1, 6, 5, 2, 0, 0]])  # b t; 1 begins, 2 ends, 0 is padding
SPECIAL = IDS < 3


def masked(seed: int = 0, share: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    return mask_tokens(IDS, SPECIAL, torch.Generator().manual_seed(seed), VOCABULARY, MASK_TOKEN, share)


@pytest.mark.parametrize("family", [(BertConfig, BertForMaskedLM), (RobertaConfig, RobertaForMaskedLM)])
def test_it_is_the_loss_of_transformers_own_models(family):
    config, model_class = family
    model = model_class(config(**SIZES)).eval()
    ids, labels = masked()
    batch = {"input_ids": ids, "attention_mask": (IDS > 0).long(), "labels": labels}
    torch.testing.assert_close(MaskedLanguage()(model, batch)["loss"], model(**batch).loss)


def test_padding_changes_nothing():
    model = BertForMaskedLM(BertConfig(**SIZES)).eval()
    ids, labels = masked()
    batch = {"input_ids": ids, "attention_mask": (IDS > 0).long(), "labels": labels}
    fill = {"input_ids": 0, "attention_mask": 0, "labels": UNTAUGHT}
    longer = {name: torch.cat([value, torch.full((2, 3), fill[name])], 1) for name, value in batch.items()}
    torch.testing.assert_close(MaskedLanguage()(model, longer), MaskedLanguage()(model, batch))


def test_a_batch_in_which_nothing_was_taken_costs_nothing_and_no_gradient_is_broken():
    logits = torch.randn(2, 3, 5, requires_grad=True)
    loss = masked_language_loss(logits, torch.full((2, 3), UNTAUGHT))
    loss.backward()
    assert loss == 0
    assert logits.grad.isfinite().all()


@given(st.integers(0, 10_000), st.floats(0.01, 0.99))
def test_only_real_tokens_are_taken_and_of_every_text_at_least_one(seed, share):
    ids, labels = masked(seed, share)
    taken = labels != UNTAUGHT
    assert not (taken & SPECIAL).any()
    assert torch.equal(labels[taken], IDS[taken])
    assert torch.equal(ids[~taken], IDS[~taken])
    assert taken.sum(1).tolist() == [max(1, round(4 * share)), max(1, round(2 * share))]


def test_a_text_of_special_tokens_alone_stays_as_it_is():
    ids, labels = mask_tokens(
        IDS, torch.ones_like(SPECIAL), torch.Generator().manual_seed(0), VOCABULARY, MASK_TOKEN, 0.15
    )
    assert torch.equal(ids, IDS)
    assert (labels == UNTAUGHT).all()


def test_of_the_taken_tokens_eight_in_ten_are_masked_one_is_random_and_one_stays():
    ids = torch.full((40, 500), 7)
    special = torch.zeros_like(ids, dtype=torch.bool)
    hidden, labels = mask_tokens(ids, special, torch.Generator().manual_seed(3), 50_000, MASK_TOKEN)
    taken = labels != UNTAUGHT
    assert taken.float().mean().item() == pytest.approx(0.15)
    shown = hidden[taken]
    kept, masks = (shown == 7).float().mean().item(), (shown == MASK_TOKEN).float().mean().item()
    assert (masks, kept) == (pytest.approx(0.8, abs=0.02), pytest.approx(0.1, abs=0.02))


def test_the_generator_alone_decides():
    torch.manual_seed(1)
    first = masked(5)
    torch.manual_seed(2)
    again, other = masked(5), masked(6)
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not torch.equal(first[1], other[1])
