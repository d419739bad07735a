"""Edges say how two slots relate, come from the state alone, and messages reach every token of a slot."""

import math

import pytest
import torch
from torch import nn

from mm_memgpt.fusion.graph import EDGE_KINDS, EDGE_WIDTH, GraphFusion, edge_features
from mm_memgpt.types import MIXED_SOURCE, MODALITIES, MemoryState

IMAGE, AUDIO, TEXT = range(len(MODALITIES))
LAST_YEAR = 1_760_000_000.0  # Unix time, where float32 steps are 128 s wide


def state_of(*slots: tuple[int, int, float, float, list[float]]) -> MemoryState:
    """Slots of (modality, source, start, end, key), p=2 tokens of width 4; then an empty slot, its time stale."""
    used = len(slots)
    modality, source, start, end, key = zip(
        *slots, (-1, MIXED_SOURCE, LAST_YEAR + 30, LAST_YEAR + 30, [0.0, 0.0, 0.0]), strict=True
    )
    count = torch.ones(1, used + 1, 2, dtype=torch.int64)
    count[:, used] = 0
    return MemoryState(
        sums=torch.randn(1, used + 1, 2, 4) * (count > 0).unsqueeze(-1),
        count=count,
        key_sums=torch.tensor([key]),
        items=count[..., 0],
        time=torch.tensor([[[*span] for span in zip(start, end, strict=True)]], dtype=torch.float64),
        modality=torch.tensor([modality]),
        source=torch.tensor([source]),
        arrival=torch.tensor([[*range(used), -1]]),
        similarity=torch.zeros(1, used + 1, used + 1),
    )


torch.manual_seed(0)
STATE = state_of(
    (IMAGE, 7, LAST_YEAR, LAST_YEAR, [1.0, 0.0, 0.0]),
    (AUDIO, 7, LAST_YEAR, LAST_YEAR + 1, [0.0, 2.0, 0.0]),
    (AUDIO, 8, LAST_YEAR + 1, LAST_YEAR + 2, [0.0, 0.0, 3.0]),
    (IMAGE, MIXED_SOURCE, LAST_YEAR + 60, LAST_YEAR + 60, [5.0, 1.0, 0.0]),
    (TEXT, MIXED_SOURCE, LAST_YEAR + 3600, LAST_YEAR + 3600, [0.0, 0.0, -1.0]),
)


def pairs(kind: str) -> set[tuple[int, int]]:
    edges, _ = edge_features(STATE)
    return {tuple(pair) for pair in edges[0, ..., EDGE_KINDS.index(kind)].nonzero().tolist()}


def both_ways(*pairs: tuple[int, int]) -> set[tuple[int, int]]:
    return {*pairs, *((j, i) for i, j in pairs)}


def test_next_is_whatever_begins_at_the_next_instant_and_previous_is_its_mirror():
    assert pairs("next") == {(0, 2), (1, 2), (2, 3), (3, 4)}
    assert pairs("previous") == {(j, i) for i, j in pairs("next")}


def test_slots_of_one_known_source_are_connected_and_mixed_ones_are_not():
    assert pairs("same source") == both_ways((0, 1))


def test_same_time_needs_a_shared_instant_and_two_modalities():
    assert pairs("same time") == both_ways((0, 1))


@pytest.mark.parametrize(
    ("modality", "second", "together"),
    [(IMAGE, 9.5, True), (IMAGE, 0.0, True), (IMAGE, 10.0, False), (TEXT, 9.5, False)],
)
def test_a_span_holds_its_start_and_not_its_end(modality, second, together):
    talk = state_of((TEXT, 0, 0.0, 10.0, [1.0, 0.0, 0.0]), (modality, 1, second, second, [0.0, 1.0, 0.0]))
    same_time = edge_features(talk)[0][0, ..., EDGE_KINDS.index("same time")]
    assert same_time[0, 1] == same_time[1, 0] == together


def test_similar_keys_are_connected_whatever_their_length():
    assert pairs("similar") == both_ways((0, 3))
    edges, _ = edge_features(STATE)
    torch.testing.assert_close(edges[0, 0, 3, -1].item(), 5 / math.sqrt(26))
    torch.testing.assert_close(edges[0, :, :, -1].diagonal(), torch.tensor([1.0] * 5 + [0.0]))


