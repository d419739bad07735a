"""Questions about a photo that only a fact settles: what it shows is a kind of what, and which part has it?

Notable: a photo comes with facts about several things, and of one alone it is certain that the photo shows it, so an
answer takes both the photo and the fact; a thing is beside what is asked for as often as it is asked for, so which fact
settles a question no word of it tells. A fifth of all things is kept for the test: their facts were never read before.
What photos show, people's captions say; what is known of it, WordNet.

Facts are of the relations of ASKED, things those of `things`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from os import PathLike
from pathlib import Path
from random import Random
from typing import NamedTuple

from mm_memgpt.datasets.chance import draw, draw_below, happens, set_aside
from mm_memgpt.datasets.entity_names import Name, read_names
from mm_memgpt.datasets.things import Facts
from mm_memgpt.datasets.triples import Triple, read_triples
from mm_memgpt.types import InputError

SYNSETS = {
    "man": "10287213",
    "woman": "10787470",
    "boy": "10285313",
    "girl": "10084295",
    "child": "09917593",
    "baby": "09827683",
    "dog": "02084071",
    "cat": "02121620",
    "horse": "02374451",
    "bird": "01503061",
    "sheep": "02411705",
    "ball": "02778669",
    "bat": "02799175",
    "bike": "02834778",
    "motorcycle": "03790512",
    "car": "02958343",
    "truck": "04490091",
    "bus": "02924116",
    "train": "04468005",
    "boat": "02858304",
    "raft": "04045397",
    "sled": "04235291",
    "helmet": "03513137",
    "water": "14845743",
    "ocean": "09376198",
    "lake": "09328904",
    "river": "09411430",
    "waterfall": "09475292",
    "beach": "09217230",
    "snow": "15043763",
    "waves": "07352190",
    "bench": "02828884",
    "couch": "04256520",
    "tent": "04411264",
    "bridge": "02898711",
    "stairs": "04298308",
    "ramp": "04051549",
    "tunnel": "04497962",
    "playground": "03963645",
    "flag": "03354903",
    "umbrella": "04507155",
    "guitar": "03467517",
    "microphone": "03759954",
    "phone": "04401088",
    "book": "06410904",
    "bottle": "02876657",
    "backpack": "02769748",
    "fire": "13480848",
    "statue": "04306847",
    "mask": "03725035",
    "tire": "04440749",
    "cart": "02970849",
}
"""The synset of WordNet 3.0 that each thing is, chosen by hand: a name alone is often that of several. Scenery is left
out, for nobody says that it is not there."""

KIND, PART = "hypernym", "has part"
RELATIONS = {"_hypernym": KIND, "_has_part": PART}
"""The relations of WordNet that are asked for, and what they are called."""

ASKED = {KIND: "What kind of thing does the photo show?", PART: "Which part does something in the photo have?"}
"""What asks for the tail of a relation."""

IS_THERE = "Does the photo show a kind of {}?"
"""What asks whether the head of a fact is there, by the fact's tail."""

THERE = "there"
"""The kind of that question."""

FEWEST, MOST = 3, 8
"""Facts that stand beside a photo."""

LONGEST = 3
"""Words of a tail, at most: answers are short."""

RENAMED = 0.4
"""Share of the things in training's facts that are called by names nobody knows, so that links must be followed."""


class ThingFact(NamedTuple):
    """What is known of a thing."""

    thing: str
    relation: str
    """KIND or PART."""
    tail: str


class PhotoQuestion(NamedTuple):
    """A question about a photo, with the facts that it comes with."""

    text: str
    answer: str
    kind: str
    """KIND, PART or THERE."""
    facts: tuple[ThingFact, ...]
    about: int
    """Place of the fact that settles it."""
    new: bool
    """Whether that fact is about a thing that is kept for the test."""
    called: tuple[str, ...]
    """What the thing of each fact is called."""

    @property
    def options(self) -> tuple[str, ...]:
        """What could be answered by somebody who cannot see: all tails of the relation, or yes and no."""
        if self.kind == THERE:
            return ("yes", "no")
        return tuple(dict.fromkeys(fact.tail for fact in self.facts if fact.relation == self.kind))


