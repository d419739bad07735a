"""Span: the piece of a passage that answers a question, to the character, or that it has none.

Notable: all windows of a passage compete in one softmax, so that their scores can be compared (shared normalisation,
arXiv:1710.10723); where several pieces are right, or one lies in two windows, it is their sum that is learned (there,
too); no answer is the first special token of the first window, as in arXiv:1810.04805 §4.3, and how much better
than the best piece it must be is chosen on the validation rows.

b rows   n windows   t tokens   m tokens of an answer at most
"""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from mm_memgpt.datasets.fields import as_texts
from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.evaluation.answers import answer_scores, token_f1
from mm_memgpt.objectives.imitation import aligned
from mm_memgpt.tasks.base import Batch, Example, Prediction, Scores, Task, flat, without_target
from mm_memgpt.types import InputError


class Answers(NamedTuple):
    """What is right for a row; both empty where the passage has no answer."""

    texts: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    """Characters of the passage, first to last and one."""


class Span(Task):
    """Extractive answers. Options: max_answer, tokens of an answer at most; null_threshold, how much higher no answer
    must score than the best piece to be said (learned).

    A prediction's value is the piece, "" of no answer; its details have the best piece's characters, start and end,
    score and null_score, and whether no_answer was said.
    """

    name = "span"
    roles: ClassVar = {"label": "the answers", "starts": "the characters at which they begin"}
    inputs = ("text", "text_pair")
    needs = ("text", "text_pair", "label")
    best = "f1"
    outputs = 2
    OPTIONS: ClassVar = {"max_answer": 30, "null_threshold": 0.0}
    DEFAULTS: ClassVar = {"over": "windows", "stride": 24}
    of_tokens = True

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        if self.options["max_answer"] < 1:
            raise ValueError(f"max_answer {self.options['max_answer']} must be at least 1 token; try max_answer=30")

    @classmethod
    def learn(cls, columns: Mapping[str, str], table: Table, options: Mapping[str, Any] | None = None) -> Task:
        task = super().learn(columns, table, options)
        for index in range(len(table)):
            with suppress(InputError):
                if task.example(table, index).target.texts:
                    return task
        raise InputError(
            f"{table.name}: no row has a usable answer in column {columns['label']!r}; give some that have"
        )

    def target(self, row: Row, place: str) -> Answers | None:
        name = self.columns["label"]
        if name not in row:
            return None
        given = row[name]
        if isinstance(given, (list, tuple)):
            given = [each for each in given if each != ""]
        texts, passage = as_texts(given, place, name), row[self.columns["text_pair"]]
        starts = _starts(row, self.columns.get("starts"), place, texts, passage)
        for text, start in zip(texts, starts, strict=True):
            if start < 0 or passage[start : start + len(text)] != text:
                where = f"at character {start} of" if start >= 0 else "in"
                raise InputError(
                    f"{place}: the answer {_short(text)} does not stand {where} {self.columns['text_pair']}"
                )
        spans = [_trimmed(text, start) for text, start in zip(texts, starts, strict=True)]
        return Answers(texts, tuple(dict.fromkeys(spans)))

    def targets(self, examples: Sequence[Example], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """labels (b, n * t, 2), True where a right answer begins and ends."""
        without_target(examples, "label")
        spans = [example.target.spans for example in examples]
        return {"labels": placed(batch, spans)}

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean of -log p(begin) and -log p(end); a row whose answers lie whole in no window has no part in it."""
        log_probabilities = _log_probabilities(outputs, batch)
        learned = batch["labels"].any(1).all(-1)
        if not learned.any():
            return 0 * outputs.float().sum()
        right = log_probabilities[learned].masked_fill(~batch["labels"][learned], -math.inf)
        return -right.logsumexp(1).mean()

    def imitation(self, answers: Tensor, taught: Tensor, batch: Batch, read: Batch, temperature: float) -> Tensor:
        """Of where the piece begins and where it ends: what the teacher gives to its tokens goes to the student's that
        hold their first, or last, characters; what none of those has is left out."""
        likely = _log_probabilities(taught / temperature, read).exp()
        own = _log_probabilities(answers / temperature, batch)
        losses = []
        for which, last in enumerate((False, True)):
            places = aligned(read, batch, last)  # (b, n * t of the teacher)
            given = (likely[..., which] * (places >= 0)).masked_fill(places < 0, 0)
            due = torch.zeros_like(own[..., which]).scatter_add(1, places.clamp_min(0), given)
            due = due * own[..., which].isfinite()
            due = due / due.sum(1, keepdim=True).clamp_min(1e-6)
            said = own[..., which].masked_fill(due == 0, 0)
            losses.append((torch.special.xlogy(due, due) - due * said).sum(1).mean())
        return temperature**2 * sum(losses) / 2

    def decode(self, outputs: Tensor, batch: Mapping[str, Tensor], examples: Sequence[Example]) -> list[Prediction]:
        outputs, (n, t) = outputs.detach().float(), batch["part"].shape[1:]
        m = min(self.options["max_answer"], t)
        scores = rearrange(outputs, "b (n t) o -> o b n t", n=n)
        begins, ends = scores.masked_fill(~answerable(batch), -math.inf)
        ends = functional.pad(ends, (0, m - 1), value=-math.inf).unfold(-1, m, 1)
        pieces = rearrange(begins.unsqueeze(-1) + ends, "b n t m -> b (n t m)")
        nothing = outputs.sum(-1).gather(1, null_places(batch).unsqueeze(1))  # (b, 1)
        total = torch.cat([pieces, nothing], dim=1).logsumexp(1)
        best, place = pieces.max(1)
        predictions = []
        for row, example in enumerate(examples):
            begin, length = divmod(int(place[row]), m)
            offsets = flat(batch["offsets"])[row]
            has = bool(best[row] > -math.inf)
            start, end = (int(offsets[begin, 0]), int(offsets[begin + length, 1])) if has else (0, 0)
            score, null = (float(best[row]) if has else None), float(nothing[row])
            details = {"start": start, "end": end, "score": score, "null_score": null, "total": float(total[row])}
            predictions.append(self._said(details, example))
        return predictions

    def _said(self, details: Mapping[str, Any], example: Example) -> Prediction:
        """The best piece or no answer, as the threshold has it."""
        score, null = details["score"], details["null_score"]
        no_answer = score is None or null - score > self.options["null_threshold"]
        value = "" if no_answer else example.inputs.text_pair[details["start"] : details["end"]]
        confidence = min(1.0, math.exp((null if no_answer else score) - details["total"]))
        return Prediction(value=value, confidence=confidence, details={**details, "no_answer": no_answer})

    def settle(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> list[Prediction]:
        """Sets null_threshold to what gives these rows the highest F1."""
        rows = []
        for prediction, example in zip(predictions, examples, strict=True):
            found, gold = prediction.details, example.target.texts
            if found["score"] is not None:
                piece = example.inputs.text_pair[found["start"] : found["end"]]
                rows.append((found["null_score"] - found["score"], token_f1(piece, gold) - token_f1("", gold)))
        if rows:
            self.options["null_threshold"] = best_threshold(rows)
        pairs = zip(predictions, examples, strict=True)
        return [self._said(prediction.details, example) for prediction, example in pairs]

    def confidence(self, outputs: Tensor, batch: Mapping[str, Tensor], predictions: Sequence[Prediction]) -> Tensor:
        """Log-probability that what was said begins and ends where it does."""
        spans = [
            () if each.details["no_answer"] else ((each.details["start"], each.details["end"]),) for each in predictions
        ]
        right = _log_probabilities(outputs, batch).masked_fill(~placed(batch, spans), -math.inf)
        return right.logsumexp(1).sum(-1)

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        return Scores(
            answer_scores([each.value for each in predictions], [example.target.texts for example in examples])
        )


def answerable(batch: Mapping[str, Tensor]) -> Tensor:
    """(b, n, t) True where a token is of the passage and stands for a character of it."""
    return (batch["part"] == 1) & (batch["offsets"][..., 1] > batch["offsets"][..., 0])


def null_places(batch: Mapping[str, Tensor]) -> Tensor:
    """(b) the place in n * t that stands for no answer: the first window's first special token, or its first token
    where its tokenizer makes no special ones."""
    special = (batch["part"][:, 0] < 0) & batch["attention_mask"][:, 0].bool()
    return special.int().argmax(1)


def placed(batch: Mapping[str, Tensor], spans: Sequence[Sequence[tuple[int, int]]]) -> Tensor:
    """(b, n * t, 2) True at the first and last token of spans of each row, in every window that has a span whole; of a
    row without spans, at the place of no answer. Of a span that no window has whole, nothing."""
    tokens = answerable(batch)
    begins, ends = batch["offsets"].unbind(-1)  # (b, n, t) each
    labels = tokens.new_zeros(*tokens.shape, 2)
    for row, places in enumerate(spans):
        for begin, end in places:
            inside = tokens[row] & (begins[row] < end) & (ends[row] > begin)  # (n, t)
            starts, stops = inside & (begins[row] <= begin), inside & (ends[row] >= end)
            for window in (starts.any(-1) & stops.any(-1)).nonzero().flatten().tolist():
                labels[row, window, int(starts[window].nonzero()[0]), 0] = True
                labels[row, window, int(stops[window].nonzero()[-1]), 1] = True
    labels = flat(labels)
    nothing = torch.tensor([not places for places in spans], device=labels.device)
    labels[nothing, null_places(batch)[nothing]] = True
    return labels


def best_threshold(rows: Sequence[tuple[float, float]]) -> float:
    """The threshold with the highest sum of gains: of rows (margin, gain), those whose margin is not above it count.

    Between two margins it is their middle; of equal ones the highest, so that an answer is said where it costs nothing.
    """
    rows = sorted(rows)
    margins = [margin for margin, _ in rows]
    edges = [margins[0] - 1, *margins, margins[-1] + 1]
    total, best, threshold = 0.0, 0.0, edges[0]
    for place, (margin, gain) in enumerate(rows, 1):
        total += gain
        if margin < edges[place + 1] and total >= best:
            best, threshold = total, (margin + edges[place + 1]) / 2
    return threshold


def _log_probabilities(outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """(b, n * t, 2) of beginning and of ending at each token of the passage, or saying no answer."""
    allowed = flat(answerable(batch)).scatter(1, null_places(batch).unsqueeze(1), True)
    return outputs.float().masked_fill(~allowed.unsqueeze(-1), -math.inf).log_softmax(1)


def _starts(row: Row, name: str | None, place: str, texts: Sequence[str], passage: str) -> list[int]:
    """Where answers begin: as given, or else where each is first found, -1 of one that is not."""
    if name is None or row.get(name) is None:
        return [passage.find(text) for text in texts]
    starts = row[name]
    if isinstance(starts, str):
        with suppress(ValueError):
            starts = json.loads(starts or "[]")
    starts = [starts] if isinstance(starts, int) else starts
    if not isinstance(starts, (list, tuple)) or any(type(start) is not int for start in starts):
        raise InputError(f"{place}: {_short(str(row[name]))} in {name} are no places; give a list of whole numbers")
    if texts and len(starts) != len(texts):
        raise InputError(f"{place}: {len(texts)} answers and {len(starts)} places in {name}; give each answer one")
    return list(starts) if texts else []


def _trimmed(text: str, start: int) -> tuple[int, int]:
    """Characters of an answer without the spaces around it."""
    begin = start + len(text) - len(text.lstrip())
    return begin, begin + len(text.strip())


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}..."
