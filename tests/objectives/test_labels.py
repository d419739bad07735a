import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification

from mm_memgpt.objectives.labels import (
    IGNORED,
    brier,
    cross_entropy,
    loss_of,
    mean_squared_error,
    negative_log_likelihood,
)

OUTPUTS = torch.randn(5, 3, generator=torch.Generator().manual_seed(4))
LABELS = torch.tensor([0, 2, 1, 1, 0])
WEIGHTS = torch.tensor([1.0, 3.0, 0.5])
TINY = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 20}


def test_cross_entropy_is_that_of_transformers_classifiers_and_taggers():
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    whole = BertForSequenceClassification(BertConfig(**TINY, num_labels=3)).eval()
    found = whole(ids, labels=torch.tensor([2, 0]))
    torch.testing.assert_close(cross_entropy(found.logits, torch.tensor([2, 0])), found.loss)
    tags = torch.tensor([[0, IGNORED, 2], [1, 1, IGNORED]])
    each = BertForTokenClassification(BertConfig(**TINY, num_labels=3)).eval()(ids, labels=tags)
    torch.testing.assert_close(cross_entropy(each.logits, tags), each.loss)


def test_mean_squared_error_is_that_of_transformers_regression():
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    targets = torch.tensor([0.3, -2.0])
    found = BertForSequenceClassification(BertConfig(**TINY, num_labels=1)).eval()(ids, labels=targets)
    torch.testing.assert_close(mean_squared_error(found.logits.squeeze(1), targets), found.loss)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_negative_log_likelihood_of_log_probabilities_is_the_cross_entropy(weights):
    found = negative_log_likelihood(OUTPUTS.log_softmax(-1), LABELS, weights)
    torch.testing.assert_close(found, cross_entropy(OUTPUTS, LABELS, weights))
    torch.testing.assert_close(loss_of("negative_log_likelihood", weights, 0.0)(OUTPUTS, LABELS), found)


def test_weights_and_smoothing_are_as_written():
    each = -OUTPUTS.log_softmax(-1)
    own = each[torch.arange(5), LABELS]
    expected = (WEIGHTS[LABELS] * own).sum() / WEIGHTS[LABELS].sum()
    torch.testing.assert_close(cross_entropy(OUTPUTS, LABELS, WEIGHTS), expected)
    torch.testing.assert_close(cross_entropy(OUTPUTS, LABELS, smoothing=0.3), (0.7 * own + 0.3 * each.mean(-1)).mean())


def test_the_squared_error_of_probabilities_is_least_where_they_are_right():
    sure = torch.eye(3)[LABELS] * 50
    assert brier(sure, LABELS).item() == pytest.approx(0, abs=1e-6)
    assert brier(-sure, LABELS) > brier(torch.zeros(5, 3), LABELS) > 0


@pytest.mark.parametrize("name", ["cross_entropy", "negative_log_likelihood", "mean_squared_error"])
def test_gradients_are_right(name):
    outputs = OUTPUTS.double().requires_grad_()
    loss = loss_of(name, None, 0.0)
    step = 1e-2  # it is computed in float32, whatever comes in
    loss(outputs, LABELS).backward()
    for place in [(0, 0), (3, 2)]:
        up, down = OUTPUTS.clone(), OUTPUTS.clone()
        up[place] += step
        down[place] -= step
        slope = (loss(up, LABELS) - loss(down, LABELS)) / (2 * step)
        assert outputs.grad[place].item() == pytest.approx(slope.item(), abs=2e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("hinge", None, 0.0), "loss 'hinge' is unknown; known: cross_entropy, negative_log_likelihood, mean_squared"),
        (("mean_squared_error", None, 0.1), "loss 'mean_squared_error' takes no smoothing"),
    ],
)
def test_a_loss_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        loss_of(*settings)
