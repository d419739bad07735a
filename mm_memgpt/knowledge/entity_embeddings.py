"""A trained model of entities with their names, as a folder: model.safetensors, and entities.json for what is what.

    embeddings = EntityEmbeddings.read("runs/entities_fb15k237")
    embeddings.nearest("Paris")
    embeddings.answers("Paris", "/location/location/containedby")

Notable: a folder whose names and vectors do not belong together is refused.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn import functional

from mm_memgpt.knowledge.embeddings import MODELS, EntityModel
from mm_memgpt.knowledge.graph import KnowledgeGraph
from mm_memgpt.knowledge.linking import Linker
from mm_memgpt.types import InputError

WEIGHTS, NAMES = "model.safetensors", "entities.json"


class Near(NamedTuple):
    """An entity with how well it fits."""

    entity: int
    name: str
    score: float


@dataclass(frozen=True, eq=False)
class EntityEmbeddings:
    """A model and the graph whose entities it knows; of the graph no triple is needed."""

    kind: str
    """Of MODELS."""
    model: EntityModel
    graph: KnowledgeGraph

    def save(self, folder: str | Path) -> None:
        """Writes both files."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in self.model.state_dict().items()}, folder / WEIGHTS)
        graph = self.graph
        names = {
            "model": self.kind,
            "width": self.model.width,
            "entities": [[id, *called] for id, called in zip(graph.entities, graph.entity_names, strict=True)],
            "relations": [[id, name] for id, name in zip(graph.relations, graph.relation_names, strict=True)],
            "descriptions": graph.descriptions if any(graph.descriptions) else [],
        }
        text = json.dumps(names, ensure_ascii=False)
        (folder / NAMES).write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: str | Path) -> "EntityEmbeddings":
        """What `save` wrote.

        Raises:
            InputError: no such folder, or files that are broken or do not belong together.
        """
        folder = Path(folder)
        try:
            given = json.loads((folder / NAMES).read_text(encoding="utf-8"))
            weights = load_file(folder / WEIGHTS)
            entities, relations = given["entities"], given["relations"]
            model = MODELS[given["model"]](len(entities), len(relations), given["width"])
            model.load_state_dict(weights)
            graph = KnowledgeGraph.of_names(
                tuple(id for id, *_ in entities),
                tuple(id for id, _ in relations),
                entity_names=tuple(tuple(names) for _, *names in entities),
                relation_names=tuple(name for _, name in relations),
                descriptions=tuple(given["descriptions"]),
            )
        except FileNotFoundError as error:
            lacking = f"no {Path(error.filename or NAMES).name}"
            raise InputError(f"{folder}: {lacking}; give a folder that a recipe of entities wrote") from None
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{folder}: broken, or of another model ({said}); train it again") from None
        return cls(given["model"], model.eval(), graph)

    @torch.inference_mode()
    def nearest(self, name: str, most: int = 10) -> list[Near]:
        """The entities whose vectors are most like that of an entity, by cosine, best first.

        Raises:
            InputError: no entity of this name, or several.
        """
        entity = self._one(name)
        vectors = functional.normalize(self.model.entity.weight, dim=-1)
        return self._best(vectors @ vectors[entity], {entity}, most)

    @torch.inference_mode()
    def answers(self, head: str, relation: str, most: int = 10, known: Sequence[int] = ()) -> list[Near]:
        """The entities that a relation most likely leads to from a head, best first, but for those that are known.

        Raises:
            InputError: no such entity or relation, or several of the name.
        """
        given = torch.tensor([[self._one(head)], [self.graph.relation(relation)]])
        return self._best(self.model.score_all_tails(*given)[0], {*known}, most)

    @torch.inference_mode()
    def of_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """(n, d) a vector for each of n texts, as `fuser(state, entities=...)` takes one for each slot.

        It is the mean of the vectors, of unit length, of the entities that the text names, of a name that several share
        all of them; 0 where it names none.
        """
        vectors = functional.normalize(self.model.entity.weight, dim=-1)
        found = vectors.new_zeros(len(texts), vectors.shape[1])
        for row, text in enumerate(texts):
            named = sorted({entity for mention in self.linker.link(text) for entity in mention.entities})
            if named:
                found[row] = vectors[named].mean(0)
        return found

    @cached_property
    def linker(self) -> Linker:
        """Finds the names of its entities in texts."""
        return Linker(self.graph)

    def _best(self, scores: torch.Tensor, without: set[int], most: int) -> list[Near]:
        order = scores.argsort(descending=True, stable=True)[: most + len(without)].tolist()
        kept = [each for each in order if each not in without][:most]
        return [Near(each, self.graph.name(each), float(scores[each])) for each in kept]

    def _one(self, name: str) -> int:
        found = self.graph.find(name)
        if len(found) > 1:
            several = ", ".join(self.graph.entities[each] for each in found[:5])
            raise InputError(f"entity {name!r} is {len(found)}: {several}; give one by its identifier")
        return found[0]
