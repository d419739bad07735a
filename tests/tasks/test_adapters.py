import pytest
import torch

from mm_memgpt.tasks.adapters import ADAPTERS, AdapterConfig, build_adapter, pool


@pytest.fixture(params=ADAPTERS)
def adapter(request):
    return build_adapter(AdapterConfig(kind=request.param, hidden=12, layers=2), width=10).eval()


TOKENS = torch.randn(3, 6, 10, generator=torch.Generator().manual_seed(2))
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]]).bool()


def test_shapes_are_those_of_the_contract(adapter):
    tokens, pooled = adapter(TOKENS, MASK)
    assert tokens.shape == (3, 6, adapter.width)
    assert pooled.shape == (3, adapter.width)


def test_padding_changes_nothing(adapter):
    alone = adapter(TOKENS[1:2, :3], MASK[1:2, :3])
    noisy = adapter(TOKENS.masked_fill(~MASK.unsqueeze(-1), 9.0), MASK)
    torch.testing.assert_close(noisy.tokens[1:2, :3], alone.tokens, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(noisy.pooled[1:2], alone.pooled, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", sorted(ADAPTERS.keys() - {"cnn"}))  # a convolution sees a gap, as it sees an edge
def test_padding_in_the_middle_changes_nothing_either(kind):
    """As it is behind the first of several windows."""
    adapter = build_adapter(AdapterConfig(kind=kind, hidden=12, layers=2), width=10).eval()
    mask = torch.tensor([[1, 1, 0, 0, 1, 1]]).bool()
    alone = adapter(TOKENS[:1, [0, 1, 4, 5]], torch.ones(1, 4, dtype=torch.bool))
    gap = adapter(TOKENS[:1], mask)
    torch.testing.assert_close(gap.tokens[:, [0, 1, 4, 5]], alone.tokens, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(gap.pooled, alone.pooled, atol=1e-5, rtol=1e-4)


def test_a_row_without_a_token_is_no_nan(adapter):
    tokens, pooled = adapter(TOKENS, torch.zeros_like(MASK))
    assert torch.isfinite(pooled).all()
    assert torch.isfinite(tokens).all()


def test_every_parameter_gets_a_gradient(adapter):
    tokens, pooled = adapter(TOKENS.clone().requires_grad_(), MASK)
    (tokens.square().sum() + pooled.square().sum()).backward()
    assert [name for name, value in adapter.named_parameters() if value.grad is None] == []


def test_the_output_depends_on_the_order_where_an_adapter_reads_it():
    reads_order = {}
    for kind in ADAPTERS:
        adapter = build_adapter(AdapterConfig(kind=kind, hidden=12), width=10).eval()
        there, back = adapter(TOKENS[:1], MASK[:1]).pooled, adapter(TOKENS[:1].flip(1), MASK[:1]).pooled
        reads_order[kind] = not torch.allclose(there, back, atol=1e-5)
    assert reads_order == {
        "linear": False, "mlp": False, "cnn": True, "gru": True, "lstm": True, "decoder": False
    }  # fmt: skip


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", [3.0, 2.0, 0.0]), ("first", [1.0, 2.0, 0.0]), ("last", [5.0, 2.0, 0.0]), ("max", [5.0, 2.0, 0.0])],
)
def test_pooling_is_of_the_real_tokens(how, expected):
    tokens = torch.tensor([[1.0, 3.0, 5.0], [9.0, 2.0, 9.0], [9.0, 9.0, 9.0]]).unsqueeze(-1)
    mask = torch.tensor([[1, 1, 1], [0, 1, 0], [0, 0, 0]]).bool()
    assert pool(tokens, mask, how).squeeze(-1).tolist() == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "rnn"}, "adapter 'rnn' is unknown; known: linear, mlp, cnn, gru, lstm, decoder"),
        ({"pooling": "sum"}, "pooling 'sum' is unknown; known: mean, first, last, max"),
        ({"hidden": 10}, "hidden 10 must be a multiple of 4; try hidden=8"),
        ({"layers": 0}, "layers 0 must be at least 1; try layers=1"),
        ({"dropout": 1.0}, "dropout 1.0 must be at least 0 and below 1; try dropout=0.1"),
    ],
)
def test_a_config_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        AdapterConfig(**settings)
