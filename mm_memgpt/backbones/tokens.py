"""Texts as tokens that know their characters, cut or laid in windows where they are longer than a model reads.

Notable: everything is tokenised whole and then chosen by position, so that one rule serves every tokenizer; of a pair,
the first text (a question) is kept and the second (a passage) gives way.

n windows   t tokens
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from mm_memgpt.backbones.base import Inputs, Processor

WAYS = ("head", "ends", "windows")
"""What becomes of a text over the limit: its beginning is read, or its beginning and end (the first quarter of the room
for the beginning: arXiv:1905.05583 §5.3.1), or all of it, in windows."""


class Encoding(NamedTuple):
    """A text or a pair as tokens; all lists are as long."""

    ids: list[int]
    types: list[int]
    part: list[int]
    offsets: list[tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How texts are made to fit."""

    longest: int
    """Tokens of an item at most."""
    over: str = "head"
    """One of WAYS."""
    stride: int = 0
    """Tokens that a window shares with the one before it."""
    windows: int = 64
    """Windows of a text at most; the rest of it is left out."""

    def __post_init__(self) -> None:
        if self.over not in WAYS:
            raise ValueError(f"over {self.over!r} is unknown; known: {', '.join(WAYS)}")
        if self.longest < 8:
            raise ValueError(f"longest {self.longest} must be at least 8 tokens; try longest=128")
        if not 0 <= self.stride < self.longest // 2:
            raise ValueError(
                f"stride {self.stride} must be at least 0 and below half of longest {self.longest}; "
                f"try stride={self.longest // 4}"
            )
        if self.windows < 1:
            raise ValueError(f"windows {self.windows} must be at least 1; try windows=64")


def blank(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that says nothing: the one for what is masked or, of a tokenizer without it, unknown or padding."""
    known = (tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id)
    return next((number for number in known if number is not None), 0)


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], pairs: Sequence[str] | None) -> list[Encoding]:
    """Texts, or pairs of texts, whole, with the tokenizer's special tokens."""
    if not tokenizer.is_fast:
        return [_slowly(tokenizer, text, None if pairs is None else pairs[row]) for row, text in enumerate(texts)]
    found = tokenizer(
        list(texts),
        None if pairs is None else list(pairs),
        add_special_tokens=True,
        truncation=False,
        padding=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=True,
        verbose=False,
    )
    parts = [[-1 if part is None else part for part in found.sequence_ids(row)] for row in range(len(texts))]
    rows = []
    for row, part in enumerate(parts):
        read = (texts[row], "" if pairs is None else pairs[row])
        places = zip(part, found["offset_mapping"][row], strict=True)
        offsets = [(0, 0) if which < 0 else _trimmed(read[which], *place) for which, place in places]
        rows.append(Encoding(found["input_ids"][row], found["token_type_ids"][row], part, offsets))
    return rows


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    """Without the space in front of a word, which some tokenizers count as the word's."""
    while begin < end and text[begin].isspace():
        begin += 1
    return begin, end


def _slowly(tokenizer: PreTrainedTokenizerBase, text: str, pair: str | None) -> Encoding:
    """With a tokenizer that knows nothing of characters: a word at a time, each token standing for its whole word."""
    ids: list[list[int]] = []
    offsets: list[list[tuple[int, int]]] = []
    for each in (text,) if pair is None else (text, pair):
        ids.append([])
        offsets.append([])
        for word in re.finditer(r"\s*(\S+)", each):  # with the space before it, which is a token of some
            tokens = tokenizer.encode(word[0], add_special_tokens=False)
            ids[-1] += tokens
            offsets[-1] += [word.span(1)] * len(tokens)
    whole = tokenizer.build_inputs_with_special_tokens(*ids)
    part, placed, numbers = [], [], [(which, i) for which, tokens in enumerate(ids) for i in range(len(tokens))]
    for token in whole:
        if numbers and token == ids[numbers[0][0]][numbers[0][1]]:
            which, i = numbers.pop(0)
            part.append(which)
            placed.append(offsets[which][i])
        else:
            part.append(-1)
            placed.append((0, 0))
    return Encoding(whole, [max(0, each) for each in part], part, placed)


def fitted(encoding: Encoding, fit: Fit) -> list[Encoding]:
    """The encoding as items of at most `fit.longest` tokens."""
    if len(encoding.ids) <= fit.longest:
        return [encoding]
    last = max(encoding.part)
    body = [place for place, part in enumerate(encoding.part) if part == last]
    kept = _within(encoding, fit.longest - min(len(body), fit.longest // 2)) if last == 1 else set()
    frame = [place for place, part in enumerate(encoding.part) if part == -1 or place in kept]
    room = fit.longest - len(frame)
    return [_chosen(encoding, sorted([*frame, *piece])) for piece in _pieces(body, room, fit)]


def _within(encoding: Encoding, room: int) -> set[int]:
    """The places of the first text's tokens that fit into `room` beside the special ones."""
    special = sum(part == -1 for part in encoding.part)
    places = [place for place, part in enumerate(encoding.part) if part == 0]
    return set(places[: max(0, room - special)])


def _pieces(body: list[int], room: int, fit: Fit) -> list[list[int]]:
    if fit.over == "head":
        return [body[:room]]
    if fit.over == "ends":
        first = room // 4
        return [[*body[:first], *body[len(body) - (room - first) :]]]
    step = max(1, room - fit.stride)
    begins = range(0, max(1, len(body) - fit.stride), step)
    return [body[begin : begin + room] for begin in begins[: fit.windows]]


def _chosen(encoding: Encoding, places: list[int]) -> Encoding:
    return Encoding(*([field[place] for place in places] for field in encoding))


def left_out(processor: Processor, inputs: Inputs) -> int:
    """About how many tokens of a row's texts are not read, by a processor with a `fit`."""
    fit, texts = processor.fit, [text for text in (inputs.text, inputs.text_pair) if text is not None]
    if sum(len(text.encode()) + 2 for text in texts) <= fit.longest:  # a token has a byte at least
        return 0
    further = (fit.windows - 1) * (fit.longest - fit.stride) if fit.over == "windows" else 0
    return max(0, processor.length(inputs) - fit.longest - further)


def stacked(rows: Sequence[Sequence[Encoding]], pad: int) -> dict[str, Tensor]:
    """Rows of items as tensors (b, n, t), as `Processor` describes them; padding on the right."""
    b, n = len(rows), max(map(len, rows))
    t = max(len(item.ids) for row in rows for item in row)
    batch = {
        "input_ids": torch.full((b, n, t), pad),
        "attention_mask": torch.zeros(b, n, t, dtype=torch.long),
        "token_type_ids": torch.zeros(b, n, t, dtype=torch.long),
        "part": torch.full((b, n, t), -1),
        "offsets": torch.zeros(b, n, t, 2, dtype=torch.long),
    }
    for row, items in enumerate(rows):
        for number, item in enumerate(items):
            place = (row, number, slice(len(item.ids)))
            batch["input_ids"][place] = torch.tensor(item.ids)
            batch["attention_mask"][place] = 1
            batch["token_type_ids"][place] = torch.tensor(item.types)
            batch["part"][place] = torch.tensor(item.part)
            batch["offsets"][place] = torch.tensor(item.offsets)
    return batch
