"""The attention equals the textbook, ignores padding, and always has somewhere to look."""

import pytest
import torch
from torch import nn

from mm_memgpt.layers.attention import Attention

torch.manual_seed(0)
X = torch.randn(2, 3, 8)  # b t d
CONTEXT = torch.randn(2, 5, 6)  # b m c
MASK = torch.tensor([[True, True, True, False, False], [True, False, True, True, True]])


def attention(**options) -> Attention:
    torch.manual_seed(1)
    layer = Attention(8, 2, context_width=6, **options)
    if layer.null is not None:
        nn.init.normal_(layer.null)
    return layer


def naive(layer: Attention, x: torch.Tensor, context: torch.Tensor, mask: torch.Tensor) -> tuple:
    """One row and head at a time, over the real places only: what is read and the weights, null first."""
    width, heads = 8, 2
    key_weight, value_weight = layer.key_value.weight.split(width)
    out, weights = torch.zeros(*x.shape), torch.zeros(len(x), heads, x.shape[1], 1 + context.shape[1])
    for b in range(len(x)):
        real = mask[b].nonzero().flatten()
        for h in range(heads):
            part = slice(h * width // heads, (h + 1) * width // heads)
            keys = torch.cat([layer.null[0, h], (context[b, real] @ key_weight.T)[:, part]])
            values = torch.cat([layer.null[1, h], (context[b, real] @ value_weight.T)[:, part]])
            for t in range(x.shape[1]):
                logits = keys @ (layer.query.weight @ x[b, t])[part] / (width / heads) ** 0.5
                share = logits.exp() / logits.exp().sum()
                out[b, t, part] = share @ values
                weights[b, h, t, torch.cat([torch.tensor([0]), 1 + real])] = share
    return out @ layer.output.weight.T, weights


def test_equals_a_naive_softmax():
    layer = attention()
    expected, weights = naive(layer, X, CONTEXT, MASK)
    torch.testing.assert_close(layer(X, CONTEXT, MASK), expected)
    torch.testing.assert_close(layer.weights(X, layer.project(CONTEXT), MASK), weights)


def test_a_context_projected_once_reads_the_same():
    layer = attention()
    projected = layer.project(CONTEXT)
    assert projected.shape == (2, 2, 2, 1 + 5, 4)
    assert torch.equal(layer.attend(X, projected, MASK), layer(X, CONTEXT, MASK))
    assert attention(null=False).project(CONTEXT).shape == (2, 2, 2, 5, 4)


@pytest.mark.parametrize("null", [True, False])
def test_padding_changes_nothing(null):
    layer = attention(null=null)
    padded = torch.cat([CONTEXT, 1e3 * torch.randn(2, 4, 6)], dim=1)
    mask = torch.cat([MASK, torch.zeros(2, 4, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(layer(X, padded, mask), layer(X, CONTEXT, MASK))


def test_not_even_nan_in_the_padding_survives_a_masked_projection():
    layer = attention()
    spoiled = CONTEXT.masked_fill(~MASK.unsqueeze(-1), torch.nan)
    read = layer.attend(X, layer.project(spoiled, MASK), MASK)
    torch.testing.assert_close(read, layer(X, CONTEXT, MASK))


def test_each_row_may_have_its_own_mask():
    layer = attention()
    rows = torch.rand(2, 3, 5) > 0.4
    together = layer(X, CONTEXT, rows)
    for t in range(3):
        torch.testing.assert_close(together[:, t : t + 1], layer(X[:, t : t + 1], CONTEXT, rows[:, t]))


def test_the_null_token_catches_an_all_masked_context():
    layer = attention()
    nothing = torch.zeros(2, 5, dtype=torch.bool)
    expected = layer.output(layer.null[1].flatten()).expand(2, 3, 8)
    torch.testing.assert_close(layer(X, CONTEXT, nothing), expected)


def test_without_null_a_row_with_nothing_to_look_at_reads_zero_and_has_finite_gradients():
    layer = attention(null=False)
    context = CONTEXT.clone().requires_grad_()
    mask = MASK.clone()
    mask[0] = False
    read = layer(X, context, mask)
    assert torch.equal(read[0], torch.zeros(3, 8))
    assert read[1].abs().min() > 0
    assert torch.equal(layer.weights(X, layer.project(context), mask)[0], torch.zeros(2, 3, 5))
    read.sum().backward()
    assert torch.equal(context.grad[0], torch.zeros(5, 6))
    assert context.grad[1].abs().sum() > 0
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


def test_weights_sum_to_one_and_are_zero_where_masked():
    layer = attention()
    weights = layer.weights(X, layer.project(CONTEXT), MASK)
    assert weights.shape == (2, 2, 3, 1 + 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 3))
    assert weights[0, :, :, 4:].abs().max() == 0
    torch.testing.assert_close(layer.weights(X, layer.project(CONTEXT)).sum(-1), torch.ones(2, 2, 3))


def test_zero_output_begins_at_zero_and_learns():
    layer = attention(zero_output=True)
    read = layer(X, CONTEXT, MASK)
    assert torch.equal(read, torch.zeros(2, 3, 8))
    read.sum().backward()
    assert layer.output.weight.grad.abs().max() > 0


def test_gradients_are_right_in_float64_and_reach_every_parameter():
    layer = attention().double()
    x, context = X.double().requires_grad_(), CONTEXT.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, context: layer(x, context, MASK), (x, context))
    layer(x, context, MASK).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in layer.parameters())


def test_bfloat16_stays_close_in_the_module_and_under_autocast():
    layer = attention()
    exact = layer(X, CONTEXT, MASK)
    with torch.autocast("cpu", torch.bfloat16):
        automatic = layer(X, CONTEXT, MASK)
        kept = layer.attend(X, layer.project(CONTEXT).float(), MASK)
    cast = layer.bfloat16()(X.bfloat16(), CONTEXT.bfloat16(), MASK)
    for read in (automatic, kept, cast):
        assert read.dtype == torch.bfloat16
        torch.testing.assert_close(read.float(), exact, atol=0.05, rtol=0.05)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match=r"width 12 is not divisible by heads 8; try heads=4"):
        Attention(12, 8)
