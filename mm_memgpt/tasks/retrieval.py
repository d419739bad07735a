"""Retrieval: what is asked and what is to be found get keys by one encoder, and those that belong together lie close.

Notable: a fresh model's keys are those of its backbone, normalised, so that it ranks as well as the backbone does
before it has learned anything; rows with the same question are one question.

b rows   n items   p tokens per item   w width of the adapter, and of keys   c to be found
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.backbones.base import Inputs, Processor
from mm_memgpt.datasets.fields import as_label, as_text, as_texts
from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.ranking import ranking_scores
from mm_memgpt.objectives.imitation import soft_loss
from mm_memgpt.objectives.retrieval import retrieval_loss
from mm_memgpt.tasks.base import Batch, Example, Prediction, Scores, Task
from mm_memgpt.tasks.gathered import Gathered, Known, digest, gather
from mm_memgpt.tasks.queries import questions, rank_all, rank_own
from mm_memgpt.tasks.sides import join, within
from mm_memgpt.tasks.together import Together, Trained
from mm_memgpt.types import Features, InputError

RIGHT, WRONG = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
"""Labels, in small letters, of a pair that is right, and of one that is not."""

HIGHEST_SCALE = 100.0
"""Cosines are multiplied by at most that much (arXiv:2103.00020 §2.5)."""


class Ranked(NamedTuple):
    """One of those that were ranked."""

    place: int
    """Its place among the candidates, from 0."""
    score: float
    """Cosine of its key and the question's."""


@dataclass(frozen=True, kw_only=True)
class PairPrediction(Prediction):
    """The cosine of a pair, with the keys it came from."""

    asked: Any
    """(w,) of what is asked."""
    found: Any
    """(w,) of what was to be found."""


