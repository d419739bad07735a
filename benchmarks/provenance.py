"""Which source does a written word come from? What leaving it out costs the word, against attention, and chance.

    python -m benchmarks.provenance                          validation
    python -m benchmarks.provenance --part test --write      the test's, into the page and its plot

Notable: only words whose source is known count: right answers to questions that an item settles, and content words of
sentences about a memory that people used of one of its photos (or that stand in one of its notes, or name one of its
sounds) and of nothing else in it; every method ranks the same sources of the same memories, and is judged by whether
its first one is that source, and by what a word loses as its first ones are left out.

n sources   s slots   m memory tokens   t tokens of prompt and text   h heads
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.errors import tells_errors
from benchmarks.questions import BATCH, Answerer
from mm_memgpt.datasets.answers import score
from mm_memgpt.datasets.chance import draw
from mm_memgpt.datasets.pools import PARTS
from mm_memgpt.datasets.scenes import Scene
from mm_memgpt.datasets.summaries import PROMPT
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.evaluation.plots import figure_class
from mm_memgpt.explain.content import is_content, stem, stems
from mm_memgpt.explain.slots import keeping
from mm_memgpt.layers.gate import GatedCrossAttention
from mm_memgpt.models.seam import memory_layers
from mm_memgpt.objectives.looking import token_sources
from mm_memgpt.objectives.remembering import perceived
from mm_memgpt.training.bunches import memory_of
from mm_memgpt.training.items import Item, Text
from mm_memgpt.training.memories import SHOWN, positioned
from mm_memgpt.types import InputError, MemoryState
from mm_memgpt.words import owners, words

ANSWERS = ("photo", "seen", "heard", "digit", "note")
"""Questions whose answer is read off one item; "seen" and "heard" find it by another, which settles it too."""

SENTENCES = ("described", "summed up")
"""What a photo shows that is asked for by its place, and what happened in all."""

KINDS = (*ANSWERS, *SENTENCES)

METHODS = {
    "evidence": "evidence (ours): what leaving a source out costs",
    "attention": "attention, all reading layers",
    "later": "attention, the later layers, which training let look at what settles a question",
    "random": "a source at random",
}

FORGOTTEN = (0, 1, 2, 3)
"""How many sources are left out, the first of a method's ranking first, along the deletion curve."""

LONGEST = 40
"""Tokens of a written sentence."""

DOCS = Path(__file__).parents[1] / "docs"
PAGE, IMAGE = DOCS / "benchmarks_memory.md", DOCS / "images" / "provenance.png"


class Known(NamedTuple):
    """A text about a memory, and those of its words whose source is known."""

    kind: str
    items: list[Item]
    text: Text
    words: list[tuple[slice, frozenset[int]]]
    """Places of each word's tokens behind the prompt, and the sources that settle it."""


class Traced(NamedTuple):
    """A word of known source: whether each method's first source is it, and what its first ones are worth."""

    kind: str
    text: int
    """The number of the text it stands in."""
    sources: int
    hits: list[bool]
    """By method."""
    drops: np.ndarray
    """(methods, forgotten) change of the word's log-probability, nats."""


def answers(answerer: Answerer, limit: int) -> Iterator[Known]:
    """Of the first `limit` questions of ANSWERS about more than one source, those that the model answers rightly."""
    chosen = (each for each in answerer.asked(sys.maxsize, False) if each.question.kind in ANSWERS)
    questions = islice((each for each in chosen if len({item.source for item in each.items}) > 1), limit)
    while batch := list(islice(questions, BATCH)):
        for each, said in zip(batch, answerer.answers(batch, emptied=False), strict=True):
            if score(each.question.answer, said):
                text = answerer.memories.texts(each.question.answer, each.question.text)
                known = (slice(0, len(text.tokens) - text.given - 1), frozenset(each.question.about))
                yield Known(each.question.kind, each.items, text, [known])


def sentences(answerer: Answerer, limit: int) -> Iterator[Known]:
    """What the model writes of one photo and of all of the first `limit` scenes of two photos or more."""
    memories, found = answerer.memories, 0
    for number in count():
        if found == limit:
            return
        generator = Random(f"sentences {number}")
        scene = memories.scene(generator)
        if len(scene.photos) < 2:
            continue
        found += 1
        items, place = memories.items(scene, generator), draw(generator, range(len(scene.photos)))
        told = [stems(sentences) for sentences in people(answerer, scene)]
        prompts = (SHOWN.format(positioned(place, len(scene.photos))), PROMPT)
        for kind, prompt in zip(SENTENCES, prompts, strict=True):
            text = written(answerer, items, prompt)
            if known := sourced(answerer, text, told):
                yield Known(kind, items, text, known)


