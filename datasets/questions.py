"""Questions about scenes, with answers of one to three words that are unique and certain.

Notable: one generator makes the questions of training and test. A question is asked only where the scene settles it;
where one answer is far more common than another, the rarer one is asked for more often, so that the wording of a
question alone tells little. A fifth of all combinations (a thing and a position, a thing and a sound, two that came one
after the other, a digit and a position, a note and its value) is never asked in training.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from math import fsum
from random import Random
from typing import NamedTuple

from mm_memgpt.datasets.chance import draw, happens, set_aside
from mm_memgpt.datasets.scenes import Scene
from mm_memgpt.datasets.templates import NUMBERS, SOUNDS, digit_word
from mm_memgpt.datasets.things import PEOPLE, SCENERY, THINGS, phrase

POSITIONS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

ORDER = {position: number for number, position in enumerate(["", *POSITIONS, "last"])}
"""The number of each position, that of what stands alone among them."""

LIKELY_THERE, LIKELY_NOWHERE = 0.01, 0.15
"""A thing is asked for only if, in scenes with as many photos, it is there, and is certainly nowhere, this often."""

COUNTS_OF_ALL = (0.25, 0.5, 0.8, 1.2, 2.0, 3.0)
"""How much more often than another number of photos, sounds, digits or notes each is asked for, from none on."""

COUNTS_OF_ONE = (0.0, 0.1, 1.5, 5.0)
"""The same of one thing or sound. Both were fitted so that no number is the answer more than a third of the time."""

SEEN = {thing: number for number, thing in enumerate([*PEOPLE, *THINGS, *SCENERY])}
"""The number of each thing in a list of all."""

PLURAL = {"waves", "skis", "stairs", "bubbles", "sheep", "sea waves"}


class Question(NamedTuple):
    """A question about a scene and its answer."""

    text: str
    answer: str
    """One to three words in lower case."""
    kind: str
    """One of KINDS."""
    about: tuple[int, ...]
    """Places of the items that settle it; empty where it is settled by what is nowhere in the scene."""
    combination: tuple[str, ...] = ()
    """What it brings together; empty where no combination of its kind is kept for the test."""
    held_out: bool = False
    """Whether this combination is kept for the test."""
    weight: float = 1.0
    """How much more often than others of its kind it is asked."""


def ask(scene: Scene, generator: Random, held_out: bool | None = False, kind: str | None = None) -> Question | None:
    """A question about the scene, of any kind that it can settle, or of the one named; None where it settles none.

    Args:
        scene: what is asked about.
        generator: the same state of it gives the same question.
        held_out: False, for training, asks nothing that is kept for the test; True asks only that; None asks both.
        kind: one of KINDS.

    Raises:
        ValueError: an unknown kind.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of question; known: {', '.join(KINDS)}")
    found: dict[str, list[Question]] = {}
    for each in KINDS if kind is None else (kind,):
        questions = KINDS[each](scene, generator)
        if questions := [one for one in questions if held_out is None or one.held_out == held_out]:
            found[each] = questions
    if not found:
        return None
    questions = found[draw(generator, list(found), [SHARES[each] for each in found])]
    return draw(generator, questions, [question.weight for question in questions])


def _photo(scene: Scene, generator: Random) -> Iterator[Question]:
    """What, or who, is in the photo at some position."""
    for position, place in _positions(scene.photos):
        for word, thing in _clear(scene, place):
            text = f"{word} is in the {position} photo?"
            yield Question(text, thing, "photo", (place,), (thing, position), kept_apart(thing, position))


def kept_apart(thing: str, position: str) -> bool:
    """Whether a thing in the photo at that position is never asked for in training."""
    return set_aside("photo", SEEN[thing] + ORDER[position])


def _seen(scene: Scene, generator: Random) -> Iterator[Question]:
    """What, or who, was seen when a sound was heard that was heard once."""
    for place in scene.sounds:
        kind, beside = scene.items[place].sound.label, scene.beside(place)
        if beside is not None and len(scene.heard(kind)) == 1:
            for word, thing in _clear(scene, beside):
                text = f"{word} was seen when {SOUNDS[kind].phrase} {_was(SOUNDS[kind].name)} heard?"
                held_out = set_aside(f"seen {kind}", SEEN[thing])
                yield Question(text, thing, "seen", (beside, place), (thing, kind), held_out)


def _heard(scene: Scene, generator: Random) -> Iterator[Question]:
    """What was heard when a thing was seen that was seen once."""
    for place in scene.photos:
        beside = scene.beside(place)
        if beside is not None:
            kind = scene.items[beside].sound.label
            for thing in sorted(scene.items[place].photo.facts.named):
                if scene.shown(thing) == [place]:
                    text = f"What was heard when {phrase(thing)} {_was(thing)} seen?"
                    held_out = set_aside(f"heard {thing}", list(SOUNDS).index(kind))
                    yield Question(text, SOUNDS[kind].name, "heard", (place, beside), (thing, kind), held_out)


