"""Needles in essays: is one made sentence found in a long text, wherever it stands and however it is asked for?

    python -m benchmarks.needles --data ../shared/data --write

Notable: the memory is used as a user uses it, `memory.add` of a text file and `memory.ask`; a needle is found where its
own sentence is the answer. Each is asked for in its own words and in others, which word search cannot follow. What is
not read is not found, so a window of the last tokens is counted as if it read all that it holds without a fault.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from random import Random
from typing import NamedTuple

import pandas as pd

import mm_memgpt
from benchmarks.errors import tells_errors
from mm_memgpt.datasets.chance import draw
from mm_memgpt.datasets.document import split
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.recollection.memory import Memory
from mm_memgpt.tasks.lexical import BM25

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where a needle stands, as a share of the text."""

FORMS = (
    (
        "The password of the {place} is {word}.",
        "What is the password of the {place}?",
        "Which word lets you into the {place}?",
    ),
    (
        "{name} keeps the spare key under the {thing}.",
        "Where does {name} keep the spare key?",
        "How does {name} get in?",
    ),
    ("{name} was born in {town}.", "Where was {name} born?", "What is the birthplace of {name}?"),
    ("The {thing} was sold to {name} for a song.", "Who was the {thing} sold to?", "Who bought the {thing}?"),
    (
        "The best thing to eat in {town} is {food}.",
        "What is the best thing to eat in {town}?",
        "What do cooks in {town} do well?",
    ),
)
"""A needle, the question in its own words, and one in others."""

DRAWN = {
    "place": "cellar;green gate;boathouse;east tower;observatory;old mill;attic;wine store;signal box;summer house",
    "word": "marigold;thunder;walnut;saffron;lantern;heron;pebble;juniper;copper;velvet",
    "name": "Marta;Oskar;Ines;Tomas;Greta;Ruben;Selma;Anton;Frida;Jonas;Paulina;Viktor",
    "thing": "flowerpot;blue canoe;accordion;weathervane;rocking horse;birdcage;cello;sundial;rowing boat;doormat",
    "town": "Lisbon;Tromso;Bergen;Ghent;Salamanca;Trieste;Riga;Porto;Cracow;Tartu",
    "food": "smoked eel;plum dumplings;chestnut soup;rye cake;pickled herring;almond bread;leek tart;quince jelly",
}


class Needle(NamedTuple):
    """A sentence that is looked for."""

    sentence: str
    questions: tuple[str, str]
    """In its own words, and in others."""
    depth: float
    place: int = 0
    """Which sentence of the text it is."""


class Haystack(NamedTuple):
    """A long text and what is looked for in it."""

    sentences: list[str]
    needles: list[Needle]


OWN, OTHER = "in its own words", "in other words"


def make_needles(generator: Random, depths: Sequence[float]) -> list[Needle]:
    """A needle for each depth; no two of one text share a form and what it is about."""
    made: dict[str, Needle] = {}
    for number, depth in enumerate(depths):
        while True:
            form = FORMS[number % len(FORMS)]
            filled = {what: draw(generator, options.split(";")) for what, options in DRAWN.items()}
            sentence, *questions = (each.format(**filled) for each in form)
            if questions[0] not in made:
                made[questions[0]] = Needle(sentence, tuple(questions), depth)
                break
    return list(made.values())


def haystack(essays: Sequence[str], characters: int, depths: Sequence[float], generator: Random) -> Haystack:
    """Essays in a drawn order, again from the first where they do not suffice, cut to that length, and needles."""
    hay, size = [], 0
    for essay in cycle(generator.sample(list(essays), k=len(essays))):
        for sentence in split(essay):
            if size + len(sentence) > characters:
                break
            hay.append(sentence)
            size += len(sentence) + 1
        else:
            continue
        break
    needles = sorted(make_needles(generator, depths), key=lambda needle: needle.depth)
    placed = [needle._replace(place=round(needle.depth * len(hay)) + number) for number, needle in enumerate(needles)]
    for needle in placed:
        hay.insert(needle.place, needle.sentence)
    return Haystack(hay, placed)


def haystacks(essays: Sequence[str], characters: int, each: int, generator: Random) -> list[Haystack]:
    """So many needles at each depth: in one text where it is long, else one a depth in as many texts."""
    if characters >= 50_000:
        return [haystack(essays, characters, DEPTHS * each, generator)]
    return [haystack(essays, characters, DEPTHS, generator) for _ in range(each)]


