"""Tokens read the other modalities and never their own."""

import torch
from torch import nn

from mm_memgpt.fusion.cross_attention import CrossAttentionFusion

torch.manual_seed(0)
TOKENS = torch.randn(2, 4, 3, 8)  # b s p d
MODALITY = torch.tensor([[0, 1, 0, 2], [1, 1, 0, -1]])
MASK = torch.ones(2, 4, 3, dtype=torch.bool)
MASK[0, 1, 2] = MASK[1, 3] = False


def fusion(output: str = "random") -> CrossAttentionFusion:
    torch.manual_seed(1)
    layer = CrossAttentionFusion(8, 2)
    if output == "random":
        nn.init.normal_(layer.attention.output.weight)
        nn.init.normal_(layer.attention.null)
    return layer


def test_it_begins_as_identity_to_the_bit():
    assert torch.equal(fusion(output="zero")(TOKENS, MASK, MODALITY), TOKENS)


def test_a_token_reaches_exactly_the_real_tokens_of_other_modalities():
    layer = fusion()
    read = layer(TOKENS, MASK, MODALITY)
    for b in range(2):
        for s in range(4):
            changed = TOKENS.clone()
            changed[b, s, 2] = torch.randn(8)
            differs = (layer(changed, MASK, MODALITY) - read)[b].abs().amax(-1) > 1e-6  # (s, p)
            differs[s, 2] = False  # itself
            reached = (MODALITY[b] != MODALITY[b, s]).unsqueeze(-1) & MASK[b] & MASK[b, s, 2]
            assert torch.equal(differs, reached)


def test_each_modality_reads_as_if_asked_alone():
    layer = fusion()
    read = layer(TOKENS, MASK, MODALITY)
    x = layer.norm(TOKENS)
    images, rest = x[0, [0, 2]].reshape(1, -1, 8), x[0, [1, 3]].reshape(1, -1, 8)
    update = layer.attention(images, rest[:, MASK[0, [1, 3]].flatten()])
    torch.testing.assert_close(read[0, [0, 2]], TOKENS[0, [0, 2]] + update.reshape(2, 3, 8))


def test_alignment_is_the_mean_share_that_each_token_reads_of_each_other():
    layer = fusion()
    alignment = layer.alignment(TOKENS, MASK, MODALITY)
    assert alignment.shape == (2, 12, 12)
    kind, real = MODALITY.repeat_interleave(3, dim=1), MASK.flatten(1)
    readable = (kind.unsqueeze(2) != kind.unsqueeze(1)) & real.unsqueeze(1) & real.unsqueeze(2)
    assert torch.equal(alignment > 0, readable)
    x = layer.norm(TOKENS).flatten(1, 2)
    weights = layer.attention.weights(x, layer.attention.project(x), readable)
    torch.testing.assert_close((alignment.sum(-1) + weights[..., 0].mean(1))[real], torch.ones(int(real.sum())))


def test_one_photo_alone_reads_only_the_null_token():
    layer = fusion()
    photo = TOKENS[:, :1]
    read = layer(photo, MASK[:, :1], MODALITY[:, :1])
    nothing = layer.attention.output(layer.attention.null[1].flatten())
    torch.testing.assert_close(read, photo + nothing)
    assert layer.alignment(photo, MASK[:, :1], MODALITY[:, :1]).abs().max() == 0


def test_after_the_first_step_every_parameter_gets_a_gradient():
    layer = fusion()
    layer(TOKENS, MASK, MODALITY).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in layer.parameters())
