"""A memory of 200 mixed items: is what is there found and answered, and is what is not there declined?

    python -m benchmarks.mixed                    validation
    python -m benchmarks.mixed --part test --write      the test's, into the page

Notable: photos, sounds and notes stand in one memory on disk, added as a user would; the search sees all 200 for every
query; questions about what is absent have the very form of those about what is there, so that only the memory can tell
them apart. Three classes of sound are left out, to be asked for.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.errors import tells_errors
from mm_memgpt.datasets.answers import score
from mm_memgpt.datasets.notes import Note, make_note
from mm_memgpt.datasets.parquet import ParquetReader
from mm_memgpt.datasets.pools import PARTS, Heard, Photo, Pools, read_pools
from mm_memgpt.datasets.sound import RATE
from mm_memgpt.datasets.templates import SOUNDS
from mm_memgpt.datasets.things import THINGS, phrase
from mm_memgpt.evaluation.bootstrap import bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.recollection.memory import Memory
from mm_memgpt.types import Text

PHOTOS, SOUNDS_KEPT, NOTES = 100, 40, 60
"""Items of each kind: a sound counts once, though it is several items of about a second."""

ABSENT_SOUNDS = 3
"""Classes of sound that the memory never heard."""

STEP = 30.0
"""Seconds from one moment to the next; a sound lasts at most five. The first photos share theirs with a sound."""

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "benchmarks_memory.md"


class Asked(NamedTuple):
    """A question, and what is known of its answer."""

    kind: str
    text: str
    answer: str | None
    """None where nothing in the memory answers it."""
    note: str = ""
    """The note that does."""


class House(NamedTuple):
    """What is put into the memory."""

    photos: list[Photo]
    sounds: list[Heard]
    notes: list[Note]


def house(pools: Pools, generator: Random) -> House:
    """Photos, sounds of some classes, and notes of which no two answer one question."""
    kinds = list(SOUNDS)
    kept = set(generator.sample(kinds, k=len(kinds) - ABSENT_SOUNDS))
    sounds = [sound for sound in pools.sounds if sound.label in kept]
    notes: dict[str, Note] = {}
    while len(notes) < NOTES:
        note = make_note(generator)
        notes.setdefault(note.question, note)
    photos = generator.sample(pools.photos, k=PHOTOS)
    photos.sort(key=lambda photo: (photo.facts.what or photo.facts.who) is None)  # those with sounds show something
    return House(photos, generator.sample(sounds, k=SOUNDS_KEPT), list(notes.values()))


def fill(memory: Memory, given: House, data: Path) -> None:
    """Adds everything: photo and sound i share a moment as long as there are sounds; notes come last."""
    for place, photo in enumerate(tqdm(given.photos, desc="photos")):
        image = ParquetReader(data / photo.row.file)[photo.row.number].image
        memory.add(image, time=[(STEP * place, STEP * place + 5)], source=photo_name(place))
    for place, sound in enumerate(tqdm(given.sounds, desc="sounds")):
        samples = ParquetReader(data / sound.row.file)[sound.row.number].sound
        memory.add((samples.numpy(), RATE), time=STEP * place, source=sound_name(place))
    times = [STEP * (len(given.photos) + place) for place in range(len(given.notes))]
    names = [f"note {place}" for place in range(len(given.notes))]
    memory.add([Text(note.text) for note in given.notes], time=times, source=names)


def photo_name(place: int) -> str:
    """What the photo at a place is called."""
    return f"photo {place}"


def sound_name(place: int) -> str:
    """What the sound at a place is called."""
    return f"sound {place}"


def questions(given: House, generator: Random) -> Iterator[Asked]:
    """Questions that the memory can answer, and as many of the same forms that it cannot."""
    for note in given.notes:
        yield Asked("note", note.question, note.value, note.text)
    stated, absent = {note.question for note in given.notes}, set()
    while len(absent) < len(given.notes):
        question = make_note(generator).question
        if question not in stated | absent:
            absent.add(question)
            yield Asked("note", question, None)
    yield from _seen(given)
    yield from _heard(given, generator)


def _seen(given: House) -> Iterator[Asked]:
    """What was seen when a sound was heard: of a sound heard once, and of those never heard."""
    labels = [sound.label for sound in given.sounds]
    for kind, sound in SOUNDS.items():
        text = f"What was seen when {sound.phrase} was heard?"
        shown = [given.photos[place].facts.what for place, label in enumerate(labels) if label == kind]
        if not shown:
            yield Asked("seen", text, None)
        elif any(shown):
            yield Asked("seen", text, next(filter(None, shown)))


def _heard(given: House, generator: Random) -> Iterator[Asked]:
    """What was heard when a thing was seen: of things that one photo with a sound shows, and of things in no photo."""
    facts = [photo.facts for photo in given.photos]
    possible = {thing for each in facts for thing in each.open}
    named = [thing for each in facts for thing in sorted(each.named)]
    known = [
        (thing, SOUNDS[sound.label].name)
        for each, sound in zip(facts, given.sounds, strict=False)
        for thing in sorted(each.named)
        if named.count(thing) == 1
    ]
    for thing, sound in known:
        yield Asked("heard", f"What was heard when {phrase(thing)} was seen?", sound)
    nowhere = [thing for thing in THINGS if thing not in possible]
    for thing in nowhere[: max(len(known), 10)]:
        yield Asked("heard", f"What was heard when {phrase(thing)} was seen?", None)


def finding(memory: Memory, given: House, data: Path) -> dict[str, list[bool]]:
    """Whether captions find their photo among the first five of all, and labels a sound of theirs first."""
    found: dict[str, list[bool]] = {"photo among the first five, by a person's sentence": []}
    for place, photo in enumerate(tqdm(given.photos, desc="sentences")):
        for sentence in ParquetReader(data / photo.row.file)[photo.row.number].captions:
            hits = {hit.source for hit in memory.search(sentence, k=5)}
            found["photo among the first five, by a person's sentence"].append(photo_name(place) in hits)
    found["sound first, by its label"] = []
    for kind in {sound.label for sound in given.sounds}:
        names = {sound_name(place) for place, sound in enumerate(given.sounds) if sound.label == kind}
        for query in (SOUNDS[kind].name, SOUNDS[kind].phrase, *SOUNDS[kind].sentences):
            [first, *_] = memory.search(query, k=1)
            found["sound first, by its label"].append(first.source in names)
    return found


def asking(memory: Memory, asked: Sequence[Asked]) -> dict[str, list[bool]]:
    """What became of the questions."""
    found: dict[str, list[bool]] = {}

    def count(what: str, happened: bool) -> None:
        found.setdefault(what, []).append(happened)

    for each in tqdm(asked, desc="questions"):
        answer = memory.ask(each.text)
        there = "absent" if each.answer is None else "answerable"
        count(f"{there} declined", answer.declined)
        count(f"{there} declined: {each.kind}", answer.declined)
        if each.note:
            count("note quoted", not answer.declined and each.note.rstrip(".").lower() in answer.text.lower())
        elif each.answer is not None:
            count(f"answered rightly: {each.kind}", score(each.answer, answer.text))
    return found


def measure(model: Pipeline, pools: Pools, seed: int, data: Path) -> dict[str, list[bool]]:
    """What became of all queries to one memory."""
    generator = Random(f"mixed {seed}")
    inside = house(pools, generator)
    with tempfile.TemporaryDirectory() as folder, model.memory(Path(folder) / "mixed.memory") as memory:
        fill(memory, inside, data)
        found = finding(memory, inside, data)
        return found | asking(memory, list(questions(inside, generator)))


def table(found: dict[str, list[bool]]) -> str:
    """A line a figure in Markdown, with its 95% interval."""
    lines = ["| what | of | share |", "|---|---:|---|"]
    for what, happened in found.items():
        counted = np.column_stack([np.array(happened, dtype=float), np.ones(len(happened))])
        [value] = bootstrap(counted, lambda sums: sums[:, :1] / sums[:, 1:])
        lines.append("| {} | {} | {:.3f} ({:.3f} to {:.3f}) |".format(what, len(happened), *value))
    return "\n".join(lines)


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--part", choices=PARTS[1:], default="val", help="whose photos and sounds they are")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="a memory each; default: 0 1 2")
    parser.add_argument("--write", action="store_true", help="renew the page")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    pools, model, found = read_pools(given.data, given.part), load(given.model), {}
    for seed in given.seeds:
        for what, happened in measure(model, pools, seed, given.data).items():
            found.setdefault(what, []).extend(happened)
    result = table(found)
    print(result)
    if given.write:
        replace_sections(PAGE, {"mixed": result})
    return 0


if __name__ == "__main__":
    sys.exit(main())
