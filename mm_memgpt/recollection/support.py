"""Whether a memory holds what a question names: the model is asked what each found photo and sound shows, by itself.

Notable: keys do not tell absent from present, for something is always nearest; what the model writes of the nearest
few, each alone and unasked, seldom names what is not there. Words for things it was taught are matched by what they
mean (a puppy is a dog), all others by their stems.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mm_memgpt.datasets.templates import SOUNDS, sound_classes
from mm_memgpt.datasets.things import Mentioned, mentioned
from mm_memgpt.explain.content import stems
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.searching import MOMENT
from mm_memgpt.recollection.wanted import HEARD, SAID, SEEN, Named, cues, named

PIECES = 4
"""Pieces of a sound that are found for each sound that is listened to."""

Say = Callable[[Sequence[Sequence[Item]]], list[str]]
"""What the model writes of each group of items by itself."""

Key = Callable[[str], np.ndarray]
"""The key of a few words."""


class Said(NamedTuple):
    """What was written of a photo or sound."""

    modality: str
    mentioned: Mentioned
    sounds: frozenset[str]
    stems: frozenset[str]


def supported(archive: Archive, question: str, key: Key, say: Say, nearest: int) -> bool:
    """Whether the memory holds a photo or sound for every word of the question that names something.

    Args:
        archive: where they are looked for.
        question: as it was asked.
        key: gives the key of a few words.
        say: gives what the model writes of photos and sounds.
        nearest: how many photos, and how many sounds, are looked at for each word.
    """
    wanted = _spoken_of(question)
    if not wanted:
        return _any_there(archive, question)
    groups: dict[str, list[Item]] = {}
    for one in wanted:
        groups |= near(archive, key(_phrase(one)), nearest)
    if not groups:
        return False
    said = [
        Said(items[0].modality, mentioned(text), sound_classes(text), frozenset(stems([text])))
        for items, text in zip(groups.values(), say(list(groups.values())), strict=True)
    ]
    return all(any(names(one, each) for each in said) for one in wanted)


def names(one: Named, said: Said) -> bool:
    """Whether what was written of a photo or sound names what a word of the question names."""
    if said.modality == "audio":
        alike = bool(sound_classes(one.word) & said.sounds)
        return alike and not (one.cues & SEEN and not one.cues & HEARD)
    if one.cues & HEARD and not one.cues & SEEN:
        return False
    meant = mentioned(one.word)
    if meant.named:
        return bool(meant.named & (said.mentioned.named | said.mentioned.open))
    if meant.anybody:
        return said.mentioned.anybody
    return bool(stems([one.word]) & said.stems)


def _spoken_of(question: str) -> list[Named]:
    """The words that name something, the name of a sound of several words as one."""
    found, rest = [], question.lower()
    for sound in SOUNDS.values():
        if " " in sound.name and sound.name in rest:
            found.append(Named(sound.name, frozenset(HEARD)))
            rest = rest.replace(sound.name, " ")
    return [*found, *named(rest)]


def _phrase(one: Named) -> str:
    return f"the sound of {one.word}" if one.cues & HEARD and not one.cues & SEEN else f"a photo of {one.word}"


def _any_there(archive: Archive, question: str) -> bool:
    """Whether there is anything of the kind that a question is about which names nothing."""
    asked, of = cues(question), ()
    if asked & (HEARD | SAID):
        of = ("audio",)
    elif asked & SEEN:
        of = ("image",)
    return bool(archive.find(Where(modality=of or None)))


def near(archive: Archive, key: np.ndarray, nearest: int) -> dict[str, list[Item]]:
    """The photos and sounds nearest to a key; pieces of one moment of a sound together."""
    photos = archive.search(key=key, k=nearest, where=Where(modality="image"))
    groups = {found.item.id: [found.item] for found in photos}
    sounds: list[list[Item]] = []
    for found in archive.search(key=key, k=nearest * PIECES, where=Where(modality="audio")):
        item = found.item
        home = next((group for group in sounds if _same_sound(group[0], item)), None)
        if home is not None:
            home.append(item)
        elif len(sounds) < nearest:
            sounds.append([item])
    for group in sounds:
        group.sort(key=lambda item: item.start)
        groups[group[0].id] = group
    return groups


def _same_sound(one: Item, other: Item) -> bool:
    return one.source == other.source and abs(one.start - other.start) < MOMENT
