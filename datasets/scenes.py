"""Scenes: two to ten items in order of time, drawn from pools, about which questions can be asked.

Notable: a photo and a sound may share a moment, and then a question about the one may be answered by the other; photos
of one thing and sounds of one class come again, so that there is something to count; what no question is about
distracts from what it is about.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import NamedTuple

from mm_memgpt.datasets.chance import between, draw, happens
from mm_memgpt.datasets.notes import Note, make_note
from mm_memgpt.datasets.pools import PHOTOS, Heard, Photo, Pools

SIZES = tuple(range(2, PHOTOS + 1))
"""Numbers of items a scene may have."""

SHARED = 0.4
"""Chance that the next moment is a photo and a sound at once."""

KINDS = {"photo": 0.4, "sound": 0.2, "digit": 0.2, "note": 0.2}
"""Chances of the next moment otherwise, in that order."""

AGAIN = 0.3
"""Chance that a photo or sound is of something that came before."""

PLAIN_NOTE = 0.3
"""Share of notes that are sentences of people, about which nothing is asked."""

GAP = (1.0, 20.0)
"""Seconds between moments, at least and at most."""

INSTANT = 1.0
"""Seconds that a note, and a photo by itself, stand for."""


class Item(NamedTuple):
    """One photo, sound, spoken digit or note, and when it came. Only the field of its kind is filled in."""

    start: float
    end: float
    """Seconds on the scene's clock. A photo that shares a moment with a sound lasts as long as that."""
    photo: Photo | None = None
    sound: Heard | None = None
    digit: Heard | None = None
    note: Note | None = None


@dataclass(frozen=True)
class Scene:
    """Items in order of time; of one moment, the photo first."""

    items: tuple[Item, ...]
    pools: Pools = field(repr=False, compare=False)
    """What it was drawn from, which tells how surprising it is."""

    @cached_property
    def photos(self) -> list[int]:
        """Places of the photos among the items."""
        return [place for place, item in enumerate(self.items) if item.photo is not None]

    @cached_property
    def sounds(self) -> list[int]:
        """Places of the sounds, spoken digits left out."""
        return [place for place, item in enumerate(self.items) if item.sound is not None]

    @cached_property
    def digits(self) -> list[int]:
        """Places of the spoken digits."""
        return [place for place, item in enumerate(self.items) if item.digit is not None]

    @cached_property
    def notes(self) -> list[int]:
        """Places of the notes."""
        return [place for place, item in enumerate(self.items) if item.note is not None]

    def shown(self, thing: str) -> list[int] | None:
        """Places of the photos that show a thing; None where a photo leaves that open."""
        found = [place for place in self.photos if thing in self.items[place].photo.facts.named]
        possible = [place for place in self.photos if thing in self.items[place].photo.facts.open]
        return found if len(found) == len(possible) else None

    def heard(self, kind: str) -> list[int]:
        """Places of the sounds of a class."""
        return [place for place in self.sounds if self.items[place].sound.label == kind]

    def beside(self, place: int) -> int | None:
        """Place of what shares a moment with the photo or sound at this place."""
        moment = (self.items[place].start, self.items[place].end)
        others = [other for other, item in enumerate(self.items) if other != place and (item.start, item.end) == moment]
        return others[0] if others else None


def make_scene(generator: Random, pools: Pools) -> Scene:
    """A scene drawn at random: the same for the same state of the generator and the same pools, everywhere."""
    size = draw(generator, SIZES)
    items: list[Item] = []
    clock = 0.0
    while len(items) < size:
        clock = round(clock + between(generator, *GAP), 2)
        moment = _moment(generator, pools, items, clock, size - len(items))
        items += moment
        clock = moment[0].end
    return Scene(tuple(items), pools)


def without(scene: Scene, places: Collection[int]) -> Scene:
    """The scene as if the items at these places had never been; questions about it are then of what is left.

    Raises:
        ValueError: nothing would be left.
    """
    kept = tuple(item for place, item in enumerate(scene.items) if place not in places)
    if not kept:
        raise ValueError(f"without {sorted(places)} nothing is left of {len(scene.items)} items; leave one")
    return Scene(kept, scene.pools)


def stretched(scene: Scene, factor: float) -> Scene:
    """The scene with this many times as long between its moments; what shared a moment still does."""
    moved: dict[float, float] = {}
    before = clock = 0.0  # the end of the moment before, where it was and where it now is
    items = []
    for item in scene.items:
        if item.start not in moved:
            moved[item.start] = clock + factor * (item.start - before)
        start = moved[item.start]
        items.append(item._replace(start=start, end=start + (item.end - item.start)))
        before, clock = item.end, items[-1].end
    return Scene(tuple(items), scene.pools)


def _moment(generator: Random, pools: Pools, before: list[Item], start: float, room: int) -> list[Item]:
    """The next one or two items."""
    if room > 1 and happens(generator, SHARED):
        sound = _sound(generator, pools, before)
        end = start + sound.seconds
        return [Item(start, end, photo=_photo(generator, pools, before)), Item(start, end, sound=sound)]
    kind = draw(generator, list(KINDS), list(KINDS.values()))
    if kind == "photo":
        return [Item(start, start + INSTANT, photo=_photo(generator, pools, before))]
    if kind == "sound":
        sound = _sound(generator, pools, before)
        return [Item(start, start + sound.seconds, sound=sound)]
    if kind == "digit":
        digit = draw(generator, pools.digits)
        return [Item(start, start + digit.seconds, digit=digit)]
    return [Item(start, start + INSTANT, note=_note(generator, pools, before))]


def _photo(generator: Random, pools: Pools, before: list[Item]) -> Photo:
    """A photo that the scene does not have yet, perhaps of what another of its photos shows."""
    photos = [item.photo for item in before if item.photo is not None]
    things = [thing for photo in photos for thing in (photo.facts.who, photo.facts.what) if thing is not None]
    thing = draw(generator, things) if things and happens(generator, AGAIN) else None
    while (photo := pools.draw_photo(generator, thing)) in photos:
        thing = None  # there may be no other photo of it
    return photo


def _sound(generator: Random, pools: Pools, before: list[Item]) -> Heard:
    sounds = [item.sound for item in before if item.sound is not None]
    if sounds and happens(generator, AGAIN):
        return draw(generator, pools.heard[draw(generator, sounds).label])
    return draw(generator, pools.sounds)


def _note(generator: Random, pools: Pools, before: list[Item]) -> Note:
    """A sentence of people, or a note that answers a question which no other note of the scene answers."""
    if happens(generator, PLAIN_NOTE):
        return Note(draw(generator, pools.sentences))
    asked = {item.note.question for item in before if item.note is not None}
    while (note := make_note(generator)).question in asked:
        pass
    return note
