"""Examples of a photo with facts: what it shows is known from the photo, the answer from a fact that is in the memory.

Notable: which facts a photo is linked to is not told by people's captions but by the model itself, right or wrong: by
names in what it says of the photo, and by how well the photo's key fits those of the names; in training some links are
lost and some are wrong, so that the photo is looked at, and some facts are about names that nobody knows, so that links
are followed.

n items   e entity width
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from mm_memgpt.config import FusionConfig
from mm_memgpt.datasets.chance import draw, draw_below, happens
from mm_memgpt.datasets.photo_facts import (
    RENAMED,
    SYNSETS,
    Known,
    PhotoQuestion,
    ThingFact,
    kept_for_test,
    read_known,
    weights_of,
)
from mm_memgpt.datasets.pools import Photo, read_photos
from mm_memgpt.datasets.things import mentioned, phrase
from mm_memgpt.knowledge.entity_embeddings import EntityEmbeddings
from mm_memgpt.knowledge.linking import BY_NAME, IN_COMMON
from mm_memgpt.knowledge.saying import sentence_of
from mm_memgpt.memory.item import Fact
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.models.writer import Writer
from mm_memgpt.objectives.contrastive import HIGHEST_SCALE
from mm_memgpt.perception import Perception
from mm_memgpt.training.items import Item, Texts
from mm_memgpt.training.library import Library
from mm_memgpt.training.maps import Maps, fingerprint
from mm_memgpt.training.recipe import Knowledge, Recipe, Source
from mm_memgpt.types import InputError

LOST, WRONG = 0.15, 0.1
"""Chance in training that a photo is not linked to a fact that its words name, and that it is to another."""

POWER = 0.5
"""In training a thing is asked for as often as the number of photos that show it, to this power."""

FORM = "a photo of {}"
"""How a thing is named where the key of its name is compared with a photo's."""

PLACE = {thing: place for place, thing in enumerate(SYNSETS)}
"""The place of each thing among all."""

GROUP = 16
"""Photos that are described at a time."""


class Looks(NamedTuple):
    """What a model makes of n photos."""

    said: list[str]
    """What it says of each, greedily."""
    fits: Tensor
    """(n, things of SYNSETS) cosine of its key and that of each thing's name, at the scale at which keys learn."""


