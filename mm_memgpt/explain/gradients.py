"""Integrated gradients: how much each word, cell or segment adds to the confidence on the way from nothing to the row.

`score_i = (x_i - x'_i) * integral over a from 0 to 1 of dF(x' + a (x - x')) / dx_i` (arXiv:1703.01365, equation 1),
x the embeddings of the tokens, the pixels and the samples, x' those of a row that says nothing.

Notable: the scores add up to the confidence less that of nothing, but for what the steps miss, which is told as
`delta`; the sum is captum's. Of two sides that are compared by a cosine each has its own way, beside the other as it
is, for nothing is just like nothing; the baseline is then what both ways lead back to, one after the other.

b rows   n items   t tokens, or samples   e width of the embeddings
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mm_memgpt.explain.evidence import GRID
from mm_memgpt.explain.question import Question, Scores
from mm_memgpt.types import InputError

STEPS = 32
"""Points on the way."""
LONG = 128
"""Tokens of a row above which half as many do: 3.8 core-seconds of MiniLM at 256 tokens."""
MISSED = 0.05
"""Share of the sum that may be missed; where it is more, four times as many points are taken."""
MOST = 8192
"""Tokens, of all points together, up to which that is done."""
TOKENS = 2048
"""Tokens, of all steps together, that are read at a time."""


def integrated_gradients(question: Question) -> Scores:
    """The scores of a row, by the Gauss-Legendre rule, which takes few points.

    Raises:
        ImportError: captum is not installed; the message names the extra.
        InputError: no gradient reaches what is read.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise ImportError('integrated gradients need captum: pip install "mm-memgpt[explain]"') from error

    parts = [_of_one(question, nothing, IntegratedGradients) for nothing in question.nothings()]
    value = parts[0].value
    return Scores(
        value,
        value - sum(part.value - part.baseline for part in parts),
        words=_summed([part.words for part in parts]),
        image=_summed([part.image for part in parts]),
        sound=_summed([part.sound for part in parts]),
        delta=sum(part.delta for part in parts),
    )


def _summed(scores: list[Tensor | None]) -> Tensor | None:
    """The scores of all parts together; None where none has any."""
    found = [each for each in scores if each is not None]
    return torch.stack(found).sum(0) if found else None


def _of_one(question: Question, nothing: dict[str, Tensor], gradients: Any) -> Scores:
    """The scores on the way from a row that lacks something to the whole row."""
    there, value = _continuous(question, {name: question.batch[name] for name in nothing})
    empty, baseline = _continuous(question, nothing)
    names = tuple(there)

    def confidence(*tensors: Tensor) -> Tensor:
        return _confidence(question, dict(zip(names, tensors, strict=True)))

    tokens = 256 if question.owner is None else question.owner.numel()
    steps = STEPS if tokens <= LONG else STEPS // 2
    captum, rows = gradients(confidence), max(1, TOKENS // tokens)
    while True:
        found, delta = _attributed(captum, tuple(there.values()), tuple(empty.values()), steps, rows)
        if abs(delta) <= MISSED * abs(value - baseline) or 4 * steps * tokens > MOST:
            break
        steps *= 4
    by_name = dict(zip(names, (each[0].detach().float() for each in found), strict=True))
    return Scores(
        value,
        baseline,
        words=_by_word(question, by_name["input_ids"]) if "input_ids" in by_name else None,
        image=_by_cell(by_name["pixel_values"]) if "pixel_values" in by_name else None,
        sound=_by_segment(question, by_name["input_values"]) if "input_values" in by_name else None,
        delta=delta,
    )


def _attributed(
    captum: Any, there: tuple[Tensor, ...], empty: tuple[Tensor, ...], steps: int, rows: int
) -> tuple[tuple[Tensor, ...], float]:
    """Scores of all numbers, and what is missing to their sum, by `steps` points, `rows` of them at a time."""
    with torch.backends.cudnn.flags(enabled=False):  # it has no way back through a recurrent layer in evaluation
        try:
            found, delta = captum.attribute(
                there, empty, n_steps=steps, internal_batch_size=rows, return_convergence_delta=True
            )
        except RuntimeError as error:
            if "used in the graph" not in str(error) and "does not require grad" not in str(error):
                raise
            raise InputError("no gradient reaches what this model reads; take the method occlusion") from None
    return found, delta.item()


def _continuous(question: Question, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
    """What the row is as numbers that can be changed a little, embeddings (1, n, t, e) for tokens; its confidence."""
    seen: list[Tensor] = []
    if "input_ids" not in tensors:
        with torch.no_grad():
            return dict(tensors), question.value(**tensors).item()
    hook = question.model.backbone.embedding.register_forward_hook(lambda _, __, output: seen.append(output))
    try:
        with torch.no_grad():
            value = question.value(**tensors).item()
    finally:
        hook.remove()
    embedded = seen[0].reshape(tensors["input_ids"].shape + seen[0].shape[-1:])
    return {**tensors, "input_ids": embedded}, value


def _confidence(question: Question, tensors: dict[str, Tensor]) -> Tensor:
    """The confidence (b) with embeddings (b, n, t, e) for tokens."""
    if "input_ids" not in tensors:
        return question.value(**tensors)
    embedded = tensors.pop("input_ids")
    ids = question.batch["input_ids"].expand(len(embedded), -1, -1)
    with _given(question.model.backbone.embedding, embedded):
        return question.value(**tensors, input_ids=ids)


@contextmanager
def _given(embedding: nn.Module, embedded: Tensor) -> Iterator[None]:
    """Has a layer give these embeddings, whatever it is asked for."""
    hook = embedding.register_forward_hook(lambda _, __, output: embedded.reshape(output.shape))
    try:
        yield
    finally:
        hook.remove()


def _by_word(question: Question, found: Tensor) -> Tensor:
    """(n, t, e) summed over the tokens of each word: (w)."""
    by_token, owner = found.sum(-1)[question.owner >= 0], question.owner[question.owner >= 0]
    return by_token.new_zeros(sum(map(len, question.spans))).index_add(0, owner, by_token)


def _by_cell(found: Tensor) -> Tensor:
    """(3, h, w) summed over the pixels of each cell: (GRID, GRID)."""
    _, height, width = found.shape
    rows, columns = (
        torch.nn.functional.one_hot(torch.arange(side, device=found.device) * GRID // side, GRID).to(found)
        for side in (height, width)
    )
    return torch.einsum("chw,hi,wj->ij", found, rows, columns)


def _by_segment(question: Question, found: Tensor) -> Tensor:
    """(n, t) summed over the samples of each segment: (s)."""
    return found.new_zeros(len(question.edges) - 1).index_add(0, question.segments().flatten(), found.flatten())