def _first(scene: Scene, generator: Random) -> Iterator[Question]:
    """Which of two came first, each a thing in a photo or a sound."""
    came: dict[str, tuple[str, int]] = {}
    for thing in sorted({thing for place in scene.photos for thing in scene.items[place].photo.facts.named}):
        if places := scene.shown(thing):
            came[thing] = (phrase(thing), places[0])
    for kind, sound in SOUNDS.items():
        if places := scene.heard(kind):
            came[sound.name] = (sound.phrase, places[0])
    for one, other in combinations(came, 2):
        first, then = (one, other) if came[one][1] < came[other][1] else (other, one)
        if scene.items[came[first][1]].start < scene.items[came[then][1]].start:
            named = (first, then) if happens(generator, 0.5) else (then, first)
            text = f"Which came first, {came[named[0]][0]} or {came[named[1]][0]}?"
            pair = tuple(sorted((one, other)))
            held_out = set_aside(f"first {' '.join(pair)}", 0)
            yield Question(text, first, "first", (came[first][1], came[then][1]), pair, held_out)


def _ever(scene: Scene, generator: Random) -> Iterator[Question]:
    """Whether a thing was seen, or a sound heard: yes as often as no, and of each thing and sound about as often."""
    for questions in (list(_ever_seen(scene)), list(_ever_heard(scene))):
        for answer in ("yes", "no"):
            chosen = [question for question in questions if question.answer == answer]
            total = fsum(question.weight for question in chosen)
            if len(chosen) < len(questions):  # both answers could be asked for
                yield from (question._replace(weight=question.weight / total) for question in chosen)


def _ever_seen(scene: Scene) -> Iterator[Question]:
    """A thing that is not there is asked for as often as it is when it is there."""
    count = len(scene.photos)
    for thing, (named, maybe) in scene.pools.rates.items():
        there, nowhere = 1 - (1 - named) ** count, (1 - maybe) ** count
        if there < LIKELY_THERE or nowhere < LIKELY_NOWHERE:
            continue
        text = f"{_was(thing).title()} {phrase(thing)} ever seen?"
        items = [scene.items[place].photo.facts for place in scene.photos]
        if places := [place for place, each in zip(scene.photos, items, strict=True) if thing in each.named]:
            yield Question(text, "yes", "ever", tuple(places))
        elif not any(thing in each.open for each in items):
            yield Question(text, "no", "ever", (), weight=there / nowhere)


def _ever_heard(scene: Scene) -> Iterator[Question]:
    if scene.sounds:
        for kind, sound in SOUNDS.items():
            places, text = scene.heard(kind), f"{_was(sound.name).title()} {sound.phrase} ever heard?"
            yield Question(text, "yes" if places else "no", "ever", tuple(places))


def _count(scene: Scene, generator: Random) -> Iterator[Question]:
    """How many photos, sounds, digits or notes there were, and how many of one thing or sound."""
    for text, places in (
        ("How many photos were seen?", scene.photos),
        ("How many sounds other than digits were heard?", scene.sounds),
        ("How many digits were said?", scene.digits),
        ("How many notes were read?", scene.notes),
    ):
        yield _counted(text, places, COUNTS_OF_ALL)
    for thing in sorted({thing for place in scene.photos for thing in scene.items[place].photo.facts.named}):
        if places := scene.shown(thing):
            yield _counted(f"How many photos showed {phrase(thing)}?", places, COUNTS_OF_ONE)
    for kind, sound in SOUNDS.items():
        if places := scene.heard(kind):
            text = f"How many times {_was(sound.name)} {sound.phrase} heard?"
            yield _counted(text, places, COUNTS_OF_ONE)


def _counted(text: str, places: list[int], weights: tuple[float, ...]) -> Question:
    weight = weights[min(len(places), len(weights) - 1)]
    return Question(text, NUMBERS[len(places)], "count", tuple(places), weight=weight)


def _digit(scene: Scene, generator: Random) -> Iterator[Question]:
    """Which digit was said, or was said at some position."""
    positions = [("", scene.digits[0])] if len(scene.digits) == 1 else _positions(scene.digits)
    for position, place in positions:
        digit = int(scene.items[place].digit.label)
        text = f"Which digit was said {position}".rstrip() + "?"
        answer, held_out = digit_word(digit), set_aside("digit", digit + ORDER[position])
        yield Question(text, answer, "digit", (place,), (answer, position), held_out)


def _note(scene: Scene, generator: Random) -> Iterator[Question]:
    """What a note says of an object."""
    for place in scene.notes:
        note = scene.items[place].note
        if note.value:
            held_out = set_aside(f"note {note.question}", note.number)
            yield Question(note.question, note.value, "note", (place,), (note.question, note.value), held_out)


KINDS: dict[str, Callable[[Scene, Random], Iterator[Question]]] = {
    "photo": _photo,
    "seen": _seen,
    "heard": _heard,
    "first": _first,
    "ever": _ever,
    "count": _count,
    "digit": _digit,
    "note": _note,
}
"""Kinds of questions, and what finds all of a kind that a scene settles."""

SHARES = {"photo": 0.8, "seen": 2.0, "heard": 2.0, "first": 1.2, "ever": 0.8, "count": 0.8, "digit": 1.8, "note": 2.5}
"""How often each kind is asked where a scene settles all of them: more often, the fewer scenes settle it."""


def _positions(places: list[int]) -> list[tuple[str, int]]:
    """Each place with the word for its position, and the last of several once more as the last."""
    return [*zip(POSITIONS, places, strict=False), *([("last", places[-1])] if len(places) > 1 else [])]


def _clear(scene: Scene, place: int) -> list[tuple[str, str]]:
    """Who and what a photo clearly shows, each with the word that asks for it."""
    facts = scene.items[place].photo.facts
    return [(word, thing) for word, thing in (("Who", facts.who), ("What", facts.what)) if thing is not None]


def _was(name: str) -> str:
    return "were" if name in PLURAL else "was"
