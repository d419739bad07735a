"""Examples of plain text: a passage alone, one behind the sentences before it, and a reply about a few sentences.

Notable: what comes before a passage is in the memory, sentence by sentence, as `WritingModel` puts it there, so what is
learned is what is read from it; a passage is cut where it becomes too long, and only a text that ends is taught to end.

t tokens
"""

from bisect import bisect_right
from collections.abc import Callable, Container, Sequence
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch

from mm_memgpt.datasets.chance import draw
from mm_memgpt.datasets.document import split
from mm_memgpt.training.corpus import Document, read_documents, read_texts
from mm_memgpt.training.items import Item, Texts
from mm_memgpt.training.recipe import DataSettings
from mm_memgpt.training.stream import Skip
from mm_memgpt.training.text_sources import ReplyText, RunningText
from mm_memgpt.types import InputError
from mm_memgpt.words import untokenised

REMEMBERED = 16
"""Sentences that a memory holds at most, in training."""

RECENT = 2
"""Turns of a dialogue that are read as they stand, a line each; those before are remembered."""

LETTERS = 8
"""Characters of a token, at most: a passage of more is cut anyway."""


class Prose:
    """Running texts of one source, of which a sentence is drawn, the same for each."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents
        self.edges = list(accumulate(len(document.sentences) for document in documents))

    def draw(self, generator: Random) -> tuple[tuple[str, ...], int]:
        """The sentences of a text, and the place of one of them."""
        number = int(generator.random() * self.edges[-1])
        document = bisect_right(self.edges, number)
        return self.documents[document].sentences, number - (self.edges[document - 1] if document else 0)


class Reply(NamedTuple):
    """What replies to something, and what is remembered then."""

    memory: tuple[str, ...]
    prompt: str
    text: str


class Passages:
    """Makes examples of running texts: dicts of "kind", "items" and "text".

    Args:
        prose: the sources.
        shares: how often each is drawn.
        texts: makes tokens.
        tokens: of an item of the memory; a longer sentence becomes several items.
    """

    def __init__(self, prose: Sequence[Prose], shares: Sequence[float], texts: Texts, tokens: int) -> None:
        self.prose, self.shares, self.texts, self.tokens = prose, shares, texts, tokens

    def alone(self, generator: Random) -> dict[str, Any]:
        """A passage, and no memory."""
        sentences, place = self._drawn(generator)
        return {"kind": "language", "items": [], "text": [self.texts(self._passage(sentences, place))]}

    def remembered(self, generator: Random) -> dict[str, Any] | None:
        """A passage, and the sentences before it; None where there are none."""
        sentences, place = self._drawn(generator)
        begin = max(0, place - draw(generator, range(1, REMEMBERED + 1)))
        if begin == place:
            return None
        items = items_of(sentences[begin:place], self.texts, self.tokens)
        return {"kind": "reading", "items": items, "text": [self.texts(self._passage(sentences, place))]}

    def _drawn(self, generator: Random) -> tuple[tuple[str, ...], int]:
        return draw(generator, self.prose, self.shares).draw(generator)

    def _passage(self, sentences: Sequence[str], place: int) -> str:
        """As many of the sentences from a place on as a text may hold, and the one by which it becomes too long."""
        taken, letters = [], 0
        for sentence in sentences[place:]:
            taken.append(sentence)
            letters += len(sentence)
            if letters > LETTERS * self.texts.longest:
                break
        return untokenised(" ".join(taken))


class Replies:
    """Makes examples of replies, likewise: of the sentences that are remembered, only the last ones where there are
    many."""

    def __init__(self, replies: Sequence[Sequence[Reply]], shares: Sequence[float], texts: Texts, tokens: int) -> None:
        self.replies, self.shares, self.texts, self.tokens = replies, shares, texts, tokens

    def __call__(self, generator: Random) -> dict[str, Any] | None:
        """What replies to a prompt; None where the prompt leaves no room for it."""
        memory, prompt, text = draw(generator, draw(generator, self.replies, self.shares))
        if len(self.texts.prompt(prompt)) > self.texts.longest // 2:
            return None
        items = items_of(memory, self.texts, self.tokens)
        return {"kind": "replies" if items else "language", "items": items, "text": [self.texts(text, prompt)]}


def items_of(sentences: Sequence[str], texts: Texts, tokens: int) -> list[Item]:
    """Sentences as items, a source and a second each, in pieces of as many tokens as an item holds."""
    items = []
    for source, sentence in enumerate(sentences):
        end = torch.tensor([texts.tokenizer.eos_token_id])
        ids = torch.cat([texts.prompt(untokenised(sentence)), end])
        items += [Item("text", piece, (float(source), float(source)), source) for piece in ids.split(tokens)]
    return items


def plain_makers(
    data: DataSettings, kinds: Container[str], texts: Texts, tokens: int, part: str, skip: Skip
) -> dict[str, Callable[[Random], dict[str, Any] | None]]:
    """What makes the examples of plain text of a part ("train" or "val"), by kind, of those kinds that come.

    Raises:
        InputError: a file is missing or broken, or holds nothing to learn from.
    """
    found: dict[str, Callable[[Random], dict[str, Any] | None]] = {}
    if "language" in kinds or "reading" in kinds:
        prose = [Prose(read_documents([_file(data, source, part)], source.text, skip)) for source in data.texts]
        passages = Passages(prose, [source.share for source in data.texts], texts, tokens)
        found |= {"language": passages.alone, "reading": passages.remembered}
    if "replies" in kinds:
        replies = [_replies(_file(data, source, part), source, skip) for source in data.replies]
        found["replies"] = Replies(replies, [source.share for source in data.replies], texts, tokens)
    return found


def _file(data: DataSettings, source: RunningText | ReplyText, part: str) -> str:
    return str(Path(data.root) / (source.path if part == "train" else source.val))


def _replies(file: str, source: ReplyText, skip: Skip) -> list[Reply]:
    if replies := (_rows if source.turns is None else _turns)(file, source, skip):
        return replies
    raise InputError(f"{file}: nothing that replies to anything; name other columns, or leave the source out")


def _turns(file: str, source: ReplyText, skip: Skip) -> list[Reply]:
    replies = []
    for _, [written] in read_texts(file, {"turns": source.turns}, skip):
        turns = tuple(untokenised(turn) for turn in written.split("\n"))
        for place in range(1, len(turns)):
            read = max(0, place - RECENT)
            ahead = "".join(f"{turn}\n" for turn in turns[read:place])
            replies.append(Reply(turns[max(0, read - REMEMBERED) : read], ahead, turns[place]))
    return replies


def _rows(file: str, source: ReplyText, skip: Skip) -> list[Reply]:
    columns = {"memory": source.memory, "text": source.text}
    if source.prompt is not None:
        columns["prompt"] = source.prompt
    replies = []
    for _, [memory, text, *prompt] in read_texts(file, columns, skip):
        sentences = split(text.split("\n")[0])[: source.sentences]
        if sentences:
            asked = prompt[0] if prompt else source.asked
            replies.append(Reply(tuple(split(memory)[:REMEMBERED]), asked, " ".join(sentences)))
    return replies
