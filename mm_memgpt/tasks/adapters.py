"""Task adapters: small networks between a backbone's tokens and a task's output.

Notable: all have one contract, so a module of your own fits, too: it takes tokens and their mask and returns `Adapted`,
and says in `width` how wide that is; padding changes nothing.

b rows   t tokens   d width of the backbone   w width of the adapter
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

POOLINGS = ("mean", "first", "last", "max")
"""What stands for all tokens of a row."""


class Adapted(NamedTuple):
    """What an adapter makes of a backbone's tokens."""

    tokens: Tensor
    """(b, t, w): each token, for tasks that say something of tokens."""
    pooled: Tensor
    """(b, w): all of them, for tasks that say something of the whole."""


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """How an adapter is built."""

    kind: str = "linear"
    """One of ADAPTERS."""
    pooling: str | None = None
    """One of POOLINGS; what suits the backbone where None."""
    hidden: int = 256
    """Width of mlp, cnn, gru, lstm and decoder."""
    layers: int = 1
    """Layers of gru, lstm and decoder."""
    dropout: float = 0.1
    """On what goes in."""

    def __post_init__(self) -> None:
        if self.kind not in ADAPTERS:
            raise ValueError(f"adapter {self.kind!r} is unknown; known: {', '.join(ADAPTERS)}")
        if self.pooling is not None and self.pooling not in POOLINGS:
            raise ValueError(f"pooling {self.pooling!r} is unknown; known: {', '.join(POOLINGS)}")
        if self.hidden < 1 or self.hidden % 4:
            raise ValueError(f"hidden {self.hidden} must be a multiple of 4; try hidden={max(4, self.hidden // 4 * 4)}")
        if self.layers < 1:
            raise ValueError(f"layers {self.layers} must be at least 1; try layers=1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must be at least 0 and below 1; try dropout=0.1")


def build_adapter(config: AdapterConfig, width: int, pooling: str = "mean") -> nn.Module:
    """The adapter of a config over a backbone of `width`, which is pooled by `pooling` unless the config says how."""
    return ADAPTERS[config.kind](width, config, config.pooling or pooling)


def pool(tokens: Tensor, mask: Tensor, how: str) -> Tensor:
    """Tokens (b, t, w) as one vector a row (b, w); zero where a row has no real token.

    Args:
        tokens: (b, t, w).
        mask: (b, t) True where a token is real.
        how: one of POOLINGS.
    """
    real = mask.unsqueeze(-1)
    if how == "max":
        highest = tokens.masked_fill(~real, -torch.inf).amax(1)
        return torch.where(mask.any(1, keepdim=True), highest, torch.zeros_like(highest))
    if how == "mean":
        return (tokens * real).sum(1) / real.sum(1).clamp_min(1)
    place = torch.arange(mask.shape[1], device=mask.device)
    place = place.masked_fill(~mask, mask.shape[1]).amin(1) if how == "first" else (place * mask).amax(1)
    chosen = tokens[torch.arange(len(tokens), device=mask.device), place.clamp_max(mask.shape[1] - 1)]
    return chosen * mask.any(1, keepdim=True)


class Linear(nn.Module):
    """The tokens as they are: all that is learned is the task's own output layer."""

    def __init__(self, width: int, config: AdapterConfig, pooling: str) -> None:
        super().__init__()
        self.width, self.pooling = width, pooling
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Adapted:
        return Adapted(self.dropout(tokens), self.dropout(pool(tokens, mask, self.pooling)))


class MLP(nn.Module):
    """One hidden layer, of each token and of the pooled ones."""

    def __init__(self, width: int, config: AdapterConfig, pooling: str) -> None:
        super().__init__()
        self.width, self.pooling = config.hidden, pooling
        self.net = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(width, config.hidden), nn.GELU(), nn.Dropout(config.dropout)
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> Adapted:
        return Adapted(self.net(tokens), self.net(pool(tokens, mask, self.pooling)))


