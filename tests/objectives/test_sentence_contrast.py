"""Contrast of sentences: its equation, the library that owns the idea, and what dropout does."""

import pytest
import torch
from torch.nn import functional
from transformers import BertConfig, BertModel

from mm_memgpt.objectives.contrastive import contrastive_loss
from mm_memgpt.objectives.sentence_contrast import SentenceContrast, mean_of_hidden_states, sentence_contrast_loss

VIEWS = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))  # views b d
FIRST, SECOND = VIEWS
BATCH = {
    "input_ids": torch.tensor([[1, 7, 9, 2], [1, 6, 2, 0], [1, 5, 8, 2]]),  # b t
    "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]]),
}


def bert(dropout: float = 0.2) -> BertModel:
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
    return BertModel(BertConfig(vocab_size=19, **sizes, hidden_dropout_prob=dropout), add_pooling_layer=False)


def naive(first, second, temperature) -> float:
    losses = []
    for i, view in enumerate(first):
        terms = [torch.exp(functional.cosine_similarity(view, other, dim=0) / temperature) for other in second]
        losses.append(-torch.log(terms[i] / sum(terms)))
    return torch.stack(losses).mean().item()


@pytest.mark.parametrize("temperature", [0.05, 0.7])
def test_it_is_what_its_equation_says(temperature):
    due = naive(FIRST, SECOND, temperature)
    assert sentence_contrast_loss(FIRST, SECOND, temperature).item() == pytest.approx(due, rel=1e-4)


def test_both_ways_it_is_the_loss_of_photos_with_one_sentence_each():
    both = (sentence_contrast_loss(FIRST, SECOND, 0.1) + sentence_contrast_loss(SECOND, FIRST, 0.1)) / 2
    unit = (functional.normalize(view, dim=-1) for view in VIEWS)
    torch.testing.assert_close(both, contrastive_loss(*unit, 10.0))


def test_it_is_the_ranking_loss_of_sentence_transformers():
    from sentence_transformers.sentence_transformer import losses

    ranking = losses.MultipleNegativesRankingLoss(torch.nn.Identity(), scale=20.0)
    due = ranking.compute_loss_from_embeddings([FIRST, SECOND], None)
    torch.testing.assert_close(sentence_contrast_loss(FIRST, SECOND, 0.05), due)


def test_its_gradient_is_that_of_its_value():
    views = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    step, size = torch.zeros_like(views), 1e-3
    step.view(-1)[5] = size
    above, below = (sentence_contrast_loss(*(views + sign * step), 0.5) for sign in (1, -1))
    sentence_contrast_loss(*views, 0.5).backward()
    assert views.grad.view(-1)[5].item() == pytest.approx((above - below).item() / (2 * size), abs=1e-3)


def test_padding_changes_nothing():
    model = bert().eval()
    longer = {name: torch.cat([value, torch.zeros(3, 2, dtype=torch.long)], 1) for name, value in BATCH.items()}
    torch.testing.assert_close(mean_of_hidden_states(model, **longer), mean_of_hidden_states(model, **BATCH))
    torch.testing.assert_close(SentenceContrast()(model, longer), SentenceContrast()(model, BATCH))


def test_a_padded_sentence_is_the_mean_of_its_own_tokens():
    model = bert().eval()
    alone = model(input_ids=BATCH["input_ids"][1:2, :3]).last_hidden_state.mean(1)
    torch.testing.assert_close(mean_of_hidden_states(model, **BATCH)[1:2], alone)


def test_dropout_makes_the_views():
    model = bert()
    without = SentenceContrast(1.0)(model.eval(), BATCH)["loss"]
    torch.testing.assert_close(without, SentenceContrast(1.0)(model, BATCH)["loss"])
    first, second = (SentenceContrast(1.0)(model.train(), BATCH)["loss"] for _ in range(2))
    assert len({first.item(), second.item(), without.item()}) == 3


def test_given_pairs_are_the_views():
    model = bert().eval()
    pairs = {name: torch.cat([value, value.flip(0)]) for name, value in BATCH.items()}
    found = SentenceContrast(0.5, paired=True)(model, pairs)
    vectors = mean_of_hidden_states(model, **BATCH)
    torch.testing.assert_close(found["loss"], sentence_contrast_loss(vectors, vectors.flip(0), 0.5))
    assert found["nearest"].item() == pytest.approx(1 / 3)  # of three the middle one is its own pair