class Known:
    """What is known of things, and all names that there are.

    Args:
        facts: of things, each once.
        names: that made-up facts lead to, and that renamed things are called by.
        weights: how often a thing is beside what is asked for; all alike where there are none.

    Raises:
        InputError: of some relation fewer facts than a photo comes with.
    """

    def __init__(
        self, facts: Iterable[ThingFact], names: Sequence[str], weights: Mapping[str, float] | None = None
    ) -> None:
        self.facts, self.names = tuple(facts), names
        self.weights = dict.fromkeys(SYNSETS, 1.0) if weights is None else weights
        self.of_thing: dict[tuple[str, str], list[ThingFact]] = {}
        for fact in self.facts:
            self.of_thing.setdefault((fact.thing, fact.relation), []).append(fact)
        for relation in ASKED:
            count = sum(known == relation for _, known in self.of_thing)
            if count < MOST:
                raise InputError(f"{count} things with a fact of {relation!r}, and {MOST} are needed; add triples")

    def ask(
        self,
        photo: Facts,
        generator: Random,
        new: bool | None = False,
        thing: str | None = None,
        made_up: float = 0.0,
        renamed: float = 0.0,
    ) -> PhotoQuestion | None:
        """A question about a photo, of any kind that it settles; None where it settles none.

        Args:
            photo: what is certain of it.
            generator: the same state of it gives the same question.
            new: False, for training, has no fact of a thing that is kept for the test; True asks for those alone; None
                asks for all.
            thing: what is asked of, which the photo shows; any that it shows where None.
            made_up: chance that facts lead elsewhere than they do.
            renamed: chance of each thing that it is called otherwise.
        """
        shown = [each for each in sorted(photo.named) if new is None or kept_for_test(each) == new]
        shown = shown if thing is None else [each for each in shown if each == thing]
        told = [key for key in self.of_thing if new is not False or not kept_for_test(key[0])]
        absent = [key for key in told if key[0] not in photo.open]
        kinds = [kind for kind in (KIND, PART, THERE) if self._settled(shown, kind)]
        if not kinds:
            return None
        kind = draw(generator, kinds)
        relation = PART if kind == PART else KIND
        thing = draw(generator, self._settled(shown, kind))
        asked = draw(generator, self.of_thing[thing, relation])
        others = self._beside(asked, absent, generator)
        if others is None:
            return None
        facts, denied = [asked, *others], kind == THERE and happens(generator, 0.5)
        false = [
            place
            for place, fact in enumerate(facts)
            if fact.relation == KIND and not self._may_be(photo, fact) and kept_for_test(fact.thing) == bool(new)
        ]
        if denied and not false:
            return None
        if happens(generator, made_up):
            tails = self._drawn(len(facts), generator)
            facts = [fact._replace(tail=tail) for fact, tail in zip(facts, tails, strict=True)]
        things = list(dict.fromkeys(fact.thing for fact in facts))
        names = self._drawn(len(things), generator)
        called = {
            thing: name if happens(generator, renamed) else thing for thing, name in zip(things, names, strict=True)
        }
        about = draw(generator, false) if denied else 0
        answer = facts[0].tail if kind != THERE else "no" if denied else "yes"
        order = generator.sample(range(len(facts)), k=len(facts))
        text = IS_THERE.format(facts[about].tail) if kind == THERE else ASKED[kind]
        told = tuple(facts[place] for place in order)
        is_new = kept_for_test(facts[about].thing)
        return PhotoQuestion(
            text, answer, kind, told, order.index(about), is_new, tuple(called[fact.thing] for fact in told)
        )

    def _settled(self, shown: Sequence[str], kind: str) -> list[str]:
        """The things shown that a question of a kind can be asked of."""
        return [thing for thing in shown if (thing, PART if kind == PART else KIND) in self.of_thing]

    def _may_be(self, photo: Facts, fact: ThingFact) -> bool:
        """Whether the photo may show anything of which the same is known, with another thing's fact or this one."""
        return any(known[1:] == fact[1:] and known.thing in photo.open for known in self.facts)

    def _beside(self, asked: ThingFact, absent: Sequence[tuple[str, str]], generator: Random) -> list[ThingFact] | None:
        """Facts beside the one that is asked for, with tails of their own: of the same relation and a thing that is not
        there at least two, and of the same thing another where there is one; None where there are too few."""
        tails, found = {asked.tail}, []

        def add(key: tuple[str, str]) -> None:
            fact = draw(generator, self.of_thing[key])
            if fact.tail not in tails:
                tails.add(fact.tail)
                found.append(fact)

        for key in self._weighted([key for key in absent if key[1] == asked.relation], generator):
            if len(found) == FEWEST - 1:
                break
            add(key)
        if len(found) < FEWEST - 1:
            return None
        other = (asked.thing, KIND if asked.relation == PART else PART)
        if other in self.of_thing and happens(generator, 0.5):
            add(other)
        most = len(found) + draw(generator, range(MOST - len(found)))
        for key in self._weighted(absent, generator):
            if len(found) >= most:
                break
            add(key)
        return found

    def _weighted(self, keys: Sequence[tuple[str, str]], generator: Random) -> Iterator[tuple[str, str]]:
        """All of these, those of more weight earlier as a rule."""
        left = [key for key in keys if self.weights.get(key[0], 0) > 0]
        while left:
            yield left.pop(draw_below(generator, list(accumulate(self.weights[thing] for thing, _ in left))))

    def _drawn(self, count: int, generator: Random) -> list[str]:
        """So many names, no two the same."""
        names: dict[str, None] = {}
        while len(names) < count:
            names.setdefault(draw(generator, self.names))
        return list(names)


