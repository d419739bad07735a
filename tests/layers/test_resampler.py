"""The resampler begins as identity and learns to look at the grid."""

import torch

from mm_memgpt.layers.resampler import Resampler

torch.manual_seed(0)
TOKENS = torch.randn(2, 3, 8)  # b p d
GRID = torch.randn(2, 5, 8)  # b g d
MASK = torch.tensor([[True] * 5, [True, True, True, False, False]])


def step(resampler: Resampler) -> None:
    optimiser = torch.optim.SGD(resampler.parameters(), lr=0.1)
    optimiser.zero_grad()
    resampler(TOKENS, GRID, MASK).square().sum().backward()
    optimiser.step()


def test_it_begins_as_identity_to_the_bit():
    resampler = Resampler(8, 2)
    assert torch.equal(resampler(TOKENS, GRID), TOKENS)
    assert torch.equal(resampler.bfloat16()(TOKENS.bfloat16(), GRID.bfloat16(), MASK), TOKENS.bfloat16())


def test_after_one_step_every_parameter_gets_a_gradient():
    resampler = Resampler(8, 2)
    step(resampler)
    assert not torch.equal(resampler(TOKENS, GRID, MASK), TOKENS)
    step(resampler)
    assert {name: parameter.grad.abs().max() > 0 for name, parameter in resampler.named_parameters()} == {
        name: True for name, _ in resampler.named_parameters()
    }


def test_it_reads_the_real_grid_and_not_the_padding():
    resampler = Resampler(8, 2)
    step(resampler)
    read = resampler(TOKENS, GRID, MASK)
    padding = GRID.masked_fill(~MASK.unsqueeze(-1), 1e3)
    torch.testing.assert_close(resampler(TOKENS, padding, MASK), read)
    assert not torch.allclose(resampler(TOKENS, GRID.flip(-1), MASK), read)