class Keys(nn.Module):
    """The output layer: a linear map that begins as identity, to unit length; and what cosines are multiplied by."""

    def __init__(self, width: int, temperature: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        nn.init.eye_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def forward(self, pooled: Tensor) -> Tensor:
        return functional.normalize(self.linear(pooled).float(), dim=-1)

    @property
    def scale(self) -> Tensor:
        return self.log_scale.exp().clamp_max(HIGHEST_SCALE)


class Sides(NamedTuple):
    """What a model says of a batch."""

    asked: Tensor
    """(b, w) unit length."""
    found: Tensor
    """(c, w) unit length."""
    scale: Tensor
    """What cosines are multiplied by."""

    @property
    def ranking(self) -> Tensor:
        """(b, c) scaled cosines."""
        return self.scale * (self.asked.float() @ self.found.float().T)


class Retrieval(Task):
    """Finds a text, photo or sound by another. Options: hard (negatives a row), mine (search them where none is named),
    temperature (it learns on from there), symmetric."""

    name = "retrieval"
    roles: ClassVar = {
        "label": "whether the pair is right: 1 or 0, true or false; every pair where there is none",
        "negatives": "texts that are not to be found",
    }
    best = "mrr"
    together = "text"
    OPTIONS: ClassVar = {"hard": 1, "mine": False, "temperature": 0.05, "symmetric": False}

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        hard, temperature = self.options["hard"], self.options["temperature"]
        if not isinstance(hard, int) or hard < 0:
            raise ValueError(f"hard {hard!r} must be a whole number, at least 0; try hard=1")
        if not 0.01 <= temperature <= 1:
            raise ValueError(f"temperature {temperature} must be from 0.01 to 1; try temperature=0.05")
        given = [role for role in self.inputs if role in columns]
        if len(given) < 2:
            raise ValueError(
                f"task {self.name} names {given[0]} alone; name what is asked and what is found: text and text_pair, "
                "text and image, image and text_pair"
            )
        things = [role for role in ("image", "sound") if role in columns]
        self.found_by = ("text_pair",) if "text_pair" in columns else tuple(things if "text" in columns else things[1:])
        self.asked_by = tuple(role for role in given if role not in self.found_by)
        if "negatives" in columns and self.found_by != ("text_pair",):
            raise ValueError(f"negatives are texts, and {' and '.join(self.found_by)} is to be found; leave them out")

    def head(self, width: int) -> nn.Module:
        return Keys(width, self.options["temperature"])

    # rows

    def asked(self, inputs: Inputs) -> Inputs:
        """Of a row's inputs what is asked, as the backbone reads it."""
        return Inputs(**{role: getattr(inputs, role) for role in self.asked_by})

    def found(self, inputs: Inputs) -> Inputs:
        """Of a row's inputs what is to be found, as the backbone reads it."""
        return Inputs(**{role.removesuffix("_pair"): getattr(inputs, role) for role in self.found_by})

    def apart(self, inputs: Inputs) -> list[Inputs]:
        return [self.asked(inputs), self.found(inputs)]

    def target(self, row: Row, place: str) -> bool | None:
        name = self.columns.get("label")
        if name is None:  # all rows are right
            return True
        if row.get(name) is None:
            return None
        label = as_label(row[name], place, name)
        if label.lower() not in (*RIGHT, *WRONG):
            raise InputError(f"{place}: label {label!r} in {name} is neither right nor wrong; write 1 or 0")
        return label.lower() in RIGHT

    def gather(self, table: Table, rows: Sequence[int]) -> tuple[Table, Sequence[int]]:
        known = {number: self._known(table, number) for number in rows}
        texts = self.asked_by == ("text",) and self.found_by == ("text_pair",)
        gathered = gather(table, known, self.options["hard"], texts, self.passed_over if self.options["mine"] else None)
        if not any(known[number] is not None for number in gathered.rows):
            raise InputError(f"{table.name}: no row is right; give some whose label is 1, or leave the label out")
        return gathered, range(len(gathered))

    def _known(self, table: Table, number: int) -> Known | None:
        try:
            row, place = table[number], table.place(number)
            negatives = ()
            if "negatives" in self.columns:
                negatives = as_texts(row[self.columns["negatives"]], place, self.columns["negatives"])
            asked, found = (self._identity(row, place, roles) for roles in (self.asked_by, self.found_by))
            return Known(asked, found, self.target(row, place) is not False, negatives)
        except InputError:
            return None

    def _identity(self, row: Row, place: str, roles: Sequence[str]) -> str:
        """What tells the cells of a row from others."""
        cells = []
        for role in roles:
            cell = row[self.columns[role]]
            cells.append(as_text(cell, place, role) if role in ("text", "text_pair") else digest(cell))
        return "\n".join(cells)

    def example(self, table: Table, index: int) -> Example:
        example = super().example(table, index)
        known = self._known(table, index)
        if not isinstance(table, Gathered):
            return example._replace(further=known)
        wrongs = [
            (each, Inputs(text=each))
            if isinstance(each, str)
            else (
                self._known(table.table, each).found,
                self.found(self.read(table.table[each], table.table.place(each), table)),
            )
            for each in table.wrongs[index]
        ]
        rights = frozenset(table.rights[known.asked])
        return example._replace(further=Trained(known.asked, known.found, rights, tuple(wrongs)))

    # learning

    def collate(self, processor: Processor) -> Together:
        return Together(self, processor)

    def answers(self, model: nn.Module, batch: Batch) -> Sides:
        asked, found = (self.keys(model, within(batch, side)) for side in ("asked", "found"))
        return Sides(asked, found, model.head.scale)

    def loss(self, outputs: Sides, batch: Batch) -> Tensor:
        labels, counts = batch["labels"], batch["counts"]
        return retrieval_loss(*outputs[:2], labels, counts, outputs.scale, self.options["symmetric"])

    def imitation(self, answers: Sides, taught: Sides, batch: Batch, read: Batch, temperature: float) -> Tensor:
        """Of how all that the batch holds to be found is ranked by each that asks."""
        return soft_loss(answers.ranking, taught.ranking, temperature)

    def imitated_keys(self, answers: Sides, features: Sequence[Features]) -> list[Tensor]:
        return [answers.asked, answers.found]

    # keys

    def side(self, processor: Processor, inputs: Sequence[Inputs], which: str) -> dict[str, Tensor]:
        """A batch of what is asked or of what is found, as `keys` takes it."""
        return processor(inputs)

    def prepare(self, processor: Processor, inputs: Sequence[Inputs]) -> dict[str, Tensor]:
        asked, found = ([side(each) for each in inputs] for side in (self.asked, self.found))
        return join(processor(asked), processor(found))

    def forward(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The cosine (b) of each row's pair."""
        features = model.backbone(batch)
        sides = (features.mask & (batch["side"] == side).unsqueeze(-1) for side in (0, 1))
        asked, found = (self.key(model, features.tokens, mask) for mask in sides)
        return (asked * found).sum(-1)

    def keys(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Keys (b, w) of what a processor made of one side."""
        features = model.backbone(batch)
        return self.key(model, features.tokens, features.mask)

    def key(self, model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """Keys (b, w) of tokens (b, n, p, d)."""
        adapted = model.adapter(rearrange(tokens, "b n p d -> b (n p) d"), rearrange(mask, "b n p -> b (n p)"))
        return model.head(adapted.pooled)

    def keys_of(self, model: nn.Module, inputs: Sequence[Inputs], which: str, batch: int = 32) -> Tensor:
        """Keys (b, w) of any number of inputs of one side, asked or found; those alike are read once, and those of like
        length together."""
        inputs = [getattr(self, which)(each) for each in inputs]
        distinct = {id(each) if each.text is None else each.text: each for each in inputs}
        order = sorted(distinct, key=lambda name: len(distinct[name].text or ""))
        keys: dict[Any, Tensor] = {}
        for begin in range(0, len(order), batch):
            names = order[begin : begin + batch]
            made = model.placed(self.side(model.backbone.processor, [distinct[name] for name in names], which))
            keys |= dict(zip(names, self.keys(model, made).detach().float().cpu(), strict=True))
        return torch.stack([keys[id(each) if each.text is None else each.text] for each in inputs])

    # what is said

    def predict(self, model: nn.Module, examples: Sequence[Example]) -> list[Prediction]:
        asked, found = (self.keys_of(model, [each.inputs for each in examples], side) for side in ("asked", "found"))
        cosines = (asked * found).sum(-1).tolist()
        return [
            PairPrediction(value=round(cosine, 6), asked=ask.numpy(), found=find.numpy())
            for cosine, ask, find in zip(cosines, asked, found, strict=True)
        ]

    def decode(self, outputs: Tensor, batch: Mapping[str, Tensor], examples: Sequence[Example]) -> list[Prediction]:
        return [Prediction(value=round(cosine, 6)) for cosine in outputs.tolist()]

    def confidence(self, outputs: Tensor, batch: Mapping[str, Tensor], predictions: Sequence[Prediction]) -> Tensor:
        return outputs

    @torch.inference_mode()
    def rank(self, model: nn.Module, asked: Inputs, candidates: Sequence[Inputs], top: int | None = 10) -> list[Ranked]:
        """The best of candidates for what is asked, best first; all where `top` is None.

        Args:
            model: in evaluation mode.
            asked: what is asked, in its roles.
            candidates: each in the roles of what is found.
            top: how many.
        """
        if not candidates:
            return []
        scores = (self.keys_of(model, candidates, "found") @ self.keys_of(model, [asked], "asked").T).squeeze(1)
        order = scores.argsort(descending=True, stable=True)[:top].tolist()
        return [Ranked(place, round(scores[place].item(), 6)) for place in order]

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """`mrr` and `hits@k`: where rows say what is wrong, by each question's own rows; otherwise each question ranks
        all that is to be found in any row. `queries` counts those that were ranked, `left_out` those without a right
        answer."""
        queries = questions(examples)
        if any(example.target is False for example in examples):
            ranks = rank_own(queries, predictions)
        else:
            ranks = rank_all(queries, predictions, self.passed_over)
        ranked = [rank for rank in ranks if rank is not None]
        if not ranked:
            raise InputError(f"{examples[0].place}: no row is right; give rows whose label is 1")
        counts = {"queries": len(ranked), "left_out": len(ranks) - len(ranked)}
        return Scores({**ranking_scores(ranked), **{name: Score(n, n, n) for name, n in counts.items()}})

    def passed_over(self, asked: str) -> frozenset[str]:
        """What is not to be found for a question, of all that there is."""
        return frozenset()