class Knowing:
    """Makes examples: dicts of "kind", "items" and "text", and `relations` (n, n) and `entities` (n, e) of the items.

    Args:
        photos: with what is certain about them.
        maps: of the photos' files.
        looks: by file, what the model makes of each photo.
        known: what is known of things.
        texts: makes tokens.
        training: whether facts are made up, links disturbed, and nothing is asked that is kept for the test.
        relations: whether links between items are given.
        mirrored: whether outside training a photo is the mean of both its views.
        vectors: by thing, (e) of its entity; none where there are none to be read.
        made_up: share of training's memories whose facts are.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        maps: Mapping[str, Maps],
        looks: Mapping[str, Looks],
        known: Known,
        texts: Texts,
        training: bool,
        relations: bool = True,
        mirrored: bool = False,
        vectors: Mapping[str, Tensor] | None = None,
        made_up: float = 0.0,
    ) -> None:
        self.photos, self.maps, self.looks, self.known = photos, maps, looks, known
        self.texts, self.training, self.relations = texts, training, relations
        self.mirrored, self.vectors, self.made_up = mirrored, vectors or {}, made_up

    def __call__(self, generator: Random) -> dict[str, Any] | None:
        """An example of any photo; None where nothing can be asked about it."""
        if not self.training:
            photo = draw(generator, self.photos)
            question = self.known.ask(photo.facts, generator, None)
            return None if question is None else self.example(photo, question, generator)
        thing = list(self.shown)[draw_below(generator, self._edges)]
        photo = draw(generator, self.shown[thing])
        renamed = RENAMED if self.relations or self.vectors else 0.0
        question = self.known.ask(photo.facts, generator, False, thing, self.made_up, renamed)
        return None if question is None else self.example(photo, question, generator)

    @cached_property
    def shown(self) -> dict[str, list[Photo]]:
        """The photos that certainly show each thing that is not kept for the test."""
        found: dict[str, list[Photo]] = {}
        for photo in self.photos:
            for thing in photo.facts.named & SYNSETS.keys():
                if not kept_for_test(thing):
                    found.setdefault(thing, []).append(photo)
        return dict(sorted(found.items()))

    @cached_property
    def _edges(self) -> list[float]:
        """Running totals of how often each is asked for."""
        return list(accumulate(len(photos) ** POWER for photos in self.shown.values()))

    def example(
        self, photo: Photo, question: PhotoQuestion, generator: Random, informed: bool = True
    ) -> dict[str, Any]:
        """A question about a photo; without the facts where it is not `informed`."""
        facts = question.facts if informed else ()
        items = [
            Item("text", self.texts.note(said_of(fact._replace(thing=name))), (float(place), place + 1.0), place)
            for place, (fact, name) in enumerate(zip(facts, question.called, strict=False))
        ]
        moment = (float(len(facts)), len(facts) + 1.0)
        items.append(Item("image", self._map(photo, generator), moment, len(facts)))
        about = (question.about, len(facts)) if informed else (0,)
        text = self.texts(question.answer, question.text, about)
        linked = self._linked(photo, facts, generator)
        made = {"relations": related(facts, linked)} if self.relations else {}
        if self.vectors:
            made["entities"] = self._entities(facts, linked, question.called, generator)
        return {"kind": "facts", "items": items, "text": [text], **made}

    def _linked(self, photo: Photo, facts: Sequence[ThingFact], generator: Random) -> list[float]:
        """How strongly a photo is linked to each fact, 0 to 1: fully by name; else as likely as its thing, of all in
        the facts, is the one that the photo's key fits."""
        looks, number = self.looks[photo.row.file], photo.row.number
        named = mentioned(looks.said[number]).named
        things = list(dict.fromkeys(fact.thing for fact in facts))
        fits = looks.fits[number, [PLACE[thing] for thing in things]].float().softmax(0).tolist()
        weights = {thing: 1.0 if thing in named else fit for thing, fit in zip(things, fits, strict=True)}
        if self.training:
            for thing in things:
                if happens(generator, LOST):
                    weights[thing] = 0.0
                elif happens(generator, WRONG):
                    weights[thing] = 1.0
        return [weights[fact.thing] for fact in facts]

    def _entities(
        self, facts: Sequence[ThingFact], linked: Sequence[float], called: Sequence[str], generator: Random
    ) -> Tensor:
        """(n, e): of each fact the vector of its head, of the photo the mean of those that it is linked to, as strongly
        as it is; of a head that is called otherwise, one drawn by chance."""
        blank = torch.zeros_like(next(iter(self.vectors.values())))
        drawn = torch.Generator().manual_seed(int(generator.random() * 2**31))
        chance = {fact.thing: normalize(torch.randn(len(blank), generator=drawn), dim=0) for fact in facts}
        heads = [
            self.vectors.get(fact.thing, blank) if fact.thing == name else chance[fact.thing]
            for fact, name in zip(facts, called, strict=False)
        ]
        of_photo = {fact.thing: (weight, head) for fact, head, weight in zip(facts, heads, linked, strict=True)}
        total = sum(weight for weight, _ in of_photo.values())
        mean = sum((weight * head for weight, head in of_photo.values()), blank)
        return torch.stack([*heads, mean / total if total else blank])

    def _map(self, photo: Photo, generator: Random) -> Tensor:
        maps, number = self.maps[photo.row.file], photo.row.number
        if self.training:
            return maps.row(number, draw(generator, maps.views))[0][0]
        seen = maps.row(number, maps.views[0])[0][0]
        return (seen.float() + maps.row(number, "mirrored")[0][0].float().flip(-1)) / 2 if self.mirrored else seen


def said_of(fact: ThingFact) -> str:
    """A fact as a sentence, as a memory keeps it."""
    return sentence_of(Fact(fact.thing, fact.relation, fact.tail))


def related(facts: Sequence[ThingFact], linked: Sequence[float]) -> Tensor:
    """(n, n): facts about one thing are related, and the photo behind them with each as strongly as it is linked."""
    n = len(facts) + 1
    found = torch.zeros(n, n)
    for place, fact in enumerate(facts):
        found[place, :-1] = IN_COMMON * torch.tensor([fact.thing == other.thing for other in facts])
        found[place, -1] = found[-1, place] = BY_NAME * linked[place]
    return found.fill_diagonal_(0)


