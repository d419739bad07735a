"""Other ways to keep a stream in so many slots: what `benchmarks.recall` compares the bank with.

Notable: each takes the whole streams and says what it holds at their end, after it has seen the items one by one (or,
k-means, a bufferful at a time); what a slot holds of each thing is kept the way its key is, by sum or by mean.

b streams   n items   s slots   k key width   t things
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import normalize

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import Features

BLOCK = 100
"""Items that the bank is given at a time; what it keeps does not depend on it."""

ITERATIONS = 10
"""Of k-means, each time that it compresses."""


class Streams(NamedTuple):
    """Several streams of one length."""

    keys: np.ndarray
    """(b, n, k) unit length."""
    modality: np.ndarray
    """(b, n)."""
    thing: np.ndarray
    """(b, n): which of its stream's t things an item is a view of."""
    things: int
    """t."""

    @property
    def shares(self) -> np.ndarray:
        """(b, n, t): 1 for the thing that an item is a view of."""
        return np.eye(self.things, dtype=np.float32)[self.thing]


class Held(NamedTuple):
    """What is held at the end of the streams. An empty slot is all zeros."""

    keys: np.ndarray
    """(b, s, k) unit length."""
    shares: np.ndarray
    """(b, s, t): how much of a slot is of each thing."""


def chosen(streams: Streams, places: np.ndarray) -> Held:
    """The items at some places (b, s) of their streams."""
    rows = np.arange(len(places))[:, None]
    return Held(streams.keys[rows, places], streams.shares[rows, places])


def bank(streams: Streams, slots: int, ring: int) -> Held:
    """Our bank; what an item is a view of is its only token, so the bank itself counts what its slots hold."""
    batch, items, key_width = streams.keys.shape
    kept = MemoryBank(slots=slots, ring=ring, tokens=1, width=streams.things, key_width=key_width)
    state = kept.empty(batch)
    for start in range(0, items, BLOCK):
        now = slice(start, start + BLOCK)
        tokens = torch.from_numpy(np.eye(streams.things, dtype=np.float32)[streams.thing[:, now]]).unsqueeze(2)
        seconds = torch.arange(items, dtype=torch.float64)[now].expand(batch, -1)
        features = Features(
            tokens=tokens,
            mask=torch.ones(tokens.shape[:3], dtype=torch.bool),
            key=torch.from_numpy(streams.keys[:, now]),
            time=torch.stack([seconds, seconds], dim=-1),
            modality=torch.from_numpy(streams.modality[:, now]),
            source=torch.from_numpy(streams.thing[:, now]),
        )
        state = kept.write(state, features)
    return Held(kept.keys(state).numpy(), state.sums[:, :, 0].numpy())


def window(streams: Streams, slots: int, ring: int) -> Held:
    """The newest items, one a slot."""
    batch, items, _ = streams.keys.shape
    return chosen(streams, np.tile(np.arange(items - slots, items), (batch, 1)))


def reservoir(streams: Streams, slots: int, ring: int) -> Held:
    """Items drawn evenly from all that came (Vitter 1985, algorithm R)."""
    batch, items, _ = streams.keys.shape
    chance = np.random.default_rng(0)
    places = np.tile(np.arange(slots), (batch, 1))
    for item in range(slots, items):
        place = chance.integers(0, item + 1, batch)
        kept = place < slots
        places[kept, place[kept]] = item
    return chosen(streams, places)


def everything(streams: Streams, slots: int, ring: int) -> Held:
    """All items, a slot each: what can be found at most."""
    return Held(streams.keys, streams.shares)


class Row:
    """The slots of one modality in the order of their times, and how alike neighbours are."""

    def __init__(self, streams: Streams) -> None:
        self.keys = np.zeros((0, streams.keys.shape[-1]), np.float32)
        self.shares = np.zeros((0, streams.things), np.float32)
        self.items = np.zeros(0, np.float32)
        self.alike = np.zeros(0, np.float32)

    def append(self, key: np.ndarray, share: np.ndarray) -> None:
        self.keys, self.shares = np.vstack([self.keys, key]), np.vstack([self.shares, share])
        self.items = np.append(self.items, 1)
        if len(self.items) > 1:
            self.alike = np.append(self.alike, self._cosine(len(self.items) - 2))

    def best(self) -> float:
        return self.alike.max(initial=-np.inf)

    def merge(self, weighted: bool) -> None:
        """The most similar neighbours become one, their mean: weighted by the items that each holds, or not."""
        first = int(self.alike.argmax())
        pair = slice(first, first + 2)
        weights = self.items[pair] / self.items[pair].sum() if weighted else np.full(2, 0.5, np.float32)
        self.keys[first], self.shares[first] = weights @ self.keys[pair], weights @ self.shares[pair]
        self.items[first] += self.items[first + 1]
        self.keys, self.shares, self.items = (
            np.delete(each, first + 1, axis=0) for each in (self.keys, self.shares, self.items)
        )
        self.alike = np.delete(self.alike, first)
        for left in (first - 1, first):
            if 0 <= left < len(self.alike):
                self.alike[left] = self._cosine(left)

    def _cosine(self, left: int) -> float:
        one, other = self.keys[left], self.keys[left + 1]
        return float(one @ other / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-12))