def test_time_distance_is_the_log_of_the_gap_to_the_second_in_unix_time():
    edges, _ = edge_features(STATE)
    distance = edges[0, :, :, -2]
    assert torch.equal(distance, distance.T)
    seconds = torch.expm1(distance)
    torch.testing.assert_close(seconds[0, :5], torch.tensor([0.0, 0.0, 1.0, 60.0, 3600.0]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(seconds[1, 2:4], torch.tensor([0.0, 59.0]), rtol=1e-4, atol=1e-4)


def test_slots_are_connected_by_any_kind_and_to_themselves_and_empty_ones_to_nothing():
    edges, adjacency = edge_features(STATE)
    kinds = ("next", "previous", "same source", "same time", "similar")
    expected = set().union(*(pairs(kind) for kind in kinds)) | {(i, i) for i in range(5)}
    assert {tuple(pair) for pair in adjacency[0].nonzero().tolist()} == expected
    assert edges.shape == (1, 6, 6, EDGE_WIDTH)
    assert edges[0, 5].abs().max() == edges[0, :, 5].abs().max() == 0


@pytest.mark.parametrize("weight", [True, 0.25])
def test_relations_connect_the_reader_to_the_read_and_carry_their_weight(weight):
    relations = torch.zeros(1, 6, 6, dtype=torch.tensor(weight).dtype)
    relations[0, 4, 0] = relations[0, 4, 5] = weight
    edges, adjacency = edge_features(STATE, relations)
    assert edges[0, 4, 0, EDGE_KINDS.index("relation")] == float(weight)
    assert adjacency[0, 4, 0]
    assert not adjacency[0, 0, 4]
    assert not adjacency[0, 4, 5]  # slot 5 is empty


def test_messages_that_say_how_slots_are_connected_begin_with_relations_from_outside_alone():
    torch.manual_seed(0)
    plain, marked = GraphFusion(8, 2), GraphFusion(8, 2, edge_values=True)
    marked.load_state_dict(plain.state_dict(), strict=False)
    for module in (plain, marked):
        nn.init.eye_(module.layers[0].output.weight)
    tokens, mask = torch.randn(1, 6, 3, 8), (STATE.items > 0).unsqueeze(-1).expand(1, 6, 3)
    given = torch.zeros(1, 6, 6)
    given[0, 4, 0] = 1
    without, related = edge_features(STATE), edge_features(STATE, given)
    assert torch.equal(plain(tokens, mask, *without), marked(tokens, mask, *without))
    changed = (plain(tokens, mask, *related) != marked(tokens, mask, *related)).any(-1).any(-1)
    assert changed[0].tolist() == [False] * 4 + [True, False]


def test_cosine_has_finite_gradients_beside_an_empty_slot():
    keys = STATE.key_sums.clone().requires_grad_()
    edge_features(STATE._replace(key_sums=keys))[0].sum().backward()
    assert keys.grad.isfinite().all()
    assert keys.grad[0, 0].abs().max() > 0
    assert keys.grad[0, 5].abs().max() == 0


def fusion(layers: int) -> GraphFusion:
    torch.manual_seed(1)
    graph = GraphFusion(4, 2, layers)
    for layer in graph.layers:
        nn.init.normal_(layer.output.weight)
    return graph


def test_each_real_token_gets_the_update_of_its_slots_mean_and_padding_gets_none():
    graph = fusion(1)
    edges, adjacency = edge_features(STATE)
    mask = STATE.count > 0
    mask[0, 2, 1] = False
    update = graph(STATE.sums, mask, edges, adjacency) - STATE.sums
    nodes = STATE.sums.mean(2)
    nodes[0, 2] = STATE.sums[0, 2, 0]
    expected = graph.layers[0](nodes, edges, adjacency) - nodes
    torch.testing.assert_close(update, expected.unsqueeze(2) * mask.unsqueeze(-1))
    assert (update.abs().amax(-1) > 0).tolist() == mask.tolist()


def test_two_layers_carry_a_message_two_edges_far():
    edges, adjacency = edge_features(STATE)
    changed = STATE.sums.clone()
    changed[0, 4] += 1  # 4 and 2 are joined only by way of 3
    for layers, reached in ((1, [False, False, False, True, True, False]), (2, [True, False, True, True, True, False])):
        before, after = (fusion(layers)(tokens, STATE.count > 0, edges, adjacency) for tokens in (STATE.sums, changed))
        assert (before != after).any(-1).any(-1)[0].tolist() == reached


def test_impossible_graphs_are_refused():
    with pytest.raises(ValueError, match=r"graph layers 3 must be at least 0 and at most 2; try layers=1"):
        GraphFusion(4, 2, 3)
    with pytest.raises(ValueError, match=r"relations \(1, 5, 5\) must be \(batch, slots, slots\) = \(1, 6, 6\)"):
        edge_features(STATE, torch.zeros(1, 5, 5))
