"""A text is linked to what it names: whole words, the longest name, every entity that bears it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_memgpt.datasets.entity_names import Name
from mm_memgpt.datasets.triples import Triple
from mm_memgpt.knowledge.linking import Linker, singulars
from mm_memgpt.knowledge.reading import build_graph, read_graph


def linker(*names: str) -> Linker:
    """Of a graph whose entity number i has name i."""
    triples = [Triple(str(number), "r", str(number)) for number in range(len(names))]
    return Linker(build_graph(triples, [Name(str(number), name) for number, name in enumerate(names)])[0])


def found(text: str, *names: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(mention.text, mention.entities) for mention in linker(*names).link(text)]


def test_the_longest_name_wins_and_its_place_is_told():
    text = "He left New York City, not York."
    mentions = linker("York", "New York", "new york city").link(text)
    assert [(mention.text, mention.entities) for mention in mentions] == [("New York City", (2,)), ("York", (0,))]
    assert [text[mention.start : mention.end] for mention in mentions] == ["New York City", "York"]


def test_two_entities_of_one_name_are_both_linked_and_it_is_said():
    [mention] = linker("Paris", "PARIS", "Rome").link("paris in spring")
    assert mention.entities == (0, 1)
    assert mention.is_ambiguous
    assert not linker("Paris").link("paris")[0].is_ambiguous


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("two dogs", "dog"),
        ("many churches", "church"),
        ("the cities", "city"),
        ("land reforms", "land reform"),
        ("an ice-cream", "ice cream"),
        ("an ice cream", "ice-cream"),
        ("the dog's bone", "dog"),
        ("DOG.", "dog"),
        ("in straße 5", "STRASSE"),
        ("C++ code", "c++"),
    ],
)
def test_a_name_is_found_in_other_forms(text, name):
    assert [entities for _, entities in found(text, name)] == [(0,)]


@pytest.mark.parametrize(
    ("text", "name"),
    [("a carpet", "car"), ("New. York", "New York"), ("is it", "it"), ("a glass", "glas"), ("bus", "bu")],
)
def test_a_part_of_a_word_or_of_two_sentences_is_no_mention(text, name):
    assert found(text, name) == []


def test_the_plural_itself_comes_before_the_singular():
    assert found("glasses", "glass", "glasses") == [("glasses", (1,))]
    assert list(singulars("glasses")) == ["glass", "glasse"]


def test_a_word_that_names_nothing_alone_counts_in_a_longer_name():
    assert found("The Who sang to the who", "The Who", "who") == [("The Who", (0,)), ("the who", (0,))]


@given(st.text(max_size=80))
def test_mentions_never_overlap_and_stand_where_they_say(text):
    end = 0
    for mention in linker("a", "b c", "dog", "1").link(text):
        assert end <= mention.start < mention.end
        assert text[mention.start : mention.end] == mention.text
        end = mention.end


@pytest.mark.data
def test_a_sentence_takes_far_less_than_a_millisecond_among_40_943_names(data_folder):
    folder = data_folder / "knowledge"
    graph, _ = read_graph(folder / "wn18rr.parquet", folder / "wn18rr_names.parquet", split_at=", ")
    link = Linker(graph).link
    text = "Two dogs play with a red ball near the land reforms of the church."
    started = time.process_time()
    for _ in range(100):
        mentions = link(text)
    assert time.process_time() - started < 0.1
    assert {"dogs", "ball", "land reforms", "church"} <= {mention.text for mention in mentions}