def people(answerer: Answerer, scene: Scene) -> Iterator[list[str]]:
    """What people would say of each item of a scene: a photo's sentences, a sound's name, a note itself."""
    for item in scene.items:
        if item.photo is not None:
            row = item.photo.row
            yield list(answerer.memories.maps[row.file].captions[row.number])
        else:
            heard = item.sound or item.digit
            yield [item.note.text if heard is None else heard.label.replace("_", " ")]


@torch.inference_mode()
def written(answerer: Answerer, items: list[Item], prompt: str) -> Text:
    """What the model writes of a memory behind a prompt, greedily."""
    model, given = answerer.model, answerer.memories.texts.prompt(prompt)
    memory, mask = model.read(remembered(answerer, items))
    how = {"max_new_tokens": LONGEST, "num_beams": 1, "do_sample": False}
    [tokens] = model.generate(given.unsqueeze(0), memory=memory, memory_mask=mask, **how)
    return Text(tokens, len(given))


def sourced(answerer: Answerer, text: Text, told: list[set[str]]) -> list[tuple[slice, frozenset[int]]]:
    """The content words of a text that belong to one item of a scene, of which people say what `told` has."""
    ids = text.tokens[text.given : -1].tolist()
    cut, owner = owners(answerer.tokenizer, ids)
    known = []
    for place, word in enumerate(cut):
        found = {stem(part) for part in words(word)}
        sources = frozenset(source for source, said in enumerate(told) if found & said)
        if is_content(word) and len(sources) == 1:
            tokens = [token for token, each in enumerate(owner) if each == place]
            known.append((slice(tokens[0], tokens[-1] + 1), sources))
    return known


def remembered(answerer: Answerer, items: list[Item]) -> MemoryState:
    """The memory of some items."""
    return answerer.model.write(perceived(answerer.model, memory_of([items], answerer.tokenizer.pad_token_id)))


@torch.inference_mode()
def trace(answerer: Answerer, known: Known, number: int, chance: torch.Generator) -> Iterator[Traced]:
    """What each method says of each word of known source of text `number`."""
    model, state = answerer.model, remembered(answerer, known.items)
    sources = sorted({item.source for item in known.items})
    scores = logprobs(model, state, [(), *((source,) for source in sources)], known.text)  # (1 + n, t)
    looks = list(looked(model, state, sources, known.text))
    for place, settles in known.words:
        full, *without = scores[:, place].sum(1).tolist()
        ranked = {"evidence": torch.tensor([full - each for each in without])}
        ranked |= {name: look[place].sum(0) for name, look in zip(("attention", "later"), looks, strict=True)}
        ranked["random"] = torch.rand(len(sources), generator=chance)
        orders = [[sources[at] for at in ranked[name].argsort(descending=True).tolist()] for name in METHODS]
        left_out = [tuple(order[:many]) for order in orders for many in FORGOTTEN]
        drops = logprobs(model, state, left_out, known.text)[:, place].sum(1).view(len(METHODS), -1) - full
        yield Traced(known.kind, number, len(sources), [order[0] in settles for order in orders], drops.numpy())


def logprobs(model: nn.Module, state: MemoryState, left_out: Sequence[tuple[int, ...]], text: Text) -> Tensor:
    """Log-probability (groups, t) of each token behind the prompt, from a memory without each group of sources."""
    keep = torch.stack([~torch.isin(state.source[0], torch.tensor(group)) for group in left_out])  # (groups, s)
    memory, mask = model.read(keeping(state, keep, model.bank.empty()))
    logits = model.teacher_forced(text.tokens.expand(len(keep), -1), memory, mask)[:, text.given - 1 :]
    due = text.tokens[text.given :].expand(len(keep), -1).unsqueeze(-1)
    return logits.float().log_softmax(-1).gather(-1, due).squeeze(-1)


