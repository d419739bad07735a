"""A summary of sentences that the document holds: read in one go, in bounded memory, however long it is.

Notable: what is kept is the document's gist and a bounded number of candidates, which are weighed anew when the gist is
that of the whole; so a document of no more sentences than that is summarised exactly, and a longer one in constant
memory.

n sentences
"""

from collections.abc import Iterable
from itertools import islice

import torch
from torch import Tensor, nn

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.document import Sentence
from mm_memgpt.tasks.gist import Gist, Read, bank_of, counted, likeness, nothing, told
from mm_memgpt.tasks.summary import Length, Source, Summary, SummarySentence
from mm_memgpt.types import InputError

CANDIDATES = 256
"""Sentences of which a summary is chosen."""

AT_A_TIME = 64
"""Sentences read at a time."""

WORDS = 4
"""Words that a sentence has at least; headings and captions have fewer, and are chosen when all others are."""

LAST = 100.0
"""What puts a sentence behind all others, whose saliences have a standard deviation of 1."""

EMPTY = "holds no sentence; give a text with words in it"
"""What is wrong with a document of no sentences."""


class Extractor:
    """Sentences in, a summary out.

    Args:
        model: a `TaskModel` of summarization, in evaluation mode.
        redundancy: how much a sentence loses for being like one that is chosen: this times their cosine, where the
            saliences have a standard deviation of 1.
        candidates: sentences of which a summary is chosen.
    """

    def __init__(self, model: nn.Module, redundancy: float = 0.0, candidates: int = CANDIDATES) -> None:
        self.model, self.redundancy, self.candidates = model, redundancy, candidates

    @torch.inference_mode()
    def __call__(self, sentences: Iterable[Sentence], length: Length, name: str = "text") -> Summary:
        """The summary of a document.

        Args:
            sentences: its own, in order, each with its place.
            length: how long the summary is to be.
            name: of the document, for the error.

        Raises:
            InputError: it holds no sentence.
        """
        kept: dict[str, tuple[int, Sentence]] = {}  # one of those that say the same
        read: Read | None = None
        gist = bank = None
        for some in _chunks(sentences):
            first = 0 if gist is None else gist.sentences
            new = self._read([sentence.text for sentence in some], first)
            if gist is None:
                bank = bank_of(new.vector.shape[1], new.key.shape[1], self.model.task.options["slots"])
                gist = nothing(bank)
            gist = told(bank, gist, new)
            fresh = [place for place, each in enumerate(some) if _distinct(kept, each, first + place)]
            read = _joined(read, new.taken(torch.tensor(fresh, dtype=torch.long)))
            if len(kept) > 2 * self.candidates:
                kept, read = self._best(kept, read, self.model.head(bank, gist, read))
        if gist is None:
            raise InputError(f"{name}: {EMPTY}")
        salience = self.model.head(bank, gist, read)
        if len(kept) > self.candidates:
            kept, read = self._best(kept, read, salience)
            salience = self.model.head(bank, gist, read)
        return self._summary([*kept.values()], read, salience, gist, length)

    def _read(self, texts: list[str], first: int) -> Read:
        batch = self.model.placed(self.model.backbone.processor([Inputs(text=text) for text in texts]))
        vector, key = self.model.task.vectors(self.model, batch)
        further = self.model.placed(counted(texts, first))
        return Read(vector, key, **further)

    def _best(
        self, kept: dict[str, tuple[int, Sentence]], read: Read, salience: Tensor
    ) -> tuple[dict[str, tuple[int, Sentence]], Read]:
        """The candidates with the highest salience, in the order of the document."""
        places = salience.topk(self.candidates).indices.sort().values
        names = [*kept]
        return {names[place]: kept[names[place]] for place in places.tolist()}, read.taken(places)

    def _summary(
        self, kept: list[tuple[int, Sentence]], read: Read, salience: Tensor, gist: Gist, length: Length
    ) -> Summary:
        sentences, words = length.room(gist.length)
        chosen = choose(salience, read, sentences, words, self.redundancy)
        told_of = []
        for place in sorted(chosen):
            number, sentence = kept[place]
            told_of.append(SummarySentence(text=sentence.text, sources=(Source.of(sentence, number),)))
        short = len(chosen) < sentences and int(read.length[chosen].sum()) < 0.9 * words
        bounded = short and len(chosen) == len(kept) and gist.sentences > len(kept)
        return Summary(sentences=tuple(told_of), of_sentences=gist.sentences, of_words=gist.length, bounded=bounded)


def choose(salience: Tensor, read: Read, sentences: float, words: float, redundancy: float = 0.0) -> list[int]:
    """Which sentences make the summary, the first chosen first: maximal marginal relevance (Carbonell and Goldstein
    1998), within a number of sentences and words, at least one.

    A sentence is taken where that brings the length nearer to what is wanted; one of a few words, a heading, last.
    """
    worth = (salience - salience.mean()) / salience.std(correction=0).clamp_min(1e-6)
    worth = worth - LAST * (read.length < WORDS)
    near = torch.zeros_like(worth)
    left = torch.ones_like(worth, dtype=torch.bool)
    chosen: list[int] = []
    total = 0
    while left.any() and len(chosen) < sentences and total < words:
        place = int((worth - redundancy * near).masked_fill(~left, -torch.inf).argmax())
        left[place] = False
        size = int(read.length[place])
        if chosen and total + size / 2 > words:
            continue
        chosen.append(place)
        total += size
        if redundancy:
            near = near.maximum(likeness(read.key, read.key[place : place + 1]).squeeze(1))
    return chosen


def _chunks(sentences: Iterable[Sentence]) -> Iterable[list[Sentence]]:
    rest = iter(sentences)
    while some := list(islice(rest, AT_A_TIME)):
        yield some


def _distinct(kept: dict[str, tuple[int, Sentence]], sentence: Sentence, number: int) -> bool:
    """Whether no candidate says the same; it is one from now on."""
    name = sentence.text.casefold()
    if name in kept:
        return False
    kept[name] = (number, sentence)
    return True


def _joined(one: Read | None, other: Read) -> Read:
    if one is None:
        return other
    wide = max(one.words.shape[1], other.words.shape[1])
    padded = [
        each._replace(words=nn.functional.pad(each.words, (0, wide - each.words.shape[1]), value=-1))
        for each in (one, other)
    ]
    return Read(*(torch.cat(pair) for pair in zip(*padded, strict=True)))