def asked(hay: Haystack, model: Pipeline, folder: Path) -> dict[str, list[list[bool]]]:
    """What a memory of the text answers, and what its search finds, to both questions about each needle."""
    folder.mkdir()
    (folder / "text.txt").write_text("\n\n".join(hay.sentences), encoding="utf-8")
    with model.memory(folder / "memory") as memory:
        memory.add(str(folder / "text.txt"))
        return {
            "memory.ask": by(hay, lambda question: memory.ask(question).text),
            "memory.search, the first": by(hay, lambda question: first(memory, question, 1)),
            "memory.search, one of five": by(hay, lambda question: first(memory, question, 5)),
        }


def first(memory: Memory, question: str, k: int) -> list[str]:
    """The sentences that are found first."""
    return [hit.text for hit in memory.search(question, k=k)]


def by(hay: Haystack, answer: Callable[[str], str | Sequence[str]]) -> list[list[bool]]:
    """Of each needle and both questions, whether the answer is its sentence, or has it among several."""
    found = []
    for needle in hay.needles:
        answers = [answer(question) for question in needle.questions]
        found.append([needle.sentence in ([each] if isinstance(each, str) else each) for each in answers])
    return found


def by_words(hay: Haystack) -> list[list[bool]]:
    """The best sentence by BM25."""
    search = BM25(hay.sentences)
    return by(hay, lambda question: hay.sentences[int(search(question).argmax())])


def by_window(hay: Haystack, count: Callable[[str], int], window: int) -> list[list[bool]]:
    """What the last tokens of the text hold."""
    held, size = set(), 0
    for place in range(len(hay.sentences) - 1, -1, -1):
        size += count(hay.sentences[place])
        if size > window:
            break
        held.add(place)
    return [[needle.place in held] * 2 for needle in hay.needles]


def measure(given: argparse.Namespace) -> list[dict]:
    """A row for each text, needle and way to find it."""
    essays = pd.read_parquet(given.data / "memory" / "essays.parquet")["text"].tolist()
    model, rows = mm_memgpt.load(given.model), []
    tokenizer = model.processor.tokenizer

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    for characters in given.characters:
        started = time.monotonic()
        for hay in haystacks(essays, characters, given.each, Random(f"{given.seed}:{characters}")):
            with tempfile.TemporaryDirectory() as folder:
                found = asked(hay, model, Path(folder) / "run")
            found |= {"BM25": by_words(hay), f"the last {given.window:,} tokens": by_window(hay, count, given.window)}
            for name, hits in found.items():
                for needle, (own, other) in zip(hay.needles, hits, strict=True):
                    rows.append({"way": name, "characters": characters, "depth": needle.depth, OWN: own, OTHER: other})
        print(f"{characters:,} characters: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return rows


def tables(rows: Sequence[dict]) -> list[str]:
    """Found by length of the text, then by depth, with 95 % intervals."""
    table = pd.DataFrame(rows)
    return [*lines(table, "characters", "{:,}"), "", *lines(table, "depth", "{:.0%}")]


def lines(table: pd.DataFrame, along: str, form: str) -> list[str]:
    """A table of shares found, a column for each value of `along`."""
    values = sorted(table[along].unique())
    head = ["", "asked", *(form.format(value) for value in values)]
    found = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * len(values)]
    for way in table["way"].unique():
        for how in (OWN, OTHER):
            hits = [table[(table["way"] == way) & (table[along] == value)][how].tolist() for value in values]
            found.append(f"| {way} | {how} | {' | '.join(shown(share(each)) for each in hits)} |")
    return found


def share(hits: Sequence[bool]) -> Score:
    """How many of the needles were found."""
    return bootstrap(pd.DataFrame({"hit": hits, "one": 1}).to_numpy(float), lambda sums: sums[:, :1] / sums[:, 1:])[0]


def shown(score: Score) -> str:
    return f"{score.value:.2f} ({score.low:.2f} to {score.high:.2f})"


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--model", default="nano", help="default: %(default)s")
    parser.add_argument("--characters", type=int, nargs="+", default=[1000, 10_000, 100_000, 600_000], help="lengths")
    parser.add_argument("--each", type=int, default=3, help="needles a depth and length; default: %(default)s")
    parser.add_argument("--window", type=int, default=1000, help="tokens of the window; default: %(default)s")
    parser.add_argument("--seed", default="2026", help="of needles and places; default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("runs/needles.json"), help="where the figures go")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_long_pairs.md"), help="default: %(default)s")
    given = parser.parse_args(arguments)
    rows = measure(given)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(rows) + "\n", encoding="utf-8")
    print("\n".join(tables(rows)), flush=True)
    if given.write:
        replace_sections(given.page, {"needles": "\n".join(tables(rows))})
    return 0


if __name__ == "__main__":
    sys.exit(main())
