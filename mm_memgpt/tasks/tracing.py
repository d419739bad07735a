"""Which sentences of a document a written sentence came from: those without which it would have been less likely.

Notable: this is causal, not attention: the text is scored once with the whole document and once without each of its
sentences, near-duplicates as one, for leaving one of two that say the same out changes nothing; where the document
changes nothing at all, shared words decide, and where none are shared, the sentence has no source.

n sources   w words of a text
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from mm_memgpt.datasets.document import Sentence, placed
from mm_memgpt.tasks.gist import SHORTEST
from mm_memgpt.tasks.lexical import BM25
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.summary import Source, Summary, SummarySentence
from mm_memgpt.words import owners, words

if TYPE_CHECKING:
    from mm_memgpt.tasks.writing_model import WritingModel

SOURCES = 32
"""Sentences that are left out in turn; of more, those that share most words with the text."""

ALIKE = 0.8
"""Words that two near-duplicates share, of all that they have."""

LEAST = 0.1
"""Fall of a sentence's log-probability, in nats, that says that it came from a source."""

NAMED = 3
"""Sources that a sentence names at most."""

AT_A_TIME = 8
"""Prompts scored at a time."""

FromSentences = Callable[[Sequence[str]], Prompt]
"""Makes the prompt of a document of these sentences."""


def trace(model: "WritingModel", prompt: FromSentences, document: Sequence[Sentence], text: str) -> Summary:
    """A written text as a summary whose sentences name their sources.

    Args:
        model: wrote it.
        prompt: as it was written from.
        document: its sentences, each with its place.
        text: what was written.
    """
    told = placed(text)
    size = sum(len(words(sentence.text)) for sentence in document)
    if not told:
        return Summary(sentences=(), of_sentences=len(document), of_words=size)
    groups = near_duplicates(document, candidates(document, text))
    falls = leaving_out(model, prompt, document, groups, text, told)
    sentences = []
    for sentence, fall in zip(told, falls, strict=True):
        shares = [each if each >= LEAST else 0.0 for each in fall]
        if not any(shares):
            shares = shared(sentence.text, [document[group[0]].text for group in groups])
        sentences.append(SummarySentence(text=sentence.text, sources=_sources(document, groups, shares)))
    return Summary(sentences=tuple(sentences), of_sentences=len(document), of_words=size)


def candidates(document: Sequence[Sentence], text: str) -> list[int]:
    """The places of the sentences that may be sources, in order."""
    if len(document) <= SOURCES:
        return [*range(len(document))]
    scores = BM25([sentence.text for sentence in document])(text)
    return sorted((-scores).argsort(kind="stable")[:SOURCES].tolist())


def near_duplicates(document: Sequence[Sentence], places: Sequence[int]) -> list[list[int]]:
    """The places in groups of sentences that say the same."""
    groups: list[tuple[set[str], list[int]]] = []
    for place in places:
        said = {*words(document[place].text)}
        for others, group in groups:
            if len(said & others) >= ALIKE * max(1, len(said | others)):
                group.append(place)
                break
        else:
            groups.append((said, [place]))
    return [group for _, group in groups]


@torch.inference_mode()
def leaving_out(
    model: "WritingModel",
    prompt: FromSentences,
    document: Sequence[Sentence],
    groups: Sequence[Sequence[int]],
    text: str,
    told: Sequence[Sentence],
) -> list[list[float]]:
    """Of each sentence of a text, by how many nats it is less likely without each group of the document's."""
    whole = [sentence.text for sentence in document]
    prompts = [prompt(whole)]
    prompts += [prompt([said for place, said in enumerate(whole) if place not in {*group}]) for group in groups]
    owner = _owners(model, prompts[0], text, told)
    found = []
    for begin in range(0, len(prompts), AT_A_TIME):
        some = prompts[begin : begin + AT_A_TIME]
        for logprobs in model.score(some, [text] * len(some)):
            sums = torch.zeros(len(told))
            found.append(sums.index_add(0, owner, logprobs[: len(owner)].float()))
    full, *without = found
    return torch.stack([full - each for each in without], -1).tolist() if without else [[] for _ in told]


def shared(sentence: str, sources: Sequence[str]) -> list[float]:
    """How much of a sentence's words, but for short ones, each source has."""
    said = {word for word in words(sentence) if len(word) >= SHORTEST}
    return [len(said & {*words(source)}) / max(1, len(said)) for source in sources]


def _owners(model: "WritingModel", prompt: Prompt, text: str, told: Sequence[Sentence]) -> torch.Tensor:
    """(t) the number of the sentence that each token of a text belongs to."""
    tokens = model.processor.written(text, prompt)[:-1]
    _, of_words = owners(model.tokenizer, tokens)
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    ends = [sentence.end for sentence in told]
    last = len(told) - 1
    sentence_of = [min(last, sum(end <= start for end in ends)) for start in starts]
    return torch.tensor([sentence_of[min(word, len(starts) - 1)] for word in of_words], dtype=torch.long)


def _sources(
    document: Sequence[Sentence], groups: Sequence[Sequence[int]], shares: Sequence[float]
) -> tuple[Source, ...]:
    """The groups with the largest shares, each by its first sentence."""
    total = sum(shares)
    if not total:
        return ()
    order = sorted(range(len(groups)), key=lambda place: -shares[place])[:NAMED]
    return tuple(
        Source.of(document[groups[place][0]], groups[place][0], shares[place] / total)
        for place in order
        if shares[place] > 0
    )
