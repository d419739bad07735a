"""The graph over memory slots: edges derived from the state each time, messages added to every token of a slot.

Notable: nothing of the graph is stored, so no write can leave it stale; edges follow from what two slots hold and
never from where they lie, so the order of the slots changes nothing.

b batch   s slots   i the slot that reads, j the one it reads   p tokens per slot   d width   e edge features
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from mm_memgpt.layers.message import MessagePassing
from mm_memgpt.types import MemoryState

EDGE_KINDS = ("next", "previous", "same source", "same time", "similar", "relation")
"""Why two slots are connected: the first six edge features."""

EDGE_WIDTH = len(EDGE_KINDS) + 2
"""All edge features: the kinds, the log of the time distance, the cosine of the keys."""

SIMILAR = 0.5
"""Cosine of two keys from which their slots count as similar: half way between unrelated (0) and the same (1)."""

MARKED = 2.0
"""Deviation of what a message begins to say of a relation: so loud that a few hundred steps learn to read it. Begun at
zero, 800 steps did not."""

MOST_LAYERS = 2
"""Rounds of messages: with more, the nodes of a densely connected graph grow alike (arXiv:1801.07606)."""


def edge_features(state: MemoryState, relations: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """How slot i sees slot j: features (b, s, s, e) and which pairs are connected (b, s, s).

    Kinds, in the order of EDGE_KINDS: j begins at the next instant after i, or at the last before it; both hold
    one and the same source; their spans meet in time and their modalities differ; the cosine of their keys is at
    least SIMILAR; `relations` (b, s, s), boolean or weights, which knowledge from outside gives. Then log(1 + seconds)
    from the end of one span to the start of the other, and the cosine. Two real slots are connected where any
    kind is present, and every real slot with itself. Without a real slot at either end all features are 0.

    Raises ValueError where relations is not (b, s, s).
    """
    real = (state.count > 0).any(-1)
    if relations is not None:
        check_relations(relations, state)
    itself = torch.eye(real.shape[1], dtype=torch.bool, device=real.device)
    both = _here(real) & _there(real)
    cosine = _cosine(state.key_sums)
    following = _next(state.time[..., 0], real)
    same_source = (_here(state.source) == _there(state.source)) & (_here(state.source) >= 0)
    same_time = _meets(state.time) & (_here(state.modality) != _there(state.modality))
    given = torch.zeros_like(cosine) if relations is None else relations.to(cosine.dtype)
    kinds = (following, following.mT, same_source, same_time, cosine >= SIMILAR, given)
    kinds = torch.stack([kind.to(cosine.dtype) for kind in kinds], dim=-1)
    kinds = kinds.masked_fill(~rearrange(both & ~itself, "b i j -> b i j 1"), 0)
    features = torch.stack([_log_distance(state.time).to(cosine.dtype), cosine], dim=-1)
    features = torch.cat([kinds, features.masked_fill(~both.unsqueeze(-1), 0)], dim=-1)  # (b, s, s, e)
    return features, (kinds != 0).any(-1) | (itself & both)


def check_relations(relations: Tensor, state: MemoryState) -> None:
    """Raises ValueError unless relations are (b, s, s) for this state."""
    batch, slots = state.items.shape
    if relations.shape != (batch, slots, slots):
        raise ValueError(
            f"relations {tuple(relations.shape)} must be (batch, slots, slots) = {(batch, slots, slots)}; "
            "index them by the slots of the state they are given with"
        )


class GraphFusion(nn.Module):
    """Rounds of messages between slots. A node is the mean of its slot's real tokens; its update is added to each.

    With `edge_values`, messages also say how two slots are connected. Raises ValueError for more than two layers.
    """

    def __init__(self, width: int, heads: int, layers: int = 1, edge_values: bool = False) -> None:
        super().__init__()
        if not 0 <= layers <= MOST_LAYERS:
            raise ValueError(f"graph layers {layers} must be at least 0 and at most {MOST_LAYERS}; try layers=1")
        self.layers = nn.ModuleList(MessagePassing(width, heads, EDGE_WIDTH, edge_values) for _ in range(layers))
        if edge_values:
            for layer in self.layers:
                _mark(layer)

    def forward(self, tokens: Tensor, mask: Tensor, edges: Tensor, adjacency: Tensor) -> Tensor:
        """tokens (b, s, p, d), their mask (b, s, p), and what `edge_features` returned."""
        real = mask.unsqueeze(-1).to(tokens.dtype)  # (b, s, p, 1)
        for layer in self.layers:
            update = layer.messages(_nodes(tokens, real), edges.to(tokens.dtype), adjacency)
            tokens = tokens + update.unsqueeze(-2) * real
        return tokens

    def shares(self, tokens: Tensor, mask: Tensor, edges: Tensor, adjacency: Tensor) -> Tensor:
        """The share of what slot i receives in the first round that comes from slot j, the mean over heads: (b, s, s);
        0 where there is no round. The arguments are those of `forward`."""
        if not self.layers:
            return torch.zeros_like(adjacency, dtype=tokens.dtype)
        nodes = _nodes(tokens, mask.unsqueeze(-1).to(tokens.dtype))
        return self.layers[0].shares(nodes, edges.to(tokens.dtype), adjacency).mean(1)


def _mark(layer: MessagePassing) -> None:
    """Lets messages begin by saying that there is a relation from outside, in a direction of its own, and nothing of
    other kinds: where none is given, all is as it would be without."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        layer.edge_value.weight[:, EDGE_KINDS.index("relation")] = MARKED * torch.randn(len(layer.edge_value.weight))


def _nodes(tokens: Tensor, real: Tensor) -> Tensor:
    """The mean (b, s, d) of each slot's tokens (b, s, p, d) that are real, 1 or 0 in (b, s, p, 1)."""
    return (tokens * real).sum(-2) / real.sum(-2).clamp_min(1)


def _here(x: Tensor) -> Tensor:
    return rearrange(x, "b i -> b i 1")


def _there(x: Tensor) -> Tensor:
    return rearrange(x, "b j -> b 1 j")


def _cosine(key_sums: Tensor) -> Tensor:
    """Cosine of the keys (b, s, s); 0, with no gradient, where a slot has none."""
    known = (key_sums != 0).any(-1, keepdim=True)
    unit = F.normalize(torch.where(known, key_sums, 1), dim=-1).masked_fill(~known, 0)
    return unit @ unit.mT


def _next(start: Tensor, real: Tensor) -> Tensor:
    """True where j begins at the first instant after i's beginning at which any real slot begins: (b, s, s)."""
    later = (_there(start) > _here(start)) & _there(real)
    soonest = _there(start).masked_fill(~later, torch.inf).amin(-1, keepdim=True)
    return later & (_there(start) == soonest)


def _meets(time: Tensor) -> Tensor:
    """True where two spans share an instant; a span holds its start and not its end, so neighbours in a stream part."""
    start, end = time.unbind(-1)
    holds = (_here(start) <= _there(start)) & ((_there(start) < _here(end)) | (_there(start) == _here(start)))
    return holds | holds.mT


def _log_distance(time: Tensor) -> Tensor:
    """log(1 + seconds between two spans), 0 where they overlap; subtracted in float64, as the times come."""
    start, end = time.unbind(-1)
    gap = torch.maximum(_there(start) - _here(end), _here(start) - _there(end))
    return torch.log1p(gap.clamp_min(0))