def vectors_of(folder: str | Path) -> dict[str, Tensor]:
    """The vector (e) of each thing's synset, of unit length, of a folder that a recipe of entities wrote.

    Raises:
        InputError: no such folder, or one that knows none of the synsets.
    """
    embeddings = EntityEmbeddings.read(folder)
    places = {id: place for place, id in enumerate(embeddings.graph.entities)}
    weights = normalize(embeddings.model.entity.weight.detach(), dim=-1)
    found = {thing: weights[places[synset]] for thing, synset in SYNSETS.items() if synset in places}
    if not found:
        raise InputError(f"{folder}: knows no synset of WordNet 3.0; train it by recipes/entities_wn18rr.yaml")
    return found


def looked_at(model: MMMemGPTForConditionalGeneration, processor: MMMemGPTProcessor, maps: Maps, keep: Path) -> Looks:
    """What a model makes of photos; kept in a file, from which it is read the next time.

    Args:
        model: whose trunk made the maps.
        processor: its tokenizer's.
        maps: of the photos.
        keep: the file.
    """
    if keep.is_file():
        kept = json.loads(keep.read_text(encoding="utf-8"))
        return Looks(kept["said"], torch.tensor(kept["fits"]))
    names = Perception(model, processor).read([FORM.format(phrase(thing)) for thing in SYNSETS], "know")
    scale = model.text_encoder.scale.exp().clamp_max(HIGHEST_SCALE)
    writer, said, fits = Writer(model, processor.tokenizer), [], []
    for begin in tqdm(range(0, len(maps), GROUP), desc=f"what {maps.folder.name} shows", unit_scale=GROUP):
        rows = range(begin, min(begin + GROUP, len(maps)))
        seen = torch.stack([maps.row(row, maps.views[0])[0][0].float() for row in rows])
        with torch.inference_mode():
            features = model.image_encoder.from_map(seen.unsqueeze(1).to(model.device))
            state = model.bank.write(model.bank.empty(len(seen), device=model.device), features)
            said += [judged.caption.text for judged in writer.write(model.fuser(state), "", 1)]
            fits.append((scale * features.key[:, 0] @ names.key[:, 0].T).float().cpu())
    keep.parent.mkdir(parents=True, exist_ok=True)
    beside = keep.with_suffix(".part")
    looks = Looks(said, torch.cat(fits))
    kept = {"said": said, "fits": [[round(fit, 4) for fit in row] for row in looks.fits.tolist()]}
    beside.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    beside.replace(keep)
    return looks


def check_fusion(knowledge: Knowledge, fusion: FusionConfig) -> None:
    """Raises InputError where fusion does not read what a recipe gives it."""
    if knowledge.relations and not fusion.relations:
        raise InputError("knowledge.relations: fusion does not read them; set fusion.relations to true")
    if knowledge.entities is not None and not fusion.entity_width:
        raise InputError("knowledge.entities: fusion does not read them; set fusion.entity_width")


def facts_of(
    recipe: Recipe,
    library: Library,
    texts: Texts,
    model: MMMemGPTForConditionalGeneration,
    processor: MMMemGPTProcessor,
    part: str,
) -> Knowing:
    """What makes the examples of one part ("train", "val" or "test") of Flickr8k; `model` says what photos show.

    Raises:
        InputError: a file is missing or broken, or vectors of another width than fusion's.
    """
    root, knowledge, training = Path(recipe.data.root), recipe.knowledge, part == "train"
    photos = read_photos(root, part)
    file = photos[0].row.file
    maps = library.photos(Source(path=file))
    keep = library.folder / f"looks_{fingerprint(model, (FORM, *SYNSETS))}" / f"{part}.json"
    vectors = {} if knowledge.entities is None else vectors_of(knowledge.entities)
    if vectors and recipe.fusion is not None and len(next(iter(vectors.values()))) != recipe.fusion.entity_width:
        width = len(next(iter(vectors.values())))
        raise InputError(f"{knowledge.entities}: vectors of {width}; set fusion.entity_width to that")
    return Knowing(
        photos,
        {file: maps},
        {file: looked_at(model, processor, maps, keep)},
        read_known(root / knowledge.facts, weights_of((photo.facts for photo in photos), POWER if training else 1.0)),
        texts,
        training,
        relations=knowledge.relations,
        mirrored=model.config.image.mirrored,
        vectors=vectors,
        made_up=knowledge.made_up,
    )