class CNN(nn.Module):
    """Convolutions over windows of 2, 3, 4 and 5 tokens, and their highest answer (arXiv:1408.5882 §2)."""

    WINDOWS = (2, 3, 4, 5)

    def __init__(self, width: int, config: AdapterConfig, pooling: str) -> None:
        super().__init__()
        each = config.hidden // len(self.WINDOWS)
        self.width, self.pooling = each * len(self.WINDOWS), config.pooling or "max"
        self.dropout = nn.Dropout(config.dropout)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, each, window) for window in self.WINDOWS)

    def forward(self, tokens: Tensor, mask: Tensor) -> Adapted:
        x = (self.dropout(tokens) * mask.unsqueeze(-1)).transpose(1, 2)  # (b, d, t)
        found = [
            functional.relu(conv(functional.pad(x, (window // 2, (window - 1) // 2))))[..., : x.shape[-1]]
            for window, conv in zip(self.WINDOWS, self.convolutions, strict=True)
        ]
        each = torch.cat(found, dim=1).transpose(1, 2)  # (b, t, w)
        return Adapted(each, pool(each, mask, self.pooling))


class Recurrent(nn.Module):
    """A GRU or LSTM that reads both ways; a whole is what each direction ends with."""

    cell: type[nn.RNNBase]

    def __init__(self, width: int, config: AdapterConfig, pooling: str) -> None:
        super().__init__()
        self.width = config.hidden
        self.pooling = config.pooling
        self.dropout = nn.Dropout(config.dropout)
        half, between = config.hidden // 2, config.dropout if config.layers > 1 else 0.0
        self.net = self.cell(width, half, config.layers, batch_first=True, bidirectional=True, dropout=between)

    def forward(self, tokens: Tensor, mask: Tensor) -> Adapted:
        order = (~mask).long().argsort(dim=1, stable=True).unsqueeze(-1)  # the real tokens first, in their order
        x = self.dropout(tokens).gather(1, order.expand_as(tokens))
        lengths = mask.sum(1)
        packed = pack_padded_sequence(x, lengths.clamp_min(1).cpu(), batch_first=True, enforce_sorted=False)
        states, last = self.net(packed)
        last = last[0] if isinstance(last, tuple) else last
        states, _ = pad_packed_sequence(states, batch_first=True, total_length=tokens.shape[1])
        each = torch.zeros_like(states).scatter(1, order.expand_as(states), states) * mask.unsqueeze(-1)
        ends = torch.cat([last[-2], last[-1]], dim=-1) * (lengths > 0).unsqueeze(-1)
        return Adapted(each, ends if self.pooling is None else pool(each, mask, self.pooling))


class GRU(Recurrent):
    """Gated recurrent units (arXiv:1406.1078)."""

    cell = nn.GRU


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997)."""

    cell = nn.LSTM


class Decoder(nn.Module):
    """A transformer decoder over the backbone's tokens: a learned query, and each token, read all of them."""

    HEADS = 4

    def __init__(self, width: int, config: AdapterConfig, pooling: str) -> None:
        super().__init__()
        self.width = config.hidden
        self.dropout = nn.Dropout(config.dropout)
        self.project = nn.Linear(width, config.hidden)
        self.query = nn.Parameter(torch.randn(config.hidden) / config.hidden**0.5)
        layer = nn.TransformerDecoderLayer(
            config.hidden, self.HEADS, 2 * config.hidden, config.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, config.layers, nn.LayerNorm(config.hidden))

    def forward(self, tokens: Tensor, mask: Tensor) -> Adapted:
        memory = self.project(self.dropout(tokens))
        query = self.query.expand(len(tokens), 1, -1).to(memory.dtype)
        padding = torch.cat([torch.zeros_like(mask[:, :1]), ~mask], dim=1)
        nothing = ~mask.any(1, keepdim=True)  # a row without a token reads one that says nothing
        memory = torch.cat([torch.zeros_like(query), memory], dim=1)
        hidden = torch.cat([~nothing, ~mask], dim=1)
        read = self.layers(
            torch.cat([query, memory[:, 1:]], dim=1),
            memory,
            tgt_key_padding_mask=padding,
            memory_key_padding_mask=hidden,
        )
        return Adapted(read[:, 1:], read[:, 0])


ADAPTERS: dict[str, type[nn.Module]] = {
    "linear": Linear,
    "mlp": MLP,
    "cnn": CNN,
    "gru": GRU,
    "lstm": LSTM,
    "decoder": Decoder,
}
"""Adapters by name."""
