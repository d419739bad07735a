"""Memories of many items, and what is to be written about them: captions, sounds, answers, whole scenes.

Notable: a source that is left out is left out before anything is asked, so an answer is always right about what the
memory holds; photos and sounds come as their trunks' maps, so an example costs no trunk.

c h w a map   t tokens
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from mm_memgpt.config import MotionConfig
from mm_memgpt.datasets.chance import between, draw, happens
from mm_memgpt.datasets.notes import make_note
from mm_memgpt.datasets.pools import Heard, Photo, Pools, read_pools
from mm_memgpt.datasets.questions import POSITIONS, Question, ask, kept_apart
from mm_memgpt.datasets.scenes import PLAIN_NOTE, Scene, make_scene, stretched, without
from mm_memgpt.datasets.summaries import LONGEST, PROMPT, summarise
from mm_memgpt.datasets.templates import SOUNDS, digit_word
from mm_memgpt.training.items import Item, Text, Texts
from mm_memgpt.training.library import Library
from mm_memgpt.training.maps import Maps
from mm_memgpt.training.mixture import Examples, Mixture
from mm_memgpt.training.passages import plain_makers
from mm_memgpt.training.priors import Priors, read_priors
from mm_memgpt.training.recipe import Recipe, Source
from mm_memgpt.training.speech import PROMPT as WHAT_IS_SAID
from mm_memgpt.training.speech import Speech, read_speech
from mm_memgpt.training.stream import Skip
from mm_memgpt.types import InputError
from mm_memgpt.words import sentence

DIGITS = 0.5
"""Share of spoken digits among lone sounds."""

ASKED, UNSAID, UNHEARD = 0.4, 0.25, 0.08
"""Share of lone sounds that something is asked of; of sounds that are asked what they say, though they say nothing; and
of lone photos among the sounds, of which nothing can be heard."""

WHAT_IS_HEARD = "What is heard?"
"""What asks for the name of a sound."""

LISTENING = (WHAT_IS_HEARD, WHAT_IS_SAID)

NOTHING = "nothing"
"""The answer where there is none."""

NOTES = 3
"""Notes that stand side by side, at most, where one of them is to be written down."""

READ, SHOWN = "What does the {}note say?", "What does the {}photo show?"
"""How a note, or a photo, is asked for as a whole."""

Maker = Callable[[Random], dict[str, Any] | None]
"""Makes an example, or None where it comes to nothing."""

BY_END = 0.5
"""Share of training's memories whose items come in the order of their ends; the others come source by source."""


