"""Fusion: a memory goes in as slots, and comes out as one sequence of tokens that know of each other, and a summary.

Notable: only used slots are computed, in order of arrival, so a lone photo costs one slot and where the bank put an
item changes nothing; the same path serves any PyTorch model that brings its own tokens (`fuse`).

b batch   s slots   p tokens per slot   m = s*p tokens in all   d width
"""

from typing import NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from mm_memgpt.fusion.cross_attention import CrossAttentionFusion
from mm_memgpt.fusion.entities import EntityProjection
from mm_memgpt.fusion.graph import EDGE_KINDS, GraphFusion, check_relations, edge_features
from mm_memgpt.fusion.order import OrderEmbedding
from mm_memgpt.layers.attention import Attention
from mm_memgpt.types import MemoryState


class Fused(NamedTuple):
    """A memory ready to be read."""

    tokens: Tensor
    """(b, m, d): the tokens of the used slots by arrival, 0 where not real."""
    mask: Tensor
    """(b, m) bool: True where the token is real."""
    readout: Tensor
    """(b, d): the whole memory in one token."""
    alignment: Tensor | None
    """(b, m, m): how much each token read of each token of the other modalities; None unless asked for."""
    key: Tensor | None = None
    """(b, k): direction of the sum of all items' keys, 0 for an empty memory; None where tokens came without keys."""


class Edges(NamedTuple):
    """The graph that fusion makes of a state, by the places of its slots."""

    kinds: Tensor
    """(b, s, s, kinds): what slot j is to slot i, in the order of EDGE_KINDS; 0 where it is not."""
    shares: Tensor
    """(b, s, s): the share of what i receives in the first round of messages that comes from j; a row sums to 1, or to
    0 without messages."""


