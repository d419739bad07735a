"""Examples of memories as batches: those of one kind together, so that a lone photo is not filled up to a whole scene.

b memories   n items of the fullest   x m y z photos, stretches, pieces of sound and sentences of all memories
f frames of a stretch   r texts   t tokens
"""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate, count
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from mm_memgpt.training.items import Item, Text
from mm_memgpt.training.mixture import KINDS

PERCEIVED = ("image", "motion", "audio", "text")
"""Kinds of items, in the order in which `perceived` encodes them."""


class Bunches:
    """Collates examples to {"examples": (b) their kinds, "bunches": {kind: what `bunch` returns}}."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        kinds = [example["kind"] for example in examples]
        return {
            "examples": torch.tensor([KINDS.index(kind) for kind in kinds]),
            "bunches": {
                kind: self.bunch([example for example in examples if example["kind"] == kind])
                for kind in KINDS
                if kind in kinds
            },
        }

    def bunch(self, examples: list[dict[str, Any]]) -> dict[str, Tensor]:
        """The memories' items as `memory_of` puts them, and the texts about them.

        Returns:
            of `memory_of`, where there is any item, and input_ids, attention_mask and `learned` (r, t), True where a
            token is to be learned, and `owner` (r), the memory that each text is about, `about` (r, s), True for the
            sources that settle it, of `prior_of` and of `knowledge_of`. Behind prompts, padding is on the left.
        """
        texts = [text for example in examples for text in example["text"]]
        prompted = any(text.given > 1 for text in texts)
        fill = partial(pad_sequence, batch_first=True, padding_side="left" if prompted else "right")
        owner = [row for row, example in enumerate(examples) for _ in example["text"]]
        rows = [example["items"] for example in examples]
        most = 1 + max((item.source for row in rows for item in row), default=0)
        about = torch.zeros(len(texts), most, dtype=torch.bool)
        for row, text in enumerate(texts):
            about[row, list(text.about)] = True
        return (memory_of(rows, self.pad) if any(rows) else {}) | {
            "input_ids": fill([text.tokens for text in texts], padding_value=self.pad),
            "attention_mask": fill([torch.ones_like(text.tokens) for text in texts]),
            "learned": fill([torch.arange(len(text.tokens)) >= text.given for text in texts]),
            "owner": torch.tensor(owner),
            "about": about,
            **prior_of(texts),
            **knowledge_of(examples),
        }


def prior_of(texts: Sequence[Text]) -> dict[str, Tensor]:
    """prior_token and prior (r, k): the tokens that wordings make likelier, and by how much; none where none does."""
    if not any(text.prior for text in texts):
        return {}
    fill = partial(pad_sequence, batch_first=True)
    return {
        "prior_token": fill([torch.tensor([token for token, _ in text.prior], dtype=torch.long) for text in texts]),
        "prior": fill([torch.tensor([value for _, value in text.prior]) for text in texts]),
    }


def knowledge_of(examples: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """relations (b, n, n) between the items of b memories and entities (b, n, e) that they are linked to, as given."""
    found = {}
    if "relations" in examples[0]:
        most = max(len(example["relations"]) for example in examples)
        rows = [example["relations"] for example in examples]
        found["relations"] = torch.stack([pad(row, (0, most - len(row)) * 2) for row in rows])
    if "entities" in examples[0]:
        found["entities"] = pad_sequence([example["entities"] for example in examples], batch_first=True)
    return found


def memory_of(rows: Sequence[Sequence[Item]], pad: int) -> dict[str, Tensor]:
    """Items of b memories, each kind of item once.

    Returns:
        image (x, c, h, w), motion (m, f, c, h, w) with motion_mask (m, f), audio (y, c, h, w) and text (z, t) with
        text_mask, those that there are, counted through in this order; and of each memory
        `order` (b, n), which of these items comes next, `real` (b, n) True where
        one does, `time` (b, n, 2) and `source` (b, n).
    """
    contents = {kind: [item.content for row in rows for item in row if item.kind == kind] for kind in PERCEIVED}
    begins = dict(zip(PERCEIVED, accumulate([0, *map(len, contents.values())]), strict=False))
    nth = {kind: count(begin) for kind, begin in begins.items()}
    order = [torch.tensor([next(nth[item.kind]) for item in row], dtype=torch.long) for row in rows]
    time = [torch.tensor([item.time for item in row], dtype=torch.float64).view(-1, 2) for row in rows]
    source = [torch.tensor([item.source for item in row], dtype=torch.long) for row in rows]
    found = {kind: torch.stack(contents[kind]).float() for kind in ("image", "audio") if contents[kind]}
    if stretches := contents["motion"]:
        found["motion"] = pad_sequence(stretches, batch_first=True).float()
        frames = [torch.ones(len(maps), dtype=torch.bool) for maps in stretches]
        found["motion_mask"] = pad_sequence(frames, batch_first=True)
    if sentences := contents["text"]:
        found["text"] = pad_sequence(sentences, batch_first=True, padding_value=pad)
        found["text_mask"] = pad_sequence([torch.ones_like(ids) for ids in sentences], batch_first=True)
    return found | {
        "order": pad_sequence(order, batch_first=True),
        "real": pad_sequence([torch.ones(len(row), dtype=torch.bool) for row in rows], batch_first=True),
        "time": pad_sequence(time, batch_first=True),
        "source": pad_sequence(source, batch_first=True),
    }
