"""Long texts as training sees them: what is shared is encoded once, and what is asked for is where it says."""

from random import Random

import pytest
import torch

from mm_memgpt.models.loading import read_model
from mm_memgpt.objectives.recalling import Recalling
from mm_memgpt.training.items import Texts
from mm_memgpt.training.recalling import LONGEST, PairsExample, Recall, Recalled, filler_of
from mm_memgpt.types import InputError, Sample

FILLER = ("Nothing happened on that day.", "The rain had stopped by then.", "They walked home in silence.")


@pytest.fixture
def model(tiny_model_folder):
    return read_model(tiny_model_folder)


def batch(model, how: Recall, groups: int = 1):
    texts = Texts(model[1].tokenizer, model[0].begin(1).item(), 64)
    make = PairsExample(FILLER, texts, how)
    return Recalled(texts.tokenizer.pad_token_id)([make(Random(number)) for number in range(groups)])


def test_a_shared_sentence_is_encoded_once_and_stands_in_every_text_where_it_was(model):
    how = Recall(sentences=7, pairs=(2,), asked=1, texts=3, filler=2)
    bunch = batch(model, how, groups=2)
    assert bunch["order"].shape == (6, 7)
    assert len(bunch["text"]) <= len(FILLER) + 6 * 2
    facts = bunch["stated"].tolist()
    assert len(facts) == len(bunch["asked"]) == 12
    for number, (row, place) in enumerate(facts):
        stated = bunch["text"][bunch["order"][row, place]]
        said = model[1].tokenizer.decode(stated, skip_special_tokens=True)
        asked = model[1].tokenizer.decode(bunch["asked"][number], skip_special_tokens=True)
        assert said.startswith(f"The {asked.removeprefix('What is the ').rstrip('?')} is ")


def test_questions_are_at_most_as_many_as_asked_and_settled_by_a_stated_sentence(model):
    bunch = batch(model, Recall(sentences=9, pairs=(3,), asked=2, texts=2, filler=3))
    assert bunch["owner"].tolist() == [0, 0, 1, 1]
    places = bunch["about"].int().argmax(1).tolist()
    assert {(row, place) for row, place in zip(bunch["owner"].tolist(), places, strict=True)} <= {
        tuple(each) for each in bunch["stated"].tolist()
    }


def test_the_loss_teaches_what_reads_what_fuses_and_what_writes(model):
    bunch = batch(model, Recall(sentences=9, pairs=(2,), asked=2, texts=2, filler=3))
    learner = model[0].float().train()
    found = Recalling(keys=0.3, looking=0.3, slots=6)(learner, bunch)
    assert set(found) == {"loss", "answers", "keys", "looking", "right"}
    found["loss"].backward()
    for part in (learner.text_encoder.key, learner.fuser.graph, learner.decoder):
        grads = [each.grad for each in part.parameters() if each.requires_grad]
        assert any(grad is not None and bool(grad.abs().sum() > 0) for grad in grads)
    assert all(torch.isfinite(value) for value in found.values())


def test_filler_is_neither_short_nor_long():
    long = f"{'so ' * LONGEST}it ended."
    texts = [Sample(source="a", text=f"Yes. {FILLER[0]} {long} {FILLER[1]}"), Sample(source="b")]
    assert filler_of(texts, 10_000) == list(FILLER[:2])
    with pytest.raises(InputError, match="no sentence that could be filler; the sources need a column 'text'"):
        filler_of([Sample(source="b")], 100)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pairs": (3, 9), "sentences": 9}, r"pairs \[3, 9\] must be at least 1 and below sentences 9"),
        ({"pairs": ()}, r"pairs \[\] must be at least 1"),
        ({"asked": 0}, "asked 0 must be at least 1"),
        ({"stretch": 0.5}, "stretch 0.5 must be at least 1"),
        ({"keys": -1.0}, "keys -1.0 must be at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Recall(**given)