def neighbours(streams: Streams, slots: int, weighted: bool) -> Held:
    """Of neighbours in time of one modality the most similar two merge, when there are too many."""
    held = []
    for keys, modality, shares in zip(streams.keys, streams.modality, streams.shares, strict=True):
        rows = [Row(streams) for _ in range(int(streams.modality.max()) + 1)]
        for item, which in enumerate(modality):
            rows[which].append(keys[item], shares[item])
            if sum(len(row.items) for row in rows) > slots:
                max(rows, key=Row.best).merge(weighted)
        held.append(tuple(np.concatenate([getattr(row, name) for row in rows]) for name in ("keys", "shares")))
    keys, shares = (np.stack(each) for each in zip(*held, strict=True))
    return Held(unit(keys), shares)


def k_means(streams: Streams, slots: int, ring: int) -> Held:
    """Centres of the centres so far, weighted by their items, and of as many new items (as Flash-VStream's).

    Modalities have dimensions of their own, so they hardly mix, as in the bank.
    """
    batch, items, width = streams.keys.shape
    chance, modalities = np.random.default_rng(0), int(streams.modality.max()) + 1
    apart = np.eye(modalities, dtype=np.float32)[streams.modality][..., None] * streams.keys[:, :, None]
    points = apart.reshape(batch, items, modalities * width)  # (b, n, m*k)
    held, shares, weights = points[:, :slots], streams.shares[:, :slots], np.ones((batch, slots), np.float32)
    for start in range(slots, items, slots):
        new = slice(start, min(start + slots, items))
        pool = np.concatenate([held, points[:, new]], axis=1)
        weight = np.concatenate([weights, np.ones((batch, new.stop - start), np.float32)], axis=1)
        inside = np.concatenate([shares * weights[..., None], streams.shares[:, new]], axis=1)
        belongs = clusters(pool, weight, slots, chance)  # (b, s, p) one-hot by point
        weights = belongs @ weight[..., None]
        held = belongs @ (pool * weight[..., None]) / np.maximum(weights, 1)
        shares = belongs @ inside / np.maximum(weights, 1)
        weights = weights[..., 0]
    return Held(unit(held.reshape(batch, slots, modalities, width).sum(2)), shares)


def clusters(points: np.ndarray, weight: np.ndarray, count: int, chance: np.random.Generator) -> np.ndarray:
    """Which of the clusters (b, s, p) each of the points (b, p, d) is in: k-means++, then Lloyd's iterations."""
    rows = np.arange(len(points))
    far = np.full(weight.shape, np.inf, np.float32)
    centres = np.zeros((len(points), count, points.shape[-1]), np.float32)
    for centre in range(count):
        odds = weight * np.where(np.isinf(far), 1, far)
        odds = np.cumsum(odds + 1e-12, axis=1)
        drawn = (odds < chance.random((len(points), 1)) * odds[:, -1:]).sum(1)
        centres[:, centre] = points[rows, drawn]
        far = np.minimum(far, ((points - centres[:, centre, None]) ** 2).sum(-1))
    for _ in range(ITERATIONS):
        distance = (centres**2).sum(-1)[:, :, None] - 2 * centres @ points.transpose(0, 2, 1)  # (b, s, p)
        belongs = (np.arange(count)[:, None] == distance.argmin(1)[:, None]).astype(np.float32)
        total = belongs @ weight[..., None]
        moved = belongs @ (points * weight[..., None]) / np.maximum(total, 1)
        centres = np.where(total > 0, moved, centres)
    return belongs


def unit(keys: np.ndarray) -> np.ndarray:
    """Keys (..., k) of unit length."""
    return normalize(torch.from_numpy(keys), dim=-1).numpy()


Memory = Callable[[Streams, int, int], Held]
"""Streams, slots and ring to what is held."""

MEMORIES: dict[str, Memory] = {
    "ours": bank,
    "FIFO, which is a sliding window": window,
    "reservoir": reservoir,
    "neighbours merge, weighted (as MA-LMM)": lambda streams, slots, _: neighbours(streams, slots, True),
    "neighbours merge, unweighted (as MovieChat)": lambda streams, slots, _: neighbours(streams, slots, False),
    "k-means, weighted (as Flash-VStream)": k_means,
    "all items, a slot each (ceiling)": everything,
}
OURS = next(iter(MEMORIES))
