"""Facts join an answer: one that is asked for is the answer, with what led to it, and the rest stays as it was."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn

from mm_memgpt import Text
from mm_memgpt.explain.written import written
from mm_memgpt.memory.where import Where
from mm_memgpt.pipeline import load
from mm_memgpt.recollection.asking import Asking
from mm_memgpt.recollection.evidence import grounds, logprobs
from mm_memgpt.recollection.joining import join, related_by, without
from mm_memgpt.recollection.linking import MOST
from mm_memgpt.types import Fact, InputError

YEAR_1990 = 631152000.0

QUESTIONS = ("What is in the photo?", "Where is the red lamp?", "Who has a bicycle?", "What is the capital of France?")


@pytest.fixture
def noted(memory, photo):
    memory.add([photo(0), Text("the red lamp is in the kitchen"), Text("We ate soup in Germany."), photo(1)])
    return memory


@pytest.fixture
def shown(monkeypatch):
    """What is written of each photo: the tiny model writes nothing that could be linked."""
    monkeypatch.setattr(Asking, "say", lambda self, groups: ["A dog runs."] * len(groups))


@pytest.mark.parametrize(("place", "text"), [("first", "dog is a kind of canine"), ("last", "cat is a kind of feline")])
def test_a_question_that_says_which_photo_is_answered_of_that_one(noted, monkeypatch, place, text):
    first, last = (id for _, id in noted.store.archive.find(Where(modality="image")))
    shows = {first: "A dog runs.", last: "A cat sits."}
    monkeypatch.setattr(Asking, "say", lambda self, groups: [shows[group[0].id] for group in groups])
    noted.knows([("dog", "hypernym", "canine"), ("cat", "hypernym", "feline")])
    answer = noted.ask(f"What kind of thing is in the {place} photo?")
    assert (answer.text, answer.sources[1].id) == (text, {"first": first, "last": last}[place])
    assert noted.ask("What is the animal in the third photo a kind of?").declined


@pytest.mark.usefixtures("shown")
def test_a_question_on_what_a_photo_shows_is_answered_by_the_fact_that_it_leads_to(noted):
    noted.knows([("dog", "hypernym", "canine"), ("Berlin", "capital_of", "Germany")], source="atlas")
    answer = noted.ask("What kind of thing is in the photo?")
    assert (answer.text, answer.declined, answer.confidence) == ("dog is a kind of canine", False, 1.0)
    assert answer.path == (("dog", "is a kind of", "canine"),)
    fact, photo, *_ = answer.sources
    assert (fact.path, fact.fact, photo.modality) == ("atlas", Fact("dog", "hypernym", "canine"), "image")
    assert [word.word for word in answer.words] == answer.text.split()
    for word in answer.words:
        assert sorted(place for place, _ in word.sources) == list(range(len(answer.sources)))
    [link] = [link for link in answer.links if link.kind == "relation" and (link.one, link.other) == (0, 1)]
    assert (link.name, link.weight) == ("dog", 0.0)  # this model never learned to read such an edge


def test_a_question_on_what_a_note_names_is_answered_by_the_fact_that_it_leads_to(noted):
    noted.knows([("Berlin", "capital_of", "Germany"), ("Germany", "instance_of", "country")])
    answer = noted.ask("What is the capital of the country where we ate soup?")
    assert answer.text == "Berlin is the capital of Germany"
    assert [source.text for source in answer.sources[:2]] == [answer.text, "We ate soup in Germany."]


def test_where_no_fact_is_asked_for_answers_are_as_they_were(noted):
    before = {question: noted.ask(question) for question in QUESTIONS}
    assert not before[QUESTIONS[1]].path
    noted.knows([("kitchen", "part_of", "house"), ("Anna", "spouse", "Ben"), ("Paris", "has part", "Louvre")])
    for question in QUESTIONS[1:]:
        answer = noted.ask(question)
        assert (answer.text, answer.declined, answer.path) == (before[question].text, before[question].declined, ())
    noted.forget("facts")
    for question in QUESTIONS:
        after = noted.ask(question)
        assert after.text == before[question].text
        assert [source.id for source in after.sources] == [source.id for source in before[question].sources]


def test_a_fact_is_no_testimony_of_what_was_seen(noted):
    noted.knows([("giraffe", "hypernym", "ruminant")])
    assert noted.ask("Was a giraffe ever seen?").declined
    assert noted.ask("What is the giraffe in the photo a kind of?").declined
    assert noted.ask("What is a giraffe a kind of?").text == "giraffe is a kind of ruminant"


def test_a_fact_counts_while_it_holds(noted):
    noted.knows(
        [Fact("Bonn", "capital_of", "Germany", until=YEAR_1990), Fact("Berlin", "capital_of", "Germany", YEAR_1990)]
    )
    question = "What is the capital of Germany?"
    assert noted.ask(question, at="1989").text == "Bonn is the capital of Germany"
    assert noted.ask(question, at=YEAR_1990).text == "Berlin is the capital of Germany"
    assert {source.fact.head for source in noted.ask(question, at="1989").sources if source.fact} == {"Bonn"}
    with pytest.raises(InputError, match="'soon' in at"):
        noted.ask(question, at="soon")


def test_a_forgotten_fact_answers_nothing(noted):
    question = "What is the capital of Germany?"
    noted.knows([("Berlin", "capital_of", "Germany")], source="atlas")
    assert noted.ask(question).text == "Berlin is the capital of Germany"
    noted.forget("atlas")
    assert noted.ask(question).declined


def test_few_of_many_facts_join_and_each_is_linked_to_what_names_its_ends(noted):
    noted.knows([("kitchen", "seen by", f"person {number}") for number in range(3 * MOST)], source="atlas")
    answer = noted.ask("Where is the red lamp?", k=2)
    facts = [place for place, source in enumerate(answer.sources) if source.fact is not None]
    assert answer.text == "the red lamp is in the kitchen"
    assert len(facts) <= MOST + 2
    related = {(link.one, link.other) for link in answer.links if link.kind == "relation"}
    assert {(0, fact) for fact in facts} <= related
    assert {link.name for link in answer.links if link.kind == "relation"} == {"kitchen"}
    for link in answer.links:
        assert 0 <= link.one < link.other < len(answer.sources)
        assert 0 <= link.weight <= 1


@pytest.fixture
def reader(model):
    """A model that reads relations, its messages not yet silent."""
    reader = deepcopy(model.model)
    for name, parameter in reader.fuser.graph.named_parameters():
        if name.endswith("output.weight"):
            nn.init.normal_(parameter)
    return reader


@torch.inference_mode()
def test_a_source_left_out_has_no_relations_and_the_others_keep_theirs(noted, model, reader):
    items = [row.item for row in noted.store.archive.since()]
    store, pairs = noted.store, [(0, 1), (1, 3)]
    joined = join(store.state(), store.ledger, store.names, items)
    joined = joined._replace(relations=related_by(joined, pairs))
    text = written(reader, model.processor, "brown dog")
    states = without(joined, items, [(), (1,), (2,)], reader.bank.empty(dtype=torch.float64))
    full, less, other = logprobs(reader, states, text, joined.relations)
    bare = logprobs(reader, states, text)
    assert not torch.allclose(full, bare[0])
    torch.testing.assert_close(less, bare[1])  # both relations were of what is left out
    assert not torch.allclose(other, bare[2])
    given = grounds(reader, model.processor, joined, items, [[1]], "", "brown dog")
    torch.testing.assert_close(given.drops[0], full - less, atol=1e-4, rtol=0)


def test_a_model_is_given_relations_only_where_it_learned_to_read_them(noted, model, monkeypatch):
    noted.knows([("kitchen", "part_of", "house")])
    asking = Asking(noted.steps, noted.store, noted._perceiver, noted._known().linked)
    key = noted._perceiver.text_key("Where is the red lamp?")
    found = asking.found(key, "Where is the red lamp?", 8, None)
    assert asking.asked("Where is the red lamp?", found).joined.relations is None
    monkeypatch.setattr(model.model.config.fusion, "relations", True)
    asked = asking.asked("Where is the red lamp?", found)
    one, other = next(iter(asked.related))
    assert asked.joined.relations[0, asked.joined.own[one], asked.joined.own[other]] == 1
    [link] = [link for link in noted.ask("Where is the red lamp?").links if link.kind == "relation"]
    assert (link.name, link.weight > 0) == ("kitchen", True)


@pytest.mark.slow
def test_nano_tells_the_kind_of_what_it_sees_and_of_nothing_else(tmp_path):
    nano = load("nano", device="cpu")
    with nano.memory(tmp_path / "memory") as memory:
        memory.add(Path(__file__).parents[2] / "demos" / "photos" / "photographer.jpg")
        memory.knows([("man", "hypernym", "adult"), ("giraffe", "hypernym", "ruminant")])
        answer = memory.ask("What is the person in the photo a kind of?")
        assert answer.text == "man is a kind of adult"
        assert [source.modality for source in answer.sources[:2]] == ["text", "image"]
        assert memory.ask("What is the giraffe in the photo a kind of?").declined
