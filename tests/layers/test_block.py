"""Tokens of one sequence read each other, and where they stand is a wave of each frequency."""

import math

import torch

from mm_memgpt.layers.block import SelfAttentionBlock
from mm_memgpt.layers.position import sinusoidal_positions


def test_every_token_reads_every_real_one_and_no_padding():
    block = SelfAttentionBlock(8, heads=2).eval()
    x = torch.randn(1, 4, 8, requires_grad=True)
    block(x, torch.tensor([[True, True, True, False]]))[0, 0].sum().backward()
    assert x.grad[0, :3].any(-1).tolist() == [True, True, True]
    assert not x.grad[0, 3].any()


def test_without_what_it_adds_it_is_the_identity():
    block = SelfAttentionBlock(8, heads=2, dropout=0.5).train()
    torch.nn.init.zeros_(block.attention.output.weight)
    torch.nn.init.zeros_(block.mlp[-1].weight)
    torch.nn.init.zeros_(block.mlp[-1].bias)
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(block(x), x)


def test_positions_are_the_paper_s_waves():
    got = sinusoidal_positions(50, 6)
    for place in (0, 1, 49):
        angles = [place / 10_000 ** (2 * i / 6) for i in range(3)]
        due = [*map(math.sin, angles), *map(math.cos, angles)]
        torch.testing.assert_close(got[place], torch.tensor(due))
    assert sinusoidal_positions(4, 5).shape == (4, 5)
    torch.testing.assert_close(sinusoidal_positions(4, 6), got[:4])
