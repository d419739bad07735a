"""An answer from a memory, as HTML: each word linked to the photo, second or sentence that it rests on.

Notable: a word is linked to the source without which it becomes least probable, and to none where none matters; the
words of a quoted note are the note's. A photo is shown once for each of its words, bright where the word looked, a
sound or clip as a player that stands at the second, a note as its sentence; links work by keyboard.
"""

import math
from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

from PIL import Image, ImageOps

from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.explain.content import is_content
from mm_memgpt.explain.overlay import SIDE, overlay
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.recollection.answer_graph import answer_graph
from mm_memgpt.recollection.answer_nodes import Shown, shown_as
from mm_memgpt.recollection.results import Answer, Source, WordEvidence
from mm_memgpt.serve.memory_timeline import picture, when
from mm_memgpt.serve.memory_visitors import Given
from mm_memgpt.serve.pieces import factor
from mm_memgpt.serve.where import figure
from mm_memgpt.serve.words import percent, sureness
from mm_memgpt.types import InputError

LEAST = math.log(1.05)
"""Nats below which a word does not rest on a source: less than a twentieth less probable."""
DECLINED = "Nothing that is kept here answers this."
SURE = (
    "This is the mean probability of a token; it is not calibrated for answers. A word with a line under it leads to "
    "what it rests on."
)
QUOTED = "A sentence that was given, word by word. This is how much of the question it has."
MEDIA = {"sound": "audio", "clip": "video"}
"""The player of each kind."""


def answer(model: Pipeline, question: str, given: Answer, files: Mapping[str, Given]) -> str:
    """The words, how sure it is, and a card for each source that a word or the whole answer rests on.

    Args:
        model: what answered; it says where each word looked on a photo.
        question: what was asked.
        given: the answer.
        files: what went into the memory, by name.
    """
    if given.declined:
        return f'<div class="mm-result" role="status"><p class="mm-sentence">{DECLINED}</p></div>'
    quoted = is_quote(given)
    owners = [0 if quoted else rests_on(word) for word in given.words]
    words = " ".join(_word(word, owner, given.sources, quoted) for word, owner in zip(given.words, owners, strict=True))
    cards = {
        place: _card(
            place,
            source,
            _overlays(model, question, given, place, owners, files.get(source.path)),
            files.get(source.path),
            "quoted above" if quoted and place == 0 else weight(source.evidence),
        )
        for place, source in enumerate(given.sources)
        if place in owners or source.text or source.evidence >= LEAST
    }
    return (
        f'<div class="mm-result" role="status"><p class="mm-sentence">{words}</p>'
        f'<p class="mm-confidence"><strong>Confidence <span>{percent(given.confidence)}</span></strong> '
        f"{QUOTED if quoted else SURE}</p>"
        f'<ol class="mm-sources">{"".join(card for place, card in cards.items() if place in owners)}</ol>'
        f"{_rest([card for place, card in cards.items() if place not in owners])}{_graph(given, files)}</div>"
    )


def is_quote(given: Answer) -> bool:
    """Whether the answer is a sentence of the memory, which is its first source then."""
    return bool(given.sources) and given.sources[0].text == given.text


def rests_on(word: WordEvidence) -> int | None:
    """The place of the source that a word rests on most; None where it rests on none."""
    place, nats = max(word.sources, key=lambda pair: pair[1], default=(None, 0.0))
    return place if nats >= LEAST else None


def _word(word: WordEvidence, owner: int | None, sources: tuple[Source, ...], quoted: bool) -> str:
    shown, sure, link = escape(word.word), sureness(word.logprob), ""
    why = f"“{shown}” {percent(math.exp(word.logprob))}"
    if owner is not None:
        name, link = escape(sources[owner].path), f' href="#memory-source-{owner}"'
        why += f", {factor(dict(word.sources).get(owner, 0.0))} times less probable without {name}"
    if quoted:
        sure, why = 1.0, f"“{shown}” stands in {name}"
    figure_of = f'<span class="mm-figure">{why}</span>'
    return f'<a class="mm-word"{link} tabindex="0" style="--sure: {sure:.1%}">{shown}{figure_of}</a>'


def _rest(cards: list[str]) -> str:
    """What was found and no word rests on, folded up."""
    if not cards:
        return ""
    return f'<details><summary>What else was found</summary><ol class="mm-sources">{"".join(cards)}</ol></details>'


def _graph(given: Answer, files: Mapping[str, Given]) -> str:
    """The graph around the answer, where each source is called what its card calls it."""
    how = [shown(source, files.get(source.path)) for source in given.sources]
    drawn = answer_graph(given, how)
    return f'<details class="mm-around" open><summary>What it rests on</summary>{drawn}</details>'


def shown(source: Source, given: Given | None) -> Shown:
    """What a source is called, and when it was."""
    kind = shown_as(source).kind if given is None else given.kind
    return Shown(kind, when(source.modality, source.start, source.end, given))


def _card(place: int, source: Source, overlays: str, given: Given | None, mattered: str) -> str:
    kind, time = shown(source, given)
    if given is not None and kind in MEDIA:
        seen = player(given, source)
    elif source.text:
        seen = f'<blockquote class="mm-said">{escape(source.text)}</blockquote>'
    else:
        seen = overlays or (picture(source.preview, source.path) if source.preview else "")
    return (
        f'<li id="memory-source-{place}" class="mm-source">{seen}'
        f'<p class="mm-facts"><span class="mm-kind">{kind}</span> '
        f'<span class="mm-name">{escape(source.path)}</span> <span class="mm-when">{time}</span>, '
        f"{mattered}</p></li>"
    )


def weight(evidence: float) -> str:
    """What an answer loses without a source, in words."""
    if evidence < LEAST:
        return "the answer does not rest on it"
    return f"the answer is {factor(evidence)} times less probable without it"


def player(given: Given, source: Source) -> str:
    """A player that stands at the second at which the source's item begins, and stops where it ends."""
    start, end = max(source.start - given.at, 0.0), max(source.end - given.at, 0.0)
    span = f"{start:.2f},{end:.2f}" if end > start else f"{start:.2f}"
    address = f"gradio_api/file={quote(str(given.path))}#t={span}"
    tag = MEDIA[given.kind]
    return f'<{tag} controls preload="metadata" src="{address}" aria-label="{escape(source.path)}"></{tag}>'


def _overlays(
    model: Pipeline, question: str, given: Answer, place: int, owners: list[int | None], file: Given | None
) -> str:
    """The photo of a source once for each word that rests on it, or nothing where it is no photo that can be opened."""
    mine = [number for number, owner in enumerate(owners) if owner == place]
    if file is None or file.kind != "photo" or not mine:
        return ""
    try:
        photo = as_photo(Path(file.path), given.sources[place].path)
        evidence = model.explain(photo, f"{question} {given.text}")
    except InputError:
        return ""
    asked = len(evidence.words) - len(given.words)  # the question's own words come first
    small = ImageOps.contain(photo, (SIDE, SIDE), Image.Resampling.LANCZOS)
    named = [number for number in mine if is_content(given.words[number].word)] or mine
    pictures = [
        figure(overlay(small, evidence.evidence[asked + number].numpy()), given.words[number].word) for number in named
    ]
    return f'<div class="mm-where">{"".join(pictures)}</div>'
