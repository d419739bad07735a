import torch

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.backbones.low_rank import adapt, merge


def test_low_rank_matrices_begin_as_nothing_learn_alone_and_merge_into_the_model(family, folder_of):
    backbone = build(folder_of(family))
    batch = backbone.processor([Inputs("the man rides"), Inputs("a dog")])
    before, names = backbone(batch).tokens, [name for name, _ in backbone.named_parameters()]
    adapt(backbone.modules_to_adapt, rank=2)
    torch.testing.assert_close(backbone(batch).tokens, before)
    learning = [value for value in backbone.parameters() if value.requires_grad]
    assert 0 < len(learning) < len(names) * 2
    assert all(2 in value.shape for value in learning)
    for value in learning:
        value.data.normal_(std=0.2, generator=torch.Generator().manual_seed(value.numel()))
    adapted = backbone(batch).tokens
    assert (adapted - before).abs().max() > 1e-3
    merge(backbone.modules_to_adapt)
    assert [name for name, _ in backbone.named_parameters()] == names
    torch.testing.assert_close(backbone(batch).tokens, adapted, atol=1e-5, rtol=1e-4)
