"""Fusion equals PyTorch Geometric's graph and an explicit loop over modalities, on memories as the bank leaves them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv

from mm_memgpt.fusion.cross_attention import CrossAttentionFusion
from mm_memgpt.fusion.graph import EDGE_WIDTH, GraphFusion, edge_features
from mm_memgpt.layers.message import MessagePassing
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import Features, MemoryState

B, N, S, P, D, K = 2, 9, 6, 3, 8, 5
BANK = MemoryBank(slots=S, ring=2, tokens=P, width=D, key_width=K)


def memory(seed: int) -> MemoryState:
    """Row 0 is full and has merged; row 1 holds three items, so half of its slots are empty."""
    random = torch.Generator().manual_seed(seed)
    mask = torch.rand(B, N, P, generator=random) < 0.6
    mask[..., 1] = True
    mask[1, 3:] = False
    start = torch.arange(N, dtype=torch.float64).expand(B, N) // 2
    features = Features(
        tokens=torch.randn(B, N, P, D, generator=random),
        mask=mask,
        key=nn.functional.normalize(torch.randn(B, N, K, generator=random), dim=-1),
        time=torch.stack([start, start + 0.5], -1),
        modality=torch.randint(0, 3, (B, N), generator=random),
        source=torch.randint(0, 2, (B, N), generator=random),
    )
    return BANK.write(BANK.empty(B), features)


def means(state: MemoryState) -> tuple[Tensor, Tensor]:
    tokens, mask = BANK.tokens(state)
    return tokens.unflatten(1, (S, P)), mask.unflatten(1, (S, P))


def owner(layer: MessagePassing) -> GATv2Conv:
    """PyTorch Geometric's layer with the same weights; it has one matrix for what scores a neighbour and is read."""
    theirs = GATv2Conv(D, D // layer.heads, layer.heads, edge_dim=EDGE_WIDTH, add_self_loops=False, bias=False)
    with torch.no_grad():
        layer.value.weight.copy_(layer.neighbour.weight)
        theirs.lin_r.weight.copy_(layer.reader.weight)
        theirs.lin_l.weight.copy_(layer.neighbour.weight)
        theirs.lin_edge.weight.copy_(layer.edge.weight)
        theirs.att.copy_(layer.score.unsqueeze(0))
    return theirs


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_the_graph_of_a_memory_equals_that_of_pytorch_geometric(heads, layers):
    graph, state = GraphFusion(D, heads, layers), memory(heads)
    owners = [owner(layer) for layer in graph.layers]
    for layer in graph.layers:
        nn.init.normal_(layer.output.weight, std=0.3)
    tokens, mask = means(state)
    edges, adjacency = edge_features(state)
    assert 1 < adjacency[0].sum() - S < S * (S - 1), "some slots should be connected and some not"
    fused = graph(tokens, mask, edges, adjacency)
    for b in range(B):
        used = (state.items[b] > 0).nonzero()[:, 0]  # PyTorch Geometric gets the used slots alone
        reader, neighbour = adjacency[b][used][:, used].nonzero().T
        features = edges[b, used[reader], used[neighbour]]
        expected = tokens[b, used].clone()
        for layer, theirs in zip(graph.layers, owners, strict=True):
            node = torch.stack([expected[i, mask[b, slot]].mean(0) for i, slot in enumerate(used)])
            heard = layer.output(theirs(node, torch.stack([neighbour, reader]), features))
            expected += heard.unsqueeze(1) * mask[b, used].unsqueeze(-1)
        torch.testing.assert_close(fused[b, used], expected, atol=1e-5, rtol=1e-5)


def read_by_modality(layer: CrossAttentionFusion, tokens: Tensor, mask: Tensor, modality: Tensor) -> Tensor:
    """One row (s, p, d) with loops: the real tokens of each modality read the null and those of the others."""
    fused, attention = tokens.clone(), layer.attention
    size = D // attention.heads
    for kind in set(modality.tolist()):
        mine = mask & (modality == kind).unsqueeze(-1)
        theirs = mask & (modality != kind).unsqueeze(-1)
        query = layer.norm(tokens[mine]) @ attention.query.weight.T
        keys, values = (layer.norm(tokens[theirs]) @ attention.key_value.weight.T).split(D, -1)
        read = []
        for h in range(attention.heads):
            part = slice(h * size, (h + 1) * size)
            key = torch.cat([attention.null[0, h], keys[:, part]])
            value = torch.cat([attention.null[1, h], values[:, part]])
            read.append((query[:, part] @ key.T / size**0.5).softmax(-1) @ value)
        fused[mine] += torch.cat(read, -1) @ attention.output.weight.T
    return fused


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), heads=st.sampled_from([1, 2, 4]))
def test_cross_attention_equals_a_loop_over_modalities(seed, heads):
    torch.manual_seed(seed)
    layer, state = CrossAttentionFusion(D, heads), memory(seed)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    tokens, mask = means(state)
    fused = layer(tokens, mask, state.modality)
    for b in range(B):
        expected = read_by_modality(layer, tokens[b], mask[b], state.modality[b])
        torch.testing.assert_close(fused[b], expected, atol=1e-5, rtol=1e-5)
