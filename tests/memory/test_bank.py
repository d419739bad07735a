"""The bank stays small, keeps everything in sum, keeps what is rare apart, and lets gradients through."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import MIXED_SOURCE, Features, MemoryState

B, S, R, P, D, K = 2, 7, 2, 3, 4, 5
SIZES = {"slots": S, "ring": R, "tokens": P, "width": D, "key_width": K}
BANK = MemoryBank(**SIZES)


def cut(features: Features, *parts: slice | list[int]) -> list[Features]:
    return [Features(*(field[:, part] for field in features)) for part in parts]


def assert_equal(one: MemoryState, other: MemoryState) -> None:
    for name, tensor in one._asdict().items():
        assert torch.equal(tensor, getattr(other, name)), name


def of_keys(*keys: list[float], modality: list[int] | None = None) -> Features:
    """One row of items with these keys; item i has one token full of i + 1, source i, and second i."""
    n = len(keys)
    index = torch.arange(n)
    mask = torch.zeros(1, n, P, dtype=torch.bool)
    mask[..., 0] = True
    return Features(
        tokens=(index + 1.0).view(1, n, 1, 1).expand(1, n, P, D),
        mask=mask,
        key=torch.tensor([keys]),
        time=torch.stack((index, index + 1), -1).double().unsqueeze(0),
        modality=torch.tensor([modality or [0] * n]),
        source=index.unsqueeze(0),
    )


def test_a_short_stream_lies_in_the_ring_as_it_came(stream):
    features = stream(B, R, P, D, K, padding=0.0)
    state = BANK.write(BANK.empty(B), features)
    assert torch.equal(state.sums[:, :R], features.tokens.masked_fill(~features.mask.unsqueeze(-1), 0))
    assert torch.equal(state.count[:, :R], features.mask.long())
    assert torch.equal(state.key_sums[:, :R], features.key)
    for name in ("time", "modality", "source"):
        assert torch.equal(getattr(state, name)[:, :R], getattr(features, name)), name
    assert state.arrival.tolist() == [[0, 1, -1, -1, -1, -1, -1]] * B
    assert_equal(MemoryState(*(field[:, R:] for field in state[:-1]), state.similarity), empty_pool())


def empty_pool() -> MemoryState:
    *fields, similarity = BANK.empty(B)
    return MemoryState(*(field[:, R:] for field in fields), similarity)


def test_the_last_r_items_stay_in_the_ring_however_long_the_stream(stream):
    features = stream(B, 23, P, D, K, padding=0.0)
    state = BANK.write(BANK.empty(B), features)
    order = state.arrival[:, :R].argsort()
    assert state.arrival[:, :R].sort().values.tolist() == [[21, 22]] * B
    assert torch.equal(state.key_sums[:, :R].gather(1, order.unsqueeze(-1).expand(-1, -1, K)), features.key[:, -R:])
    assert (state.items[:, :R] == 1).all()


def test_the_most_similar_pair_merges_wherever_in_time_it_is():
    east, north, up, down, west = (
        [1.0, 0, 0, 0, 0],
        [0, 1.0, 0, 0, 0],
        [0, 0, 1.0, 0, 0],
        [0, 0, 0, 1.0, 0],
        [0] * 4 + [1.0],
    )
    state = BANK.write(BANK.empty(), of_keys(east, north, up, down, [0.8, 0.6, 0, 0, 0], west, west, west))
    # the pool of 5 is full of items 0 to 4 when item 5 arrives in it: 0 and 4 merge, though far apart in time
    assert state.items[0, R:].tolist() == [2, 1, 1, 1, 1]
    assert state.sums[0, R:, 0, 0].tolist() == [1 + 5, 2, 3, 4, 6]
    assert state.count[0, R:, 0].tolist() == [2, 1, 1, 1, 1]
    assert state.time[0, R].tolist() == [0, 5]
    assert state.source[0, R:].tolist() == [MIXED_SOURCE, 1, 2, 3, 5]
    assert state.arrival[0].tolist() == [6, 7, 4, 1, 2, 3, 5]
    torch.testing.assert_close(state.similarity[0, R, R + 1].item(), 0.6 / (1.8**2 + 0.6**2) ** 0.5)


def test_the_newcomer_itself_may_merge():
    east, north, up, down, west = torch.eye(5).tolist()
    state = BANK.write(BANK.empty(), of_keys(east, north, up, down, west, north, east, east))
    assert state.sums[0, R:, 0, 0].tolist() == [1, 2 + 6, 3, 4, 5]


def test_a_pair_of_two_modalities_never_merges():
    east, north, up, down, west = torch.eye(5).tolist()
    keys = (east, east, north, up, down, west, west, west)
    state = BANK.write(BANK.empty(), of_keys(*keys, modality=[0, 1, 2, 0, 0, 1, 1, 1]))
    assert state.sums[0, R:, 0, 0].tolist() == [1 + 4, 2, 3, 6, 5]  # all of one modality are at 0: the lowest merge
    assert state.modality[0, R:].tolist() == [0, 1, 2, 1, 0]


def test_of_equal_pairs_the_lowest_slots_merge():
    state = BANK.write(BANK.empty(), of_keys(*[[0, 1.0, 0, 0, 0]] * 13))
    assert state.items.tolist() == [[1, 1, 7, 1, 1, 1, 1]]
    assert state.arrival.tolist() == [[12, 11, 9, 10, 2, 3, 4]]


def test_a_source_is_kept_while_it_is_the_only_one():
    features = of_keys(*[[0, 1.0, 0, 0, 0]] * 13)
    state = BANK.write(BANK.empty(), features._replace(source=torch.full((1, 13), 3)))
    assert state.source.tolist() == [[3] * S]


def test_two_writes_are_one_write(stream):
    features = stream(B, 30, P, D, K, dtype=torch.float64)
    features = features._replace(tokens=features.tokens.half())  # half-precision tokens add up exactly in float64
    for at in (1, 8, 29):
        first, second = cut(features, slice(at), slice(at, None))
        empty = BANK.empty(B, dtype=torch.float64)
        assert_equal(BANK.write(BANK.write(empty, first), second), BANK.write(empty, features))


def test_however_a_stream_is_cut_the_choices_are_the_same_in_single_precision(stream):
    features = stream(B, 60, P, D, K)
    once = BANK.write(BANK.empty(B), features)
    each = BANK.empty(B)
    for item in cut(features, *(slice(i, i + 1) for i in range(60))):
        each = BANK.write(each, item)
    torch.testing.assert_close(once.sums, each.sums)
    assert_equal(once._replace(sums=each.sums), each)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(0, 25), padding=st.sampled_from([0.0, 0.4, 1.0]))
def test_whatever_comes_is_all_there_in_bounded_room(stream, seed, n, padding):
    features = stream(B, n, P, D, K, seed=seed, padding=padding)
    state = BANK.write(BANK.empty(B), features)
    real = features.mask.any(-1)
    assert {name: tensor.shape for name, tensor in state._asdict().items()} == {
        name: tensor.shape for name, tensor in BANK.empty(B)._asdict().items()
    }
    assert torch.equal(state.items.sum(-1), real.sum(-1))
    assert torch.equal(state.count.sum(1), features.mask.long().sum(1))
    written = features.tokens.masked_fill(~features.mask.unsqueeze(-1), 0)
    torch.testing.assert_close(state.sums.sum(1), written.sum(1), atol=1e-5, rtol=1e-5)
    assert torch.equal((state.items > 0).sum(-1), real.sum(-1).clamp_max(S))
    assert torch.equal(state.similarity, state.similarity.mT)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_padding_changes_nothing_whatever_it_holds(stream, seed):
    features = stream(1, 20, P, D, K, seed=seed, padding=0.4)
    real = features.mask[0].any(-1)
    [without] = cut(features, real.nonzero()[:, 0].tolist())
    junk = Features(
        features.tokens.masked_fill(~features.mask.unsqueeze(-1), torch.nan),
        features.mask,
        features.key.masked_fill(~real.view(1, -1, 1), torch.nan),
        features.time.masked_fill(~real.view(1, -1, 1), torch.nan),
        features.modality.masked_fill(~real, 99),
        features.source.masked_fill(~real, -7),
    )
    assert_equal(BANK.write(BANK.empty(), junk), BANK.write(BANK.empty(), without))


def test_rows_of_a_batch_know_nothing_of_each_other(stream):
    features = stream(3, 25, P, D, K, padding=0.3)
    together = BANK.write(BANK.empty(3), features)
    for row in range(3):
        alone = BANK.write(BANK.empty(), Features(*(field[row : row + 1] for field in features)))
        assert_equal(MemoryState(*(field[row : row + 1] for field in together)), alone)


def test_memory_is_constant_and_no_state_keeps_more_alive_than_it_shows(stream):
    state, sizes = BANK.empty(B), set()
    for features in cut(stream(B, 40, P, D, K), *(slice(i, i + 1) for i in range(40))):
        state = BANK.write(state, features)
        sizes.add(sum(tensor.untyped_storage().nbytes() for tensor in state))
    assert sizes == {B * (4 * (S * P * D + S * K + S * S) + 8 * (S * P + 6 * S))}


def test_tokens_are_means_of_what_merged_and_zero_where_nothing_is(stream):
    state = BANK.write(BANK.empty(B), stream(B, 20, P, D, K))
    tokens, mask = BANK.tokens(state)
    assert tokens.shape == (B, S * P, D)
    assert mask.tolist() == (state.count > 0).flatten(1).tolist()
    count = state.count.flatten(1).unsqueeze(-1)
    torch.testing.assert_close(tokens * count, state.sums.flatten(1, 2))
    assert not BANK.tokens(BANK.empty(B))[0].any()
    assert not BANK.tokens(BANK.empty(B))[1].any()


def test_keys_are_unit_length_and_zero_where_nothing_is(stream):
    keys = BANK.keys(BANK.write(BANK.empty(B), stream(B, 4, P, D, K, padding=0.0)))
    torch.testing.assert_close(keys.norm(dim=-1), torch.tensor([[1.0] * 4 + [0.0] * 3] * B))


def test_gradients_are_those_of_the_sums(stream):
    bank = MemoryBank(slots=4, ring=1, tokens=2, width=1, key_width=3)
    features = stream(1, 6, 2, 1, 3, dtype=torch.float64, padding=0.0)

    def written(tokens: Tensor, key: Tensor) -> tuple[Tensor, ...]:
        first, second = cut(features._replace(tokens=tokens, key=key), slice(5), slice(5, None))
        state = bank.write(bank.write(bank.empty(dtype=torch.float64), first), second)
        return state.sums, state.key_sums, bank.tokens(state)[0], bank.keys(state)

    state = bank.write(bank.empty(dtype=torch.float64), features)
    assert state.items.max() > 1, "something should have merged"
    assert torch.autograd.gradcheck(written, (features.tokens.requires_grad_(), features.key.requires_grad_()))


def test_the_gradient_reaches_the_first_item_through_every_merge_and_stops_at_detach(stream):
    features = stream(B, 30, P, D, K, padding=0.0)
    features.tokens.requires_grad_()
    features.key.requires_grad_()
    state = BANK.empty(B)
    for items in cut(features, *(slice(i, i + 3) for i in range(0, 30, 3))):
        state = BANK.write(state, items)
    (state.sums.sum() + state.key_sums.sum()).backward()
    assert torch.equal(features.tokens.grad, features.mask.unsqueeze(-1).expand_as(features.tokens).float())
    assert torch.equal(features.key.grad, torch.ones_like(features.key))
    assert state.sums.requires_grad
    assert not any(tensor.requires_grad for tensor in BANK.detach(state))


def test_half_precision_items_are_summed_in_the_states_precision(stream):
    features = stream(B, 20, P, D, K)
    features = features._replace(tokens=features.tokens.bfloat16(), key=features.key.bfloat16())
    state = BANK.write(BANK.empty(B, dtype=torch.float64), features)
    exact = features.tokens.double().masked_fill(~features.mask.unsqueeze(-1), 0).sum(1)
    assert torch.equal(state.sums.sum(1), exact)
    assert state.key_sums.dtype == state.similarity.dtype == torch.float64


def test_rare_items_are_found_again_where_a_queue_has_lost_them():
    torch.manual_seed(7)
    bank = MemoryBank(slots=64, ring=8, tokens=1, width=2, key_width=32)
    scenes, rare = normalize(torch.randn(12, 32), dim=-1), normalize(torch.randn(25, 32), dim=-1)
    scene = torch.randint(0, 12, (600,))
    key, source = scenes[scene], 100 + scene
    places = torch.randperm(500)[:25]  # in the first 500 of 600: none is among the last 64
    key[places], source[places] = rare, torch.arange(25)
    key = normalize(key + 0.05 * torch.randn(600, 32), dim=-1).unsqueeze(0)
    features = Features(
        tokens=torch.ones(1, 600, 1, 2),
        mask=torch.ones(1, 600, 1, dtype=torch.bool),
        key=key,
        time=torch.arange(600.0, dtype=torch.float64).view(1, 600, 1).expand(1, 600, 2),
        modality=torch.zeros(1, 600, dtype=torch.long),
        source=source.unsqueeze(0),
    )
    state = bank.write(bank.empty(), features)

    def recall(keys: Tensor, sources: Tensor) -> float:
        question = normalize(rare + 0.05 * torch.randn(25, 32), dim=-1)
        return (sources[(question @ keys.T).argmax(-1)] == torch.arange(25)).float().mean().item()

    queue_keys, queue_sources = key[0, -64:], source[-64:]
    assert recall(bank.keys(state)[0], state.source[0]) == 1.0
    assert recall(queue_keys, queue_sources) == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slots": 0}, "slots 0 must be at least 1; try slots=8"),
        ({"slots": 5, "ring": 3}, "slots 5 less ring 3 leave a pool of 2, less than one slot for each of 3 modalities"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        MemoryBank(**SIZES | change)


def test_impossible_states_are_refused(stream):
    with pytest.raises(ValueError, match=r"batch 0 must be at least 1; try batch=1"):
        BANK.empty(0)
    with pytest.raises(ValueError, match=r"sums cannot be kept in torch.float16, .* try dtype=torch.float32"):
        BANK.empty(dtype=torch.float16)
    features = stream(B, 4, P, D, K)
    other = MemoryBank(**SIZES | {"width": 6}).empty(B)
    with pytest.raises(ValueError, match=r"sums of memory has shape \(2, 7, 3, 6\), where \(2, 7, 3, 4\) is due"):
        BANK.write(other, features)
    mixed = BANK.empty(B)._replace(key_sums=BANK.empty(B, dtype=torch.float64).key_sums)
    with pytest.raises(ValueError, match=r"key_sums is torch.float64 and sums torch.float32; make both of one dtype"):
        BANK.write(mixed, features)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: {"tokens": f.tokens[..., :2, :]},
            r"tokens of features has shape \(2, 4, 2, 4\), where \(2, 4, 3, 4\)",
        ),
        (lambda f: {"key": f.key[:1]}, r"key of features has shape \(1, 4, 5\), where \(2, 4, 5\) is due"),
        (lambda f: {"time": f.time.float()}, r"time of features is torch.float32, where torch.float64 is due"),
        (lambda f: {"mask": f.mask.to("meta")}, r"mask of features is on meta, sums on cpu; move both to one device"),
        (lambda f: {"tokens": f.tokens / 0}, r"item 0 of row 0 holds NaN or infinity in its tokens or key"),
        (
            lambda f: {"time": torch.tensor([3.0, 1.0]).double().expand_as(f.time)},
            r"spans 3.0 s to 1.0 s; .* start first",
        ),
        (
            lambda f: {"modality": f.modality + 3},
            r"has modality [345]; give an index into \('image', 'audio', 'text'\)",
        ),
        (lambda f: {"source": f.source - 9}, r"has source -[6-9]; give an integer of at least 0"),
    ],
)
def test_features_that_do_not_fit_are_refused(stream, change, message):
    features = stream(B, 4, P, D, K, padding=0.0)
    with pytest.raises(ValueError, match=message):
        BANK.write(BANK.empty(B), features._replace(**change(features)))