class MultimodalFuser(nn.Module):
    """Messages between slots, then cross-attention between modalities, then attention pooling into a readout.

    Graph and cross-attention are residual and begin as identity; each can be left out (`graph_layers` 0). With `order`,
    each slot of a state is first told when it was, which begins as identity too; tokens by modality have no order. With
    an `entity_width`, vectors of entities can join the tokens of what names them, likewise; with `relations`, messages
    of the graph can say that there is an edge.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        graph_layers: int = 1,
        order: bool = False,
        cross_attention: bool = True,
        entity_width: int = 0,
        relations: bool = False,
    ) -> None:
        super().__init__()
        self.width = width
        self.graph = GraphFusion(width, heads, graph_layers, edge_values=relations)
        self.cross_attention = CrossAttentionFusion(width, heads) if cross_attention else None
        self.readout_query = nn.Parameter(torch.randn(width))
        self.readout_norm = nn.LayerNorm(width)
        self.readout = Attention(width, heads)
        with torch.random.fork_rng(devices=[]):  # of one seed, all else begins as it would without
            self.order = OrderEmbedding(width) if order else None
            self.entities = EntityProjection(width, entity_width) if entity_width else None

    def forward(
        self,
        memory: MemoryState | dict[str, Tensor],
        relations: Tensor | None = None,
        alignment: bool = False,
        masks: dict[str, Tensor] | None = None,
        entities: Tensor | None = None,
    ) -> Fused:
        """Fuses the used slots of a state, or tokens by modality (then this is `fuse`).

        Args:
            memory: a state of s slots, or `{"image": (b, m1, d), "audio": (b, m2, d), ...}`.
            relations: (b, s, s) boolean or weights, further edges between the slots.
            alignment: whether to return how much each token read of each other.
            masks: beside tokens, (b, m1), ... by modality, True where a token is real; a state has its own.
            entities: beside a state, (b, s, e) vectors of the entities that its slots are linked to, 0 where none is.

        Raises:
            ValueError: another width than the fuser's, relations or entities of another shape, masks beside a state,
                entities beside tokens or for a fuser without an entity width, or an alignment that nothing makes.
        """
        if entities is not None and (self.entities is None or isinstance(memory, dict)):
            raise ValueError("entities join the slots of a state, by a fuser with an entity_width; leave them out")
        if alignment and self.cross_attention is None:
            raise ValueError("this fuser has no cross-attention to align by; set fusion.cross_attention to true")
        if isinstance(memory, dict):
            return self.fuse(memory, masks, relations, alignment)
        if masks is not None:
            raise ValueError("a memory state has masks of its own; leave masks out")
        return self._fused(memory, relations, alignment, self.order, entities)

    def _fused(
        self,
        state: MemoryState,
        relations: Tensor | None,
        alignment: bool,
        order: OrderEmbedding | None = None,
        entities: Tensor | None = None,
    ) -> Fused:
        if state.sums.shape[-1] != self.width:
            raise ValueError(f"memory width {state.sums.shape[-1]} is not the fuser's {self.width}; build both alike")
        if entities is not None:
            entities = entities.take_along_dim(arrived(state).unsqueeze(-1), 1)
        state, relations = used_slots(state, relations)
        tokens, mask = self._tokens(state, order)
        if entities is not None:
            tokens = self.entities(tokens, mask, entities)
        tokens = self.graph(tokens, mask, *edge_features(state, relations))
        aligned = None
        if self.cross_attention is not None:
            aligned = self.cross_attention.alignment(tokens, mask, state.modality) if alignment else None
            tokens = self.cross_attention(tokens, mask, state.modality)
        tokens = rearrange(tokens, "b s p d -> b (s p) d")
        mask = rearrange(mask, "b s p -> b (s p)")
        query = repeat(self.readout_query, "d -> b 1 d", b=len(tokens))
        readout = rearrange(self.readout(query, self.readout_norm(tokens), mask), "b 1 d -> b d")
        key = nn.functional.normalize(state.key_sums.sum(1), dim=-1).to(readout.dtype)
        return Fused(tokens, mask, readout, aligned, key)

    def _tokens(self, state: MemoryState, order: OrderEmbedding | None) -> tuple[Tensor, Tensor]:
        """The tokens of slots (b, s, p, d) before any message, and their mask (b, s, p)."""
        mask = state.count > 0
        tokens = state.sums / state.count.clamp_min(1).unsqueeze(-1)
        tokens = tokens.masked_fill(~mask.unsqueeze(-1), 0).to(self.readout_query.dtype)
        return (tokens if order is None else order(tokens, mask, state)), mask

    def edges(self, state: MemoryState, relations: Tensor | None = None) -> Edges:
        """How the slots of a state are connected, and how much each receives from each.

        Args:
            state: s slots; those that hold nothing have no edges.
            relations: (b, s, s) boolean or weights, further edges between them.
        """
        features, adjacency = edge_features(state, relations)
        shares = self.graph.shares(*self._tokens(state, self.order), features, adjacency)
        return Edges(features[..., : len(EDGE_KINDS)], shares)

    def fuse(
        self,
        tokens: dict[str, Tensor],
        masks: dict[str, Tensor] | None = None,
        relations: Tensor | None = None,
        alignment: bool = False,
    ) -> Fused:
        """Fuses tokens by modality, `{"image": (b, m1, d), "audio": (b, m2, d), ...}`, from any PyTorch model.

        Any names will do, and each is a modality of its own. A modality is one slot and so one node of the graph, all
        at the same time; `relations` (b, modalities, modalities) adds edges. A mask (b, m1) is True where a token is
        real; without one, all are. The tokens come back concatenated in the order of the dict, so that
        `fused.tokens.split([m1, m2, ...], dim=1)` parts them again.

        Raises ValueError for no tokens, for shapes that do not fit together, and for a mask without tokens.
        """
        masks = _checked(tokens, masks or {}, self.width)
        fused = self._fused(_as_state(tokens, masks), relations, alignment)
        longest = max(part.shape[1] for part in tokens.values())
        given = [slot * longest + torch.arange(part.shape[1]) for slot, part in enumerate(tokens.values())]
        keep = torch.cat(given).to(fused.mask.device)
        aligned = None if fused.alignment is None else fused.alignment[:, keep][:, :, keep]
        return Fused(fused.tokens[:, keep], fused.mask[:, keep], fused.readout, aligned)


def of_newest(fused: Fused, state: MemoryState) -> Fused:
    """A fused state, of which the newest slot alone is read in full; of all the others, what it and the readout know.

    Args:
        fused: what the fuser returned for `state`.
        state: s slots, of which the newest is one item, because it is in the ring.
    """
    _, slots, p = state.count.shape
    place = torch.arange(slots, device=state.items.device).repeat_interleave(p)[: fused.mask.shape[1]]
    last = (state.items > 0).sum(-1, keepdim=True) - 1  # used slots come by arrival
    newest = state.arrival.argmax(-1)
    rows = torch.arange(len(newest), device=newest.device)
    key = nn.functional.normalize(state.key_sums[rows, newest], dim=-1).to(fused.readout.dtype)
    return fused._replace(mask=fused.mask & (place == last), key=key)


def used_slots(state: MemoryState, relations: Tensor | None = None) -> tuple[MemoryState, Tensor | None]:
    """The used slots by arrival, and the relations between them.

    As many slots as the fullest row uses, at least one; a row that uses fewer ends in empty ones.
    """
    if relations is not None:
        check_relations(relations, state)
    order = arrived(state)
    rows = torch.arange(len(order), device=order.device).unsqueeze(-1)
    pairs = (rows.unsqueeze(-1), order.unsqueeze(-1), order.unsqueeze(-2))
    *parts, similarity = state
    state = MemoryState(*(part[rows, order] for part in parts), similarity[pairs])
    return state, None if relations is None else relations[pairs]


def arrived(state: MemoryState) -> Tensor:
    """(b, n): the places of the n slots that are used in the fullest row, by arrival."""
    used = state.items > 0
    arrival = state.arrival.masked_fill(~used, torch.iinfo(state.arrival.dtype).max)
    return arrival.argsort(dim=-1, stable=True)[:, : max(1, int(used.sum(-1).max()))]


def of_slots(state: MemoryState, items: Tensor) -> Tensor:
    """What is known of items, for the slots that hold them: (b, s, ...) of (b, n, ...); 0 for an empty slot.

    A slot that holds several items has what is known of its newest. Items are counted in the order in which they were
    written into an empty memory, those that are real.
    """
    rows = torch.arange(len(items), device=items.device).unsqueeze(-1)
    found = items[rows, state.arrival.clamp_min(0)]
    empty = (state.items == 0).reshape(*state.items.shape, *[1] * (items.ndim - 2))
    return found.masked_fill(empty, 0)


def _checked(tokens: dict[str, Tensor], masks: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """A mask for every modality, once all shapes fit together."""
    if not tokens:
        raise ValueError('nothing to fuse: give at least one modality, as {"image": tokens (batch, tokens, width)}')
    if unknown := sorted(set(masks) - set(tokens)):
        raise ValueError(f"a mask for {unknown[0]!r}, which has no tokens; the modalities given: {', '.join(tokens)}")
    batch = len(next(iter(tokens.values())))
    for name, part in tokens.items():
        if part.dim() != 3 or len(part) != batch or part.shape[2] != width:
            raise ValueError(
                f"{name} tokens {tuple(part.shape)} must be (batch, tokens, width) = ({batch}, any, {width}); "
                f"project them to the fuser's width {width}"
            )
        if name in masks and masks[name].shape != part.shape[:2]:
            raise ValueError(
                f"{name} mask {tuple(masks[name].shape)} must be {tuple(part.shape[:2])}, True where a token is real"
            )
    return {name: masks.get(name, part.new_ones(part.shape[:2], dtype=torch.bool)) for name, part in tokens.items()}


def _as_state(tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> MemoryState:
    """One slot a modality, padded to the longest, at one instant; its key is the mean of its tokens."""
    slots = len(tokens)
    longest = max(part.shape[1] for part in tokens.values())
    sums = torch.stack([nn.functional.pad(part, (0, 0, 0, longest - part.shape[1])) for part in tokens.values()], 1)
    mask = torch.stack([nn.functional.pad(part, (0, longest - part.shape[1])) for part in masks.values()], 1)
    sums = sums.masked_fill(~mask.unsqueeze(-1), 0)  # (b, s, p, d)
    batch, index = len(sums), torch.arange(slots, device=sums.device)
    each = repeat(index, "s -> b s", b=batch)
    return MemoryState(
        sums=sums,
        count=mask.long(),
        key_sums=sums.sum(-2),
        items=torch.ones_like(each),
        time=torch.zeros(batch, slots, 2, dtype=torch.float64, device=sums.device),
        modality=each,
        source=each,
        arrival=each,
        similarity=torch.full((batch, slots, slots), -torch.inf, device=sums.device),
    )