def looked(model: nn.Module, state: MemoryState, sources: Sequence[int], text: Text) -> Iterator[Tensor]:
    """Attention (t, n) on each source where each token behind the prompt is predicted: of all layers, of the later."""
    fused = model.fuser(state)
    memory, mask = model.readable(fused)
    with attention(model) as weights:
        model.teacher_forced(text.tokens.unsqueeze(0), memory, mask)
    owner = token_sources(state, fused)[0]  # (m)
    for layers in (weights, weights[len(weights) // 2 :]):
        mean = torch.stack(layers)[:, 0, :, text.given - 1 :, 1:].mean((0, 1))  # (t, m), the null token left out
        yield torch.stack([mean[:, owner == source].sum(1) for source in sources], dim=1)


@contextmanager
def attention(model: nn.Module) -> Iterator[list[Tensor]]:
    """A list that gets each reading layer's attention, (1, h, t, 1 + m)."""
    weights: list[Tensor] = []

    def notice(cross: GatedCrossAttention, args: tuple[Tensor, Tensor, Tensor | None]) -> None:
        hidden, projected, mask = args
        weights.append(cross.attention.weights(cross.norm(hidden), projected, mask).float())

    hooks = [layer.cross.register_forward_pre_hook(notice) for layer in memory_layers(model.decoder)]
    try:
        yield weights
    finally:
        for hook in hooks:
            hook.remove()


def rates(traced: Sequence[Traced]) -> list[Score]:
    """The share of hits by method, then by how much evidence is ahead of each other one, word by word; intervals are
    over texts, whose words are not independent."""
    hits = np.array([each.hits for each in traced], dtype=float)
    counted = np.column_stack([hits, hits[:, :1] - hits[:, 1:], np.ones(len(hits))])
    _, text = np.unique([each.text for each in traced], return_inverse=True)
    by_text = np.zeros((text.max() + 1, counted.shape[1]))
    np.add.at(by_text, text, counted)
    return bootstrap(by_text, lambda sums: sums[:, :-1] / sums[:, -1:])


def table(traced: Sequence[Traced]) -> str:
    """Of answers, of sentences and of all, a line a method in Markdown."""
    groups = {"all": KINDS, "answers": ANSWERS, "sentences": SENTENCES}
    groups |= {kind: (kind,) for kind in SENTENCES}
    lines = [
        "| words of | known words | method | first source is theirs | evidence ahead by | without it, nats |",
        "|---|---:|---|---|---|---:|",
    ]
    for name, kinds in groups.items():
        chosen = [each for each in traced if each.kind in kinds]
        if not chosen:
            continue
        found, drops = rates(chosen), np.mean([each.drops for each in chosen], axis=0)
        for place, title in enumerate(METHODS.values()):
            value, low, high = found[place]
            lead = "" if place == 0 else "{:.3f} ({:.3f} to {:.3f})".format(*found[len(METHODS) + place - 1])
            cells = [name, str(len(chosen)), title, f"{value:.3f} ({low:.3f} to {high:.3f})", lead]
            lines.append(f"| {' | '.join(cells)} | {drops[place, 1]:.2f} |")
    return "\n".join(lines)


def plot(traced: Sequence[Traced], file: Path) -> None:
    """The deletion curves."""
    drops = np.mean([each.drops for each in traced], axis=0)
    figure = figure_class()(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, drop, style in zip(METHODS, drops, ("o-", "s--", "d-.", "^:"), strict=True):
        axes.plot(FORGOTTEN, drop, style, label=name)
    axes.set(xlabel="sources left out, a method's first ones", ylabel="change of a word's log-probability (nats)")
    axes.set_xticks(FORGOTTEN)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=120)


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--part", choices=PARTS[1:], default="val", help="whose photos, sounds and notes they are")
    parser.add_argument("--folds", nargs="+", type=int, help="of ESC-10; default: the part's")
    parser.add_argument("--limit", type=int, default=1000, help="questions, and half as many scenes; default: 1000")
    parser.add_argument("--maps", type=Path, default=Path("runs/maps"), help="what trunks made of photos and sounds")
    parser.add_argument("--write", action="store_true", help="renew the page and its plot")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    answerer, chance = Answerer(given.model, given), torch.Generator().manual_seed(0)
    texts = enumerate(chain(answers(answerer, given.limit), sentences(answerer, given.limit // 2)))
    traced = [word for number, known in tqdm(texts) for word in trace(answerer, known, number, chance)]
    if not traced:
        raise InputError(f"{given.model}: no word of a known source was written; nothing to trace")
    result = table(traced)
    print(result)
    if given.write:
        plot(traced, IMAGE)
        replace_sections(PAGE, {"provenance": result})
    return 0


if __name__ == "__main__":
    sys.exit(main())
