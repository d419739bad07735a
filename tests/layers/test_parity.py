"""Attention and gate equal PyTorch's own multi-head attention and the formulas written out."""

import pytest
import torch
from torch import Tensor, nn

from mm_memgpt.layers.attention import Attention
from mm_memgpt.layers.gate import GatedCrossAttention

torch.manual_seed(0)
X = torch.randn(2, 3, 8)  # b t d
CONTEXT = torch.randn(2, 5, 6)  # b m c
MASK = torch.tensor([[True, True, False, True, False], [False, False, False, True, True]])


def owner(layer: Attention) -> nn.MultiheadAttention:
    """PyTorch's attention with the same weights; what is null here is there a bias of keys and values, put last."""
    null = layer.null is not None
    theirs = nn.MultiheadAttention(8, layer.heads, bias=False, add_bias_kv=null, kdim=6, vdim=6, batch_first=True)
    with torch.no_grad():
        theirs.q_proj_weight.copy_(layer.query.weight)
        theirs.k_proj_weight.copy_(layer.key_value.weight[:8])
        theirs.v_proj_weight.copy_(layer.key_value.weight[8:])
        theirs.out_proj.weight.copy_(layer.output.weight)
        if null:
            theirs.bias_k.copy_(layer.null[0].reshape(1, 1, 8))
            theirs.bias_v.copy_(layer.null[1].reshape(1, 1, 8))
    return theirs


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "a mask"])
def test_attention_equals_that_of_pytorch(heads, null, mask):
    layer = Attention(8, heads, context_width=6, null=null)
    if null:
        nn.init.normal_(layer.null)
    hidden = None if mask is None else ~mask
    read, weights = owner(layer)(X, CONTEXT, CONTEXT, key_padding_mask=hidden, average_attn_weights=False)
    torch.testing.assert_close(layer(X, CONTEXT, mask), read)
    torch.testing.assert_close(layer.weights(X, layer.project(CONTEXT), mask), weights.roll(1, -1) if null else weights)


@pytest.mark.parametrize("alpha", [-0.7, 0.0, 1.3])
def test_gated_cross_attention_equals_its_formula_row_by_row(alpha):
    layer = GatedCrossAttention(8, 2, context_width=6, gate=alpha)
    for parameter in (layer.attention.null, layer.norm.weight, layer.norm.bias):
        nn.init.normal_(parameter)
    read = layer(X, layer.project(CONTEXT, MASK), MASK)
    for b in range(2):
        for t in range(3):
            torch.testing.assert_close(read[b, t], X[b, t] + torch.tensor(alpha).tanh() * update(layer, b, t))


def update(layer: GatedCrossAttention, b: int, t: int) -> Tensor:
    """CA(LN h, memory) of one word: its layer norm by hand, then each head over the null and the real places alone."""
    x, attention = X[b, t], layer.attention
    x = (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt() * layer.norm.weight + layer.norm.bias
    keys, values = (CONTEXT[b, MASK[b]] @ attention.key_value.weight.T).split(8, -1)
    heads = []
    for h, part in enumerate(torch.arange(8).split(4)):
        key = torch.cat([attention.null[0, h], keys[:, part]])
        value = torch.cat([attention.null[1, h], values[:, part]])
        share = (key @ (attention.query.weight @ x)[part] / 4**0.5).exp()
        heads.append(share @ value / share.sum())
    return attention.output.weight @ torch.cat(heads)
