"""Message passing equals PyTorch Geometric's GATv2, keeps to its edges, and begins as identity."""

import pytest
import torch
from torch import nn
from torch_geometric.nn import GATv2Conv

from mm_memgpt.layers.message import MessagePassing

torch.manual_seed(0)
X = torch.randn(2, 5, 8)  # b s d
EDGES = torch.randn(2, 5, 5, 3)  # b s s e
ADJACENCY = torch.rand(2, 5, 5) > 0.5


def layer(output: str = "random") -> MessagePassing:
    torch.manual_seed(1)
    passing = MessagePassing(8, 2, edge_width=3)
    if output == "random":
        nn.init.normal_(passing.output.weight)
    return passing


def test_what_a_node_receives_is_shared_out_among_its_edges_and_itself():
    shares = layer().shares(X, EDGES, ADJACENCY)
    assert shares.shape == (2, 2, 5, 5)  # b h s s
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 2, 5))
    assert torch.equal(shares[:, 0] > 0, ADJACENCY | torch.eye(5, dtype=torch.bool))


def test_equals_gatv2_of_pytorch_geometric():
    passing = layer()
    nn.init.eye_(passing.output.weight)
    passing.value = passing.neighbour  # GATv2Conv has one linear for what scores and what is read
    owner = GATv2Conv(8, 4, heads=2, edge_dim=3, add_self_loops=False, bias=False, share_weights=False)
    with torch.no_grad():
        owner.lin_r.weight.copy_(passing.reader.weight)
        owner.lin_l.weight.copy_(passing.neighbour.weight)
        owner.lin_edge.weight.copy_(passing.edge.weight)
        owner.att.copy_(passing.score.unsqueeze(0))
    read = passing(X, EDGES, ADJACENCY)
    for b in range(2):
        reader, neighbour = (ADJACENCY[b] | torch.eye(5, dtype=torch.bool)).nonzero().T
        expected = owner(X[b], torch.stack([neighbour, reader]), EDGES[b, reader, neighbour])
        torch.testing.assert_close(read[b], X[b] + expected, atol=1e-5, rtol=1e-5)


def test_it_begins_as_identity_to_the_bit_and_learns():
    passing = layer(output="zero")
    update = passing(X, EDGES, ADJACENCY)
    assert torch.equal(update, X)
    update.square().sum().backward()
    assert passing.output.weight.grad.abs().max() > 0


def with_edge_values(filled: bool = True) -> MessagePassing:
    torch.manual_seed(1)
    passing = MessagePassing(8, 2, edge_width=3, edge_values=True)
    nn.init.normal_(passing.output.weight)
    if filled:
        nn.init.normal_(passing.edge_value.weight)
    return passing


def test_a_message_says_how_two_are_related_where_it_is_to():
    passing = with_edge_values()
    shares, value = passing.shares(X, EDGES, ADJACENCY), passing.value(X)
    received = torch.zeros_like(X)
    for b, i, j in torch.cartesian_prod(torch.arange(2), torch.arange(5), torch.arange(5)).tolist():
        said = value[b, j] + passing.edge_value.weight @ EDGES[b, i, j]
        received[b, i] += torch.cat([shares[b, h, i, j] * said[4 * h : 4 * h + 4] for h in range(2)])
    torch.testing.assert_close(passing(X, EDGES, ADJACENCY), X + passing.output(received), atol=1e-5, rtol=1e-5)


def test_what_edges_say_begins_at_nothing_and_leaves_all_else_as_it_would_be():
    assert torch.equal(with_edge_values(filled=False)(X, EDGES, ADJACENCY), layer()(X, EDGES, ADJACENCY))


def test_a_message_arrives_exactly_where_there_is_an_edge():
    passing = layer()
    read = passing(X, EDGES, ADJACENCY)
    for sender in range(5):
        changed = X.clone()
        changed[:, sender] += 1
        differs = (passing(changed, EDGES, ADJACENCY) != read).any(-1)  # (b, s)
        reached = ADJACENCY[:, :, sender].clone()
        reached[:, sender] = True
        assert torch.equal(differs, reached)


def test_without_edges_a_node_hears_only_itself():
    passing = layer()
    alone = passing(X, EDGES, torch.zeros(2, 5, 5, dtype=torch.bool))
    torch.testing.assert_close(alone, X + passing.output(passing.value(X)))


def test_features_of_an_absent_edge_change_nothing():
    passing = layer()
    absent = ~(ADJACENCY | torch.eye(5, dtype=torch.bool)).unsqueeze(-1)
    read = passing(X, EDGES, ADJACENCY)
    torch.testing.assert_close(passing(X, EDGES.masked_fill(absent, 1e3), ADJACENCY), read)
    assert not torch.allclose(passing(X, EDGES.masked_fill(~absent, 1e3), ADJACENCY), read)


def test_the_order_of_the_nodes_changes_nothing():
    passing, order = layer(), torch.tensor([3, 0, 4, 1, 2])
    shuffled = passing(X[:, order], EDGES[:, order][:, :, order], ADJACENCY[:, order][:, :, order])
    torch.testing.assert_close(shuffled, passing(X, EDGES, ADJACENCY)[:, order])


def test_gradients_are_right_in_float64_and_reach_every_parameter():
    passing = layer().double()
    x, edges = X.double().requires_grad_(), EDGES.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, edges: passing(x, edges, ADJACENCY), (x, edges))
    passing(x, edges, ADJACENCY).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in passing.parameters())


def test_autocast_keeps_the_dtype_of_the_nodes():
    with torch.autocast("cpu", torch.bfloat16):
        read = layer()(X, EDGES, ADJACENCY)
    assert read.dtype == torch.float32
    torch.testing.assert_close(read, layer()(X, EDGES, ADJACENCY), atol=0.1, rtol=0.05)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match=r"width 12 is not divisible by heads 8; try heads=4"):
        MessagePassing(12, 8, edge_width=3)
