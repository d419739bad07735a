"""Occlusion: how much less sure the model is without a word, a part of the photo or a segment of the sound.

Notable: a photo's cells are judged as those of a caption are (`mm_memgpt.explain.evidence`), both left out and left
alone; of a text with more than MOST words, neighbours are left out together and share what that costs.

b rows   n items   t tokens, or samples   w words of all texts   r words that were read
"""

import torch
from torch import Tensor

from mm_memgpt.explain.evidence import GRID, hide, over_cells, windows
from mm_memgpt.explain.question import Question, Scores

MOST = 512
"""Times that a text is read at most."""


def occlusion(question: Question) -> Scores:
    """The scores of a row."""
    with torch.inference_mode():
        value = question.value().item()
        baseline = value - sum(value - question.value(**nothing).item() for nothing in question.nothings())
    return Scores(
        value,
        baseline,
        words=_words(question, value) if question.owner is not None else None,
        image=_cells(question, value) if "pixel_values" in question.batch else None,
        sound=_segments(question, value) if "input_values" in question.batch else None,
    )


def _words(question: Question, value: float) -> Tensor:
    """(w) scores, 0 of words that were not read."""
    read = question.owner[question.owner >= 0].unique()
    scores = torch.zeros(sum(map(len, question.spans)))
    together = max(1, -(-len(read) // MOST))
    ids, blank = question.batch["input_ids"], question.model.backbone.blank
    without = [
        torch.where(torch.isin(question.owner, some), torch.full_like(ids, blank), ids) for some in read.split(together)
    ]
    if without:
        drops = value - question.values("input_ids", torch.cat(without))
        shares = torch.tensor([len(some) for some in read.split(together)])
        scores[read.cpu()] = (drops / shares).repeat_interleave(shares)
    return scores


def _cells(question: Question, value: float) -> Tensor:
    covers = windows()
    whole = torch.ones(1, GRID, GRID, dtype=torch.bool)
    hidden = torch.cat([covers, ~covers, whole]).to(question.batch["pixel_values"].device)
    without, alone, nothing = question.values("pixel_values", hide(question.batch["pixel_values"], hidden)).split(
        [len(covers), len(covers), 1]
    )
    return over_cells(((value - without + alone - nothing) / 2).unsqueeze(1), covers)[0]


def _segments(question: Question, value: float) -> Tensor:
    sound, segments = question.batch["input_values"], question.segments()
    without = [sound.masked_fill(segments == number, 0) for number in range(len(question.edges) - 1)]
    return value - question.values("input_values", torch.cat(without))
