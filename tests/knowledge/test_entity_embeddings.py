"""Texts have the vectors of the entities that they name."""

import torch

from mm_memgpt.knowledge.embeddings import MODELS
from mm_memgpt.knowledge.entity_embeddings import EntityEmbeddings
from mm_memgpt.knowledge.graph import KnowledgeGraph


def test_a_text_has_the_mean_of_what_it_names_and_nothing_where_it_names_nothing():
    torch.manual_seed(0)
    names = (("dog",), ("New York", "Big Apple"), ("Berlin",), ("Berlin",))
    graph = KnowledgeGraph.of_names(("a", "b", "c", "d"), ("in",), entity_names=names, relation_names=("in",))
    embeddings = EntityEmbeddings("complex", MODELS["complex"](4, 1, 6), graph)
    unit = torch.nn.functional.normalize(embeddings.model.entity.weight.detach(), dim=-1)
    found = embeddings.of_texts(["Two dogs", "It rains.", "A dog, another dog in the big apple", "in Berlin"])
    torch.testing.assert_close(found[0], unit[0])
    assert found[1].tolist() == [0] * 6
    torch.testing.assert_close(found[2], unit[:2].mean(0))  # named twice, it counts once
    torch.testing.assert_close(found[3], unit[2:].mean(0))  # which Berlin is meant, the text does not say
    assert embeddings.of_texts([]).shape == (0, 6)