def kept_for_test(thing: str) -> bool:
    """Whether facts about a thing are never read in training."""
    return set_aside("what is known", list(SYNSETS).index(thing)) if thing in SYNSETS else False


def weights_of(photos: Iterable[Facts], power: float) -> dict[str, float]:
    """How often each thing is to stand beside what is asked for, so that it does as often as it is asked for.

    Args:
        photos: what is certain of those that are asked about.
        power: a thing is asked for as often as the number of photos that show it, to this power.
    """
    shown, absent = Counter(), Counter()
    for photo in photos:
        shown.update(photo.named)
        absent.update(SYNSETS.keys() - photo.open)
    return {thing: shown[thing] ** power / absent[thing] for thing in SYNSETS if shown[thing] and absent[thing]}


def read_known(folder: str | PathLike[str], weights: Mapping[str, float] | None = None) -> Known:
    """What WordNet knows of things.

    Args:
        folder: holds wn18rr.parquet and wn18rr_names.parquet.
        weights: as `Known` takes them.

    Raises:
        InputError: a file that cannot be read, or a broken row of one.
    """
    folder = Path(folder)
    names = {name.id: name.text for name in _usable(read_names(folder / "wn18rr_names.parquet", split_at=", "))}
    things = {synset: thing for thing, synset in SYNSETS.items()}
    rows = (row for row in _usable(read_triples(folder / "wn18rr.parquet")) if row.relation in RELATIONS)
    facts = dict.fromkeys(
        ThingFact(things[row.head], RELATIONS[row.relation], names[row.tail])
        for row in rows
        if row.head in things and _is_short(names[row.tail]) and names[row.tail] != things[row.head]
    )
    return Known(facts, sorted({name for name in names.values() if _is_short(name)} - SYNSETS.keys()), weights)


def _is_short(name: str) -> bool:
    return len(name.split()) <= LONGEST and name.replace(" ", "").replace("-", "").isalpha()


def _usable(rows: Iterable[Name | Triple | InputError]) -> Iterable[Name | Triple]:
    for row in rows:
        if isinstance(row, InputError):
            raise row
        yield row
