"""Recommendation: what one will like next, found by what one has liked so far.

Notable: the adapter reads the items' vectors as it would read tokens (linear: their mean; gru: their order), and an
item that may be liked next is a history of itself, so a fresh linear model ranks by closeness to the mean of what was
liked; what one has already is not recommended.

b rows   i items   h items of a history   n items of the backbone   p tokens per item   d width
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.backbones.base import Inputs, Processor
from mm_memgpt.datasets.fields import as_text, as_texts
from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.tasks.adapters import pool
from mm_memgpt.tasks.retrieval import Ranked, Retrieval
from mm_memgpt.tasks.sides import TEXTS, join
from mm_memgpt.types import InputError


class Recommendation(Retrieval):
    """Ranks texts by a history of texts. Options as `Retrieval`, and history: how many of the newest items are read.

    In `Inputs`, the text of a history is its items, oldest first, each on a line of its own.
    """

    name = "recommendation"
    inputs = ("text", "text_pair")
    needs = ("text", "text_pair")
    OPTIONS: ClassVar = {**Retrieval.OPTIONS, "history": 20}

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        if not isinstance(self.options["history"], int) or self.options["history"] < 1:
            raise ValueError(f"history {self.options['history']!r} must be a whole number above 0; try history=20")

    def read(self, row: Row, place: str, table: Table) -> Inputs:
        items = self._items(row, place)[-self.options["history"] :]
        name = self.columns["text_pair"]
        return Inputs(text="\n".join(items), text_pair=one_line(as_text(row[name], place, name)))

    def _items(self, row: Row, place: str) -> list[str]:
        name = self.columns["text"]
        items = [one_line(item) for item in as_texts(row[name], place, name)]
        if not items:
            raise InputError(f"{place}: no item in {name}; give a list of texts, or leave the row out")
        return items

    def _identity(self, row: Row, place: str, roles: Sequence[str]) -> str:
        if roles == ("text",):
            return "\n".join(self._items(row, place))
        return one_line(super()._identity(row, place, roles))

    def apart(self, inputs: Inputs) -> list[Inputs]:
        return [*(Inputs(text=item) for item in inputs.text.split("\n")), self.found(inputs)]

    def passed_over(self, asked: str) -> frozenset[str]:
        return frozenset(asked.split("\n"))

    def side(self, processor: Processor, inputs: Sequence[Inputs], which: str) -> dict[str, Tensor]:
        if which == "found":
            return processor(inputs)
        histories = [each.text.split("\n") for each in inputs]
        places = {item: place for place, item in enumerate(dict.fromkeys(chain.from_iterable(histories)))}
        history = torch.full((len(inputs), max(map(len, histories))), -1)
        for row, items in enumerate(histories):
            history[row, : len(items)] = torch.tensor([places[item] for item in items])
        return {**processor([Inputs(text=item) for item in places]), "history": history}

    def prepare(self, processor: Processor, inputs: Sequence[Inputs]) -> dict[str, Tensor]:
        """As of `Retrieval`, the items of a history in a row; `history` (b, n) says which of them each is."""
        histories = [each.text.split("\n") for each in inputs]
        made = processor([Inputs(text=item) for items in histories for item in items])
        asked, history = _laid_out(made, histories)
        batch = join(asked, processor([self.found(each) for each in inputs]))
        return {**batch, "history": functional.pad(history, (0, batch["side"].shape[1] - history.shape[1]), value=-1)}

    def keys(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        features = model.backbone(batch)
        items = vectors(model, features.tokens, features.mask)  # (i, d)
        if "history" not in batch:
            return self.key(model, items[:, None, None], torch.ones_like(features.mask[:, :1, :1]))
        history = batch["history"]
        return self.key(model, items[history.clamp_min(0)].unsqueeze(2), (history >= 0).unsqueeze(2))

    def forward(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        features, history = model.backbone(batch), batch["history"]
        places = range(int(history.max()) + 1)
        masks = [features.mask & (history == place).unsqueeze(-1) for place in places]
        items = torch.stack([vectors(model, features.tokens, mask) for mask in masks], dim=1)  # (b, h, d)
        real = torch.stack([mask.flatten(1).any(1) for mask in masks], dim=1)
        found = vectors(model, features.tokens, features.mask & (batch["side"] == 1).unsqueeze(-1)).unsqueeze(1)
        asked = self.key(model, items.unsqueeze(2), real.unsqueeze(2))
        one = torch.ones_like(features.mask[:, :1, :1])
        return (asked * self.key(model, found.unsqueeze(2), one)).sum(-1)

    def recommend(
        self, model: nn.Module, history: Sequence[str], candidates: Sequence[str], top: int | None = 10
    ) -> list[Ranked]:
        """The candidates that one who liked a history, oldest first, likes best; none that is in it.

        Raises:
            InputError: the history is empty.
        """
        had = [one_line(item) for item in history]
        if not had:
            raise InputError("the history is empty; give at least one item that was liked")
        new = [place for place, item in enumerate(candidates) if one_line(item) not in {*had}]
        asked = Inputs(text="\n".join(had[-self.options["history"] :]))
        ranked = self.rank(model, asked, [Inputs(text_pair=one_line(candidates[place])) for place in new], top)
        return [each._replace(place=new[each.place]) for each in ranked]


def _laid_out(made: Mapping[str, Tensor], histories: Sequence[Sequence[str]]) -> tuple[dict[str, Tensor], Tensor]:
    """What a processor made of all items (i, n, t) as rows of histories (b, h * n, t), whose offsets are those of the
    joined items; and (b, h * n) which item of its history each is, -1 for none."""
    n = made["input_ids"].shape[1]
    most = max(map(len, histories)) * n
    batch = {
        name: made[name].new_full((len(histories), most, *made[name].shape[2:]), -1 if name == "part" else 0)
        for name in TEXTS
    }
    history, first = torch.full((len(histories), most), -1), 0
    for row, items in enumerate(histories):
        begins = [sum(len(item) + 1 for item in items[:place]) for place in range(len(items))]
        rows = slice(first, first + len(items))
        for name in TEXTS:
            batch[name][row, : len(items) * n] = made[name][rows].flatten(0, 1)
        begin = torch.tensor(begins).repeat_interleave(n)[:, None, None]
        real = (batch["part"][row, : len(items) * n] >= 0).unsqueeze(-1)
        batch["offsets"][row, : len(items) * n] += begin * real
        history[row, : len(items) * n] = torch.arange(len(items)).repeat_interleave(n)
        first += len(items)
    return batch, history


def vectors(model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """One vector (b, d) of unit length for tokens (b, n, p, d), so that each item of a history counts the same."""
    flat = rearrange(tokens, "b n p d -> b (n p) d"), rearrange(mask, "b n p -> b (n p)")
    return functional.normalize(pool(*flat, model.backbone.pooling), dim=-1)


def one_line(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.splitlines())
