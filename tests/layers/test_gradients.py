"""The gradients of every layer are those of its formula, in float64, for inputs and for parameters.

Notable: gradcheck moves its inputs in place, so a layer's own parameters are checked by handing them over beside the
inputs; the layers are given weights first, because several begin at zero and a zero hides what lies behind it.

b batch   t length of x   m length of the context   s nodes   d width   c context width   e edge features
"""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from mm_memgpt.layers.attention import Attention
from mm_memgpt.layers.gate import Gate, GatedCrossAttention
from mm_memgpt.layers.message import MessagePassing
from mm_memgpt.layers.resampler import Resampler

B, T, M, D, C = 2, 3, 4, 6, 5
ROWS = torch.tensor([[True, False, True, True], [False] * 4])  # the second row of the batch has nothing to look at
PAIRS = torch.tensor([[[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], [[0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]]).bool()
MASKS = {"no mask": None, "a mask a row": ROWS, "a mask a token": PAIRS}


def with_weights(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.7)
    return layer.double()


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_attention(null, mask):
    layer = with_weights(Attention(D, 2, context_width=C, null=null))
    x, context = leaf(B, T, D), leaf(B, M, C)
    assert gradcheck(lambda *_: layer(x, context, mask), (x, context, *layer.parameters()))


@pytest.mark.parametrize("null", [True, False])
def test_the_weights_of_attention(null):
    layer = with_weights(Attention(D, 2, context_width=C, null=null))
    x, context = leaf(B, T, D), leaf(B, M, C)
    learned = [parameter for name, parameter in layer.named_parameters() if name != "output.weight"]
    assert gradcheck(lambda *_: layer.weights(x, layer.project(context), PAIRS), (x, context, *learned))


def test_attention_to_a_masked_projection():
    layer = with_weights(Attention(D, 2, context_width=C))
    x, context = leaf(B, T, D), leaf(B, M, C)
    assert gradcheck(lambda *_: layer.attend(x, layer.project(context, ROWS), ROWS), (x, context, *layer.parameters()))


def test_keys_and_values_carried_as_one_tensor_to_several_readers_and_beams():
    layers = nn.ModuleList(with_weights(GatedCrossAttention(D, 2, context_width=C, gate=0.5)) for _ in range(2))
    h, memory, beams = leaf(2 * B, T, D), leaf(B, M, C), ROWS.repeat_interleave(2, dim=0)

    def write(projected: Tensor) -> Tensor:
        words = h
        for index, carried in enumerate(projected.repeat_interleave(2, dim=0).unbind(1)):
            words = layers[index](words, carried, beams)
        return words

    def project_and_write(*_: Tensor) -> Tensor:
        return write(torch.stack([layer.project(memory, ROWS) for layer in layers], dim=1))

    assert gradcheck(project_and_write, (h, memory, *layers.parameters()))
    assert gradcheck(write, (leaf(B, 2, 2, 2, 1 + M, D // 2),))  # (b, layers, 2, heads, 1+m, head width)


def test_gate():
    gate, update = Gate(0.3).double(), leaf(B, T, D)
    assert gradcheck(lambda *_: gate(update), (update, *gate.parameters()))


@pytest.mark.parametrize("alpha", [0.0, 0.5, -2.0])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_gated_cross_attention(alpha, mask):
    layer = with_weights(GatedCrossAttention(D, 2, context_width=C))
    nn.init.constant_(layer.gate.alpha, alpha)
    h, memory = leaf(B, T, D), leaf(B, M, C)
    assert gradcheck(lambda *_: layer(h, layer.project(memory), mask), (h, memory, *layer.parameters()))


@pytest.mark.parametrize("mask", [None, ROWS], ids=["no mask", "a mask a row"])
def test_resampler(mask):
    layer = with_weights(Resampler(4, 2))
    tokens, grid = leaf(B, T, 4), leaf(B, M, 4)
    assert gradcheck(lambda *_: layer(tokens, grid, mask), (tokens, grid, *layer.parameters()))


@pytest.mark.parametrize("heads", [1, 3])
def test_message_passing(heads):
    layer = with_weights(MessagePassing(D, heads, edge_width=2))
    x, edges = leaf(B, 4, D), leaf(B, 4, 4, 2)
    adjacency = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]]).bool().expand(B, 4, 4)
    assert gradcheck(lambda *_: layer(x, edges, adjacency), (x, edges, *layer.parameters()))
