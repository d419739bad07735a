"""A closed gate changes nothing, and still learns to open."""

import pytest
import torch

from mm_memgpt.layers.gate import Gate, GatedCrossAttention

torch.manual_seed(0)
H = torch.randn(2, 3, 8)  # b t d
MEMORY = torch.randn(2, 5, 6)  # b m c
MASK = torch.tensor([[True, True, False, True, False], [False] * 5])


def gated(gate: float) -> GatedCrossAttention:
    torch.manual_seed(1)
    return GatedCrossAttention(8, 2, context_width=6, gate=gate)


def test_a_gate_scales_by_the_tanh_of_its_one_parameter():
    gate = Gate(0.5)
    assert sum(parameter.numel() for parameter in gate.parameters()) == 1
    torch.testing.assert_close(gate(H), 0.46211716 * H)
    assert gate(H.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_at_gate_zero_the_output_is_the_input_to_the_bit(dtype):
    layer = gated(0.0).to(dtype)
    h = H.to(dtype)
    output = layer(h, layer.project(MEMORY.to(dtype)), MASK)
    assert output.dtype == dtype
    assert torch.equal(output, h)


def test_autocast_keeps_the_dtype_of_the_stream():
    layer = gated(0.5)
    with torch.autocast("cpu", torch.bfloat16):
        projected = layer.project(MEMORY)
        assert layer(H, projected, MASK).dtype == torch.float32
        assert layer(H.bfloat16(), projected, MASK).dtype == torch.bfloat16


def test_at_gate_zero_the_gradient_reaches_only_the_gate():
    layer, memory = gated(0.0), MEMORY.clone().requires_grad_()
    layer(H, layer.project(memory), MASK).square().sum().backward()
    reached = {name for name, parameter in layer.named_parameters() if parameter.grad.abs().max() > 0}
    assert reached == {"gate.alpha"}
    assert memory.grad.abs().max() == 0


def test_at_gate_one_half_the_gradient_reaches_the_memory_and_every_parameter():
    layer, memory = gated(0.5), MEMORY.clone().requires_grad_()
    torch.nn.init.normal_(layer.attention.null)
    layer(H, layer.project(memory), MASK).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in layer.parameters())
    assert (memory.grad.abs().amax(-1) > 0).tolist() == MASK.tolist()


def test_an_open_gate_reads_the_real_memory_and_not_the_padding():
    layer = gated(0.5)
    read = layer(H, layer.project(MEMORY), MASK)
    other = MEMORY.masked_fill(~MASK.unsqueeze(-1), 1e3)
    torch.testing.assert_close(layer(H, layer.project(other), MASK), read)
    changed = MEMORY.clone()
    changed[0, 1] += 1
    assert not torch.allclose(layer(H, layer.project(changed), MASK)[0], read[0])


def test_dropout_falls_on_the_update_and_never_on_the_stream():
    torch.manual_seed(2)
    layer = GatedCrossAttention(8, 2, context_width=6, gate=0.5, dropout=0.5)
    torch.nn.init.normal_(layer.attention.null)
    projected = layer.project(MEMORY)
    kept = layer(H, projected, MASK) == H
    assert 0 < kept.float().mean() < 1
    layer.eval()
    assert not (layer(H, projected, MASK) == H).any()
