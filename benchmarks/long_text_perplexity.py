"""How well a reader foretells novels it has not read: the loss of each block of a few long stretches.

Notable: the state is carried from the first to the last token of a stretch, and all ways to read see the same blocks,
so they are compared block by block.
"""

from argparse import Namespace
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from mm_memgpt.models.long_text_files import Reader
from mm_memgpt.training.corpus import read_documents
from mm_memgpt.training.long_text import words_of
from mm_memgpt.training.skipped import Skipped
from mm_memgpt.types import InputError

BLOCK = 2048
"""Tokens of a block."""

BATCH = 4
"""Stretches read at a time."""


def perplexity(reader: Reader, arguments: Namespace) -> dict[str, Any]:
    """The summed loss of each block, in order, with its number in the stretch, its words and bytes."""
    ids, place = stretches(reader, arguments)
    blocks = []
    for first in range(0, len(ids), BATCH):
        losses = read(reader, ids[first : first + BATCH], place[first : first + BATCH])
        for row, found in enumerate(losses.unflatten(1, (-1, BLOCK)).sum(-1).tolist(), start=first):
            for number, loss in enumerate(found):
                text = reader.tokenizer.decode(ids[row, number * BLOCK : (number + 1) * BLOCK])
                blocks.append({"loss": loss, "number": number, "words": len(text.split()), "bytes": len(text.encode())})
    return {"blocks": blocks, "tokens": ids.numel()}


@torch.no_grad()
def read(reader: Reader, ids: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """The loss (b, t) of each token, given all before it in its stretch."""
    size, losses = reader.model.reads.segment, []
    state = reader.model.begin(len(ids))
    for begin in range(0, ids.shape[1], size):
        part = slice(begin, begin + size)
        logits, state = reader.model.read(state, ids[:, part], place[:, part])
        losses.append(cross_entropy(logits.float().transpose(1, 2), ids[:, part], reduction="none"))
    return torch.cat(losses, dim=1)


def stretches(reader: Reader, arguments: Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and places (rows, tokens) of stretches that follow each other, in turn from each novel."""
    path = arguments.data / "text" / "books" / "val.parquet"
    tokens = arguments.tokens // BLOCK * BLOCK
    documents = [
        words_of(each, reader.tokenizer)
        for each in read_documents([str(path)], "text", Skipped(arguments.output / "skipped.jsonl"))
    ]
    whole = [(number, row) for row in range(1000) for number, each in enumerate(documents) if holds(each, row, tokens)]
    if len(whole) < arguments.rows or tokens == 0:
        raise InputError(f"{path}: has {len(whole)} stretches of {tokens} tokens, not {arguments.rows}; ask for fewer")
    chosen = [(documents[number], slice(row * tokens, (row + 1) * tokens)) for number, row in whole[: arguments.rows]]
    return torch.stack([d.ids[part] for d, part in chosen]), torch.stack([d.place[part] for d, part in chosen])


def holds(document: Any, row: int, tokens: int) -> bool:
    """Whether a document is long enough for its stretch of this number."""
    return (row + 1) * tokens <= len(document.ids)