class Memories:
    """Makes examples: a dict of "kind", "items" (a list of Item) and "text" (a list of Text).

    Args:
        pools: what scenes are made of.
        maps: of each file that the pools name.
        captioned: of the photos whose captions are learned.
        texts: makes tokens.
        mixture: how memories are disturbed.
        captions: sentences a photo or clip gives at a time.
        training: whether they are disturbed at all; without it, everything is as it was drawn.
        clips: of the clips whose captions are learned.
        speech: makes the examples of clips in which somebody talks, where there are any.
        priors: what the wording of questions tells, where a model should not learn it.
        mirrored: whether outside training a photo is the mean of both its views, as `image.mirrored` has it.
    """

    def __init__(
        self,
        pools: Pools,
        maps: Mapping[str, Maps],
        captioned: Sequence[Maps],
        texts: Texts,
        mixture: Mixture,
        captions: int,
        training: bool,
        clips: Sequence[Maps] = (),
        speech: Speech | None = None,
        priors: Priors | None = None,
        mirrored: bool = False,
    ) -> None:
        self.pools, self.maps, self.captioned, self.texts = pools, maps, captioned, texts
        self.mixture, self.count, self.training = mixture, captions, training
        self.clips, self.speech, self.priors, self.mirrored = clips, speech, priors, mirrored

    @property
    def makers(self) -> dict[str, Maker]:
        """What makes an example, by its kind."""
        return {
            "captions": self.caption,
            "sounds": self.sound,
            "questions": self.question,
            "summaries": self.summary,
            "clips": self.clip,
            "notes": self.note,
            **({} if self.speech is None else {"speech": self.speech}),
        }

    def caption(self, generator: Random) -> dict[str, Any] | None:
        """A lone photo with its sentences, and no prompt; None for a photo without any."""
        return self._captioned("captions", self.captioned, generator)

    def clip(self, generator: Random) -> dict[str, Any] | None:
        """A lone clip with the sentences of the photo that it was made of, and no prompt; None for one without any."""
        return self._captioned("clips", self.clips, generator)

    def sound(self, generator: Random) -> dict[str, Any]:
        """A lone sound or spoken digit with a sentence about it and no prompt, or with what was asked of it; now and
        then of a photo, where nothing is heard."""
        if happens(generator, UNHEARD):
            photo = draw(generator, self.pools.photos).row
            items = self._photo(self.maps[photo.file], photo.number, (0.0, 0.0), 0, generator)
            return {"kind": "sounds", "items": items, "text": [self.texts(NOTHING, draw(generator, LISTENING))]}
        digit = happens(generator, DIGITS)
        heard = draw(generator, self.pools.digits if digit else self.pools.sounds)
        items = self._sound(heard, 0.0, 0, generator)
        if happens(generator, ASKED):
            text = self._listened(heard.label, digit, generator)
        else:
            told = digit_word(int(heard.label)) if digit else draw(generator, SOUNDS[heard.label].sentences)
            text = self.texts(sentence(told))
        return {"kind": "sounds", "items": items, "text": [text]}

    def _listened(self, label: str, digit: bool, generator: Random) -> Text:
        """What is said by a digit, or heard of another sound, which says nothing."""
        if digit:
            return self.texts(digit_word(int(label)), WHAT_IS_SAID)
        if happens(generator, UNSAID):
            return self.texts(NOTHING, WHAT_IS_SAID)
        return self.texts(SOUNDS[label].name, WHAT_IS_HEARD)

    def question(self, generator: Random) -> dict[str, Any] | None:
        """A scene with questions about it, each once; None where it settles none."""
        scene = self.scene(generator)
        asked: dict[str, Question] = {}
        for _ in range(self.mixture.asked):
            if (question := ask(scene, generator)) is not None:
                asked[question.text] = question
        text = [self._asked(each) for each in asked.values()]
        if asked and scene.photos and happens(generator, self.mixture.described):
            text += self._described(scene, generator)
        return {"kind": "questions", "items": self.items(scene, generator), "text": text} if asked else None

    def note(self, generator: Random) -> dict[str, Any]:
        """A few notes; the one at some place is asked for, and written down again word by word."""
        count = draw(generator, range(1, NOTES + 1))
        written = [
            draw(generator, self.pools.sentences) if happens(generator, PLAIN_NOTE) else make_note(generator).text
            for _ in range(count)
        ]
        place = draw(generator, range(count))
        items = [
            Item("text", self.texts.note(text), (float(number), number + 1.0), number)
            for number, text in enumerate(written)
        ]
        asked = READ.format(positioned(place, count))
        return {"kind": "notes", "items": items, "text": [self.texts(sentence(written[place]), asked, (place,))]}

    def _asked(self, question: Question) -> Text:
        text = self.texts(question.answer, question.text, question.about)
        return text if self.priors is None else text._replace(prior=self.priors.of(question))

    def _described(self, scene: Scene, generator: Random) -> list[Text]:
        """What people say of one of a scene's photos, asked for by place; nothing where that is kept for the test."""
        number = draw(generator, range(len(scene.photos)))
        place = scene.photos[number]
        shown = scene.items[place].photo.facts.named
        if any(kept_apart(thing, POSITIONS[number]) for thing in shown):
            return []
        told = sentence(self._written(scene.items[place].photo, generator))
        return [self.texts(told, SHOWN.format(positioned(number, len(scene.photos))), (place,))]

    def summary(self, generator: Random) -> dict[str, Any]:
        """A scene of a few items with a sentence about all of it."""
        scene = self.scene(generator)
        if len(scene.items) > LONGEST:
            scene = without(scene, generator.sample(range(len(scene.items)), k=len(scene.items) - LONGEST))
        told = summarise(scene, lambda photo: self._written(photo, generator), generator)
        return {"kind": "summaries", "items": self.items(scene, generator), "text": [self.texts(told, PROMPT)]}

    def scene(self, generator: Random) -> Scene:
        """A scene; in training some sources are left out, and the times between moments are others."""
        scene = make_scene(generator, self.pools)
        if not self.training:
            return scene
        dropped = [place for place in range(len(scene.items)) if happens(generator, self.mixture.dropout)]
        scene = without(scene, dropped[: len(scene.items) - 1])
        return stretched(scene, self.mixture.stretch ** between(generator, -1, 1))

    def items(self, scene: Scene, generator: Random) -> list[Item]:
        """The items of a scene, each source with a number of its own, in the order in which they are written."""
        items: list[Item] = []
        for source, item in enumerate(scene.items):
            if item.photo is not None:
                place = item.photo.row
                items += self._photo(self.maps[place.file], place.number, (item.start, item.end), source, generator)
            elif item.note is not None:
                items.append(Item("text", self.texts.note(item.note.text), (item.start, item.end), source))
            else:
                items += self._sound(item.sound or item.digit, item.start, source, generator)
        if self.training and happens(generator, BY_END):
            items.sort(key=lambda item: item.time[1])
        return items

    def _captioned(self, kind: str, sources: Sequence[Maps], generator: Random) -> dict[str, Any] | None:
        maps = draw(generator, sources, [len(each) for each in sources])
        number = draw(generator, range(len(maps)))
        items = self._pieces("image", maps, number, 0.0, 0, generator)
        written = maps.captions[number]
        if not written:
            return None
        order = generator.sample(range(len(written)), k=len(written))
        chosen = [written[order[place % len(order)]] for place in range(self.count)]
        return {"kind": kind, "items": items, "text": [self.texts(sentence(each)) for each in chosen]}

    def _view(self, maps: Maps, generator: Random) -> str:
        return draw(generator, maps.views) if self.training else maps.views[0]

    def _photo(self, maps: Maps, number: int, time: tuple[float, float], source: int, generator: Random) -> list[Item]:
        contents, _ = maps.row(number, self._view(maps, generator))
        if self.mirrored and not self.training:
            turned, _ = maps.row(number, "mirrored")
            contents = (contents.float() + turned.float().flip(-1)) / 2
        return [Item("image", contents[0], time, source)]

    def _sound(self, heard: Heard, start: float, source: int, generator: Random) -> list[Item]:
        return self._pieces("audio", self.maps[heard.row.file], heard.row.number, start, source, generator)

    def _pieces(
        self, modality: str, maps: Maps, number: int, start: float, source: int, generator: Random
    ) -> list[Item]:
        """All that the maps have of a row, from a second on."""
        contents, times = maps.row(number, self._view(maps, generator))
        return [
            Item(modality, content, (start + begin, start + end), source)
            for content, (begin, end) in zip(contents, times, strict=True)
        ]

    def _written(self, photo: Photo, generator: Random) -> str:
        return draw(generator, self.maps[photo.row.file].captions[photo.row.number])


