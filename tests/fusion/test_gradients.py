"""The gradients of fusion are those of its formulas, in float64, from a memory's tensors to all that comes out.

Notable: gradcheck moves its inputs in place, so a module's own parameters are checked by handing them over beside the
inputs; projections that begin at zero are given weights first, because a zero hides what lies behind it.

b batch   s slots   p tokens per slot   d width   k key width
"""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from mm_memgpt.fusion.cross_attention import CrossAttentionFusion
from mm_memgpt.fusion.fuser import MultimodalFuser
from mm_memgpt.fusion.graph import GraphFusion, edge_features
from mm_memgpt.types import MIXED_SOURCE, MemoryState

B, S, P, D, K = 2, 4, 2, 4, 3


def with_weights(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.7)
    return module.double()


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def together(*parts: Tensor) -> Tensor:
    """One output, since gradcheck passes over one of several that has no gradient."""
    return torch.cat([part.flatten() for part in parts])


def memory() -> MemoryState:
    """Two rows of slots: merged ones, one with a token missing, and in the second row an empty one."""
    count = torch.tensor([[[3, 3], [1, 0], [2, 1], [1, 1]], [[1, 1], [0, 0], [4, 2], [1, 0]]])
    used = (count > 0).any(-1)
    start = torch.tensor([[0.0, 2.0, 2.0, 60.0], [5.0, 0.0, 5.0, 9.0]], dtype=torch.float64)
    return MemoryState(
        sums=(torch.randn(B, S, P, D, dtype=torch.float64) * (count > 0).unsqueeze(-1)).requires_grad_(),
        count=count,
        key_sums=(torch.randn(B, S, K, dtype=torch.float64) * used.unsqueeze(-1)).requires_grad_(),
        items=count.amax(-1),
        time=torch.stack([start, start + 1], -1),
        modality=torch.tensor([[0, 1, 0, 2], [0, -1, 1, 1]]),
        source=torch.tensor([[0, 1, MIXED_SOURCE, 1], [2, MIXED_SOURCE, 2, 0]]),
        arrival=torch.tensor([[3, 1, 7, 2], [4, -1, 3, 8]]),
        similarity=torch.zeros(B, S, S, dtype=torch.float64),
    )


def test_edges_from_the_keys_and_from_weighted_relations():
    state, relations = memory(), leaf(B, S, S)
    used = (state.items > 0).nonzero(as_tuple=True)

    def edges(keys: Tensor, relations: Tensor) -> Tensor:
        key_sums = torch.zeros(B, S, K, dtype=torch.float64).index_put(used, keys)  # an empty slot has no key to move
        return edge_features(state._replace(key_sums=key_sums), relations)[0]

    assert gradcheck(edges, (state.key_sums.detach()[used].requires_grad_(), relations))


@pytest.mark.parametrize("layers", [1, 2])
def test_graph(layers):
    state, graph = memory(), with_weights(GraphFusion(D, 2, layers))
    edges, adjacency = (part.detach() for part in edge_features(state))
    edges.requires_grad_()
    inputs = (state.sums, edges, *graph.parameters())
    assert gradcheck(lambda *_: graph(state.sums, state.count > 0, edges, adjacency), inputs)


def test_cross_attention_and_its_alignment():
    state, fusion = memory(), with_weights(CrossAttentionFusion(D, 2))
    mask = state.count > 0
    assert gradcheck(
        lambda *_: fusion(state.sums, mask, state.modality), (state.sums, *fusion.parameters()), fast_mode=True
    )
    asked = [parameter for name, parameter in fusion.named_parameters() if name != "attention.output.weight"]
    assert gradcheck(
        lambda *_: fusion.alignment(state.sums, mask, state.modality), (state.sums, *asked), fast_mode=True
    )


def test_the_whole_fuser_from_tokens_relations_and_parameters_to_all_it_returns():
    state, relations = memory(), leaf(B, S, S)
    fuser = with_weights(MultimodalFuser(D, 2, graph_layers=2))

    def fuse(*_: Tensor) -> Tensor:
        fused = fuser(state, relations, alignment=True)
        return together(fused.tokens, fused.readout, fused.alignment)

    assert gradcheck(fuse, (state.sums, relations, *fuser.parameters()), fast_mode=True)


def test_the_fuser_alone_from_the_tokens_of_any_model():
    fuser = with_weights(MultimodalFuser(D, 2))
    image, audio = leaf(B, 3, D), leaf(B, 2, D)
    masks = {"audio": torch.tensor([[True, False], [False, False]])}

    def fuse(image: Tensor, audio: Tensor, *_: Tensor) -> Tensor:
        fused = fuser.fuse({"image": image, "audio": audio}, masks)
        return together(fused.tokens, fused.readout)

    assert gradcheck(fuse, (image, audio, *fuser.parameters()), fast_mode=True)
