"""Questions about a photo that only a fact settles: what it shows is a kind of what, and which part has it?

Notable: a photo comes with facts about several things, and of one alone it is certain that the photo shows it, so an
answer takes both the photo and the fact; a fifth of all things is kept for the test, whose facts were never read
before. What photos show, people's captions say; what is known of it, WordNet.

Facts are of the relations of ASKED, things those of `things`.
"""

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from random import Random
from typing import NamedTuple

from mm_memgpt.datasets.chance import draw, happens, set_aside
from mm_memgpt.datasets.entity_names import Name, read_names
from mm_memgpt.datasets.things import SCENERY, Facts
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
    "grass": "12102133",
    "field": "08569998",
    "tree": "13104059",
    "forest": "08438533",
    "mountain": "09359803",
    "hill": "09303008",
    "cliff": "09246464",
    "rock": "09416076",
    "sand": "15019030",
    "mud": "14956325",
    "street": "04334599",
    "building": "02913152",
    "wall": "04546855",
    "window": "04587648",
    "fence": "03327234",
    "flower": "11669921",
    "table": "04379243",
    "chair": "03001627",
    "hat": "03497657",
    "bag": "02773037",
    "rope": "04108268",
    "stick": "04317420",
    "toy": "03964744",
    "sign": "06793231",
}
"""The synset of WordNet 3.0 that each thing is, chosen by hand: a name alone is often that of several."""

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

MADE_UP = 0.5
"""Share of training's memories whose facts lead to names drawn from all that there are, so that they must be read."""


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
        names: that made-up facts lead to.

    Raises:
        InputError: of some relation fewer facts than a photo comes with.
    """

    def __init__(self, facts: Iterable[ThingFact], names: Sequence[str]) -> None:
        self.facts, self.names = tuple(facts), names
        self.of_thing: dict[tuple[str, str], list[ThingFact]] = {}
        for fact in self.facts:
            self.of_thing.setdefault((fact.thing, fact.relation), []).append(fact)
        for relation in ASKED:
            count = sum(known == relation for _, known in self.of_thing)
            if count < MOST:
                raise InputError(f"{count} things with a fact of {relation!r}, and {MOST} are needed; add triples")

    def ask(
        self, photo: Facts, generator: Random, new: bool | None = False, made_up: float = 0.0
    ) -> PhotoQuestion | None:
        """A question about a photo, of any kind that it settles; None where it settles none.

        Args:
            photo: what is certain of it.
            generator: the same state of it gives the same question.
            new: False, for training, has no fact of a thing that is kept for the test; True asks for those alone; None
                asks for all.
            made_up: chance that facts lead elsewhere than they do.
        """
        shown = [thing for thing in sorted(photo.named) if new is None or kept_for_test(thing) == new]
        told = [key for key in self.of_thing if new is not False or not kept_for_test(key[0])]
        absent = [key for key in told if key[0] not in photo.open and key[0] not in SCENERY]
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
        false = [place for place, fact in enumerate(facts) if fact.relation == KIND and not self._may_be(photo, fact)]
        if denied and not false:
            return None
        if happens(generator, made_up):
            facts = self._made_up(facts, generator)
        about = draw(generator, false) if denied else 0
        answer = facts[0].tail if kind != THERE else "no" if denied else "yes"
        order = generator.sample(range(len(facts)), k=len(facts))
        text = IS_THERE.format(facts[about].tail) if kind == THERE else ASKED[kind]
        return PhotoQuestion(
            text, answer, kind, tuple(facts[place] for place in order), order.index(about), kept_for_test(thing)
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

        alike = [key for key in absent if key[1] == asked.relation]
        for key in generator.sample(alike, k=min(len(alike), MOST)):
            if len(found) < FEWEST - 1:
                add(key)
        if len(found) < FEWEST - 1:
            return None
        other = (asked.thing, KIND if asked.relation == PART else PART)
        if other in self.of_thing and happens(generator, 0.5):
            add(other)
        more = draw(generator, range(MOST - len(found)))
        for key in generator.sample(list(absent), k=min(len(absent), more)):
            if len(found) < MOST - 1:
                add(key)
        return found

    def _made_up(self, facts: Sequence[ThingFact], generator: Random) -> list[ThingFact]:
        tails: dict[str, None] = {}
        while len(tails) < len(facts):
            tails.setdefault(draw(generator, self.names))
        return [fact._replace(tail=tail) for fact, tail in zip(facts, tails, strict=True)]


def kept_for_test(thing: str) -> bool:
    """Whether facts about a thing are never read in training."""
    return set_aside("what is known", list(SYNSETS).index(thing)) if thing in SYNSETS else False


def read_known(folder: str | PathLike[str]) -> Known:
    """What WordNet knows of things.

    Args:
        folder: holds wn18rr.parquet and wn18rr_names.parquet.

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
    return Known(facts, sorted({name for name in names.values() if _is_short(name)}))


def _is_short(name: str) -> bool:
    return len(name.split()) <= LONGEST and name.replace(" ", "").replace("-", "").isalpha()


def _usable(rows: Iterable[Name | Triple | InputError]) -> Iterable[Name | Triple]:
    for row in rows:
        if isinstance(row, InputError):
            raise row
        yield row