def positioned(number: int, count: int) -> str:
    """The word for a place, counted from 0, among so many, with a space behind it; nothing where there is only one."""
    return "" if count == 1 else f"{POSITIONS[number]} "


def read_memories(
    recipe: Recipe, library: Library, texts: Texts, part: str, motion: MotionConfig | None = None
) -> Memories:
    """The memories of one part ("train" or "val") of the recipe's data; maps are computed where they are not kept.

    Raises:
        InputError: a file is missing or broken, there is too little of something for a scene, or speech is to be
            learned by a model that sees no motion.
    """
    if recipe.remember.speech > 0 and motion is None:
        raise InputError("remember.speech: the model sees no motion; add the key 'motion', {} for its defaults")
    training, mixture = part == "train", recipe.remember
    pools = read_pools(Path(recipe.data.root), part, mixture.folds if training else mixture.val_folds)
    sources = recipe.data.train if training else [recipe.data.val]
    captioned = [library.photos(source) for source in sources]
    filmed = mixture.clip_photos if training else recipe.data.val_samples
    clips = [library.clips(source, filmed) for source in sources] if mixture.clips > 0 else []
    speech = read_speech(library, motion, texts, training) if mixture.speech > 0 else None
    asked = training and mixture.unbiased and mixture.questions > 0
    priors = read_priors(pools, texts) if asked else None
    parts = (clips, speech, priors)
    return Memories(pools, maps_of(pools, library), captioned, texts, mixture, recipe.captions, training, *parts)


def maps_of(pools: Pools, library: Library) -> dict[str, Maps]:
    """The maps of every file that the pools name."""
    seen = {photo.row.file for photo in pools.photos}
    heard = {sound.row.file for sound in (*pools.sounds, *pools.digits)}
    maps = {file: library.photos(Source(path=file)) for file in sorted(seen)}
    return maps | {file: library.sounds(Source(path=file)) for file in sorted(heard)}


def examples_of(
    recipe: Recipe,
    library: Library,
    texts: Texts,
    motion: MotionConfig | None,
    tokens: int,
    skip: Skip,
    about: Callable[[str], Maker] | None = None,
) -> tuple[Examples, Examples]:
    """The examples of the whole run, and those of validation; an item of a sentence holds so many tokens.

    With `about`, which makes a maker of a part's name, photos come with facts, too.

    Raises:
        InputError: as `read_memories`, or texts that cannot be read.
    """
    mixture = recipe.remember
    train, val = (
        read_memories(recipe, library, texts, part, motion).makers
        | plain_makers(recipe.data, mixture.shares, texts, tokens, part, skip)
        | ({} if about is None else {"facts": about(part)})
        for part in ("train", "val")
    )
    return (
        Examples(train, mixture.shares, round(recipe.optimiser.epochs * mixture.samples), str(recipe.seed), skip),
        Examples(val, mixture.shares, recipe.data.val_samples, "validation", skip),
    )
