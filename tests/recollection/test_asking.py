"""Asking quotes what answers, names what its words rest on, declines where nothing does, and changes nothing."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from mm_memgpt import Text
from mm_memgpt.memory.where import Where
from mm_memgpt.pipeline import load
from mm_memgpt.recollection.asking import Asked, Asking
from mm_memgpt.recollection.joining import join
from mm_memgpt.recollection.support import supported
from mm_memgpt.types import InputError

NOTES = (
    "the code of the red box is five",
    "the code of the blue box is two",
    "the red lamp is in the kitchen",
    "the red lamp arrives on monday",
    "Anna has a bicycle.",
)


@pytest.fixture
def noted(memory, photo):
    memory.add([photo(0), *map(Text, NOTES), photo(1)])
    return memory


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ("What is the code of the red box?", NOTES[0]),
        ("Where is the red lamp?", NOTES[2]),
        ("When does the red lamp arrive?", NOTES[3]),
        ("Who has a bicycle?", NOTES[4]),
    ],
)
def test_a_note_that_answers_is_quoted_and_is_the_first_source(noted, question, note):
    answer = noted.ask(question)
    assert (answer.text, answer.declined, answer.confidence) == (note, False, 1.0)
    assert (answer.sources[0].text, answer.sources[0].modality) == (note, "text")
    assert [word.word for word in answer.words] == note.split()
    for word in answer.words:
        assert sorted(place for place, _ in word.sources) == list(range(len(answer.sources)))
    for place, source in enumerate(answer.sources):
        drops = [dict(word.sources)[place] for word in answer.words]
        assert source.evidence == pytest.approx(sum(drops), abs=1e-4)


@pytest.mark.parametrize(
    "question",
    [
        "What is the code of the green box?",
        "Where is the blue box?",
        "When does the blue lamp arrive?",
        "Who is the president of France?",
        "Was a giraffe ever seen?",
        "What was heard?",
    ],
)
def test_what_is_not_there_is_declined(noted, question):
    answer = noted.ask(question)
    assert (answer.declined, answer.text, answer.words, answer.sources) == (True, "", (), ())


def test_an_empty_memory_declines(memory):
    assert memory.ask("What is in the photo?").declined
    assert memory.ask("Where is the lamp?").declined


def test_of_two_notes_that_disagree_the_newer_wins_and_the_older_is_named(noted):
    noted.add(Text("the code of the red box is seven"))
    answer = noted.ask("What is the code of the red box?")
    assert answer.text == "the code of the red box is seven"
    assert NOTES[0] in [source.text for source in answer.sources[1:]]
    noted.add(Text("the code of the red box is nine"), time=-10.0)
    assert noted.ask("What is the code of the red box?").text == answer.text


def test_a_question_of_what_was_seen_is_answered_by_the_model(noted):
    answer = noted.ask("What is in the second photo?")
    assert not answer.declined
    assert answer.text
    assert 0 < answer.confidence < 1
    assert [source.evidence for source in answer.sources] == sorted(
        (source.evidence for source in answer.sources), reverse=True
    )


def test_an_answer_that_the_model_is_not_sure_of_is_not_given(noted, model, monkeypatch):
    sure = noted.ask("What is in the second photo?").confidence
    monkeypatch.setattr(model.model.config.asking, "least", sure)
    assert noted.ask("What is in the second photo?").confidence == sure
    monkeypatch.setattr(model.model.config.asking, "least", sure * 1.001)
    assert noted.ask("What is in the second photo?").declined
    assert noted.ask("Who has a bicycle?").text == NOTES[4]  # what is quoted needs no such trust


def test_an_answer_that_rests_on_a_sound_rests_on_all_of_it(memory, files):
    memory.add([files["tone.wav"], Text("the lamp is red")])
    pieces = memory.store.archive.find(Where(modality="audio"))
    found = memory.search("a tone", k=1, where=Where(modality="audio"))
    assert (len(pieces), len(found)) == (3, 1)
    answer = memory.ask("What was heard?")
    assert [source.modality for source in answer.sources].count("audio") == 1
    [drop] = [source.evidence for source in answer.sources if source.modality == "audio"]
    memory.forget(files["tone.wav"])
    store = memory.store
    left = Asked("What was heard?", [], join(store.state(), store.ledger, store.names, []))
    again = Asking(memory.steps, store, memory._perceiver).explained(left, answer.text)
    lost = sum(word.logprob for word in answer.words) - sum(word.logprob for word in again.words)
    assert drop == pytest.approx(lost, abs=1e-3)


def test_asking_changes_nothing(noted):
    before, version = [field.clone() for field in noted.store.state()], noted.store.archive.version
    names = list(noted.store.names)
    noted.ask("What is in the photo?")
    noted.ask("Where is the red lamp?")
    for field, was in zip(noted.store.state(), before, strict=True):
        assert torch.equal(field, was)
    assert (noted.store.archive.version, list(noted.store.names)) == (version, names)


def test_a_thing_is_there_where_the_model_writes_of_it(noted):
    archive, key = noted.store.archive, noted._perceiver.text_key

    def writes(text: str):
        def say(groups: Sequence) -> list[str]:
            return [text] * len(groups)

        return say

    assert supported(archive, "Was a dog ever seen?", key, writes("A dog runs."), 2)
    assert not supported(archive, "Was a dog ever seen?", key, writes("A man runs."), 2)
    assert not supported(archive, "Was a dog seen with a kite?", key, writes("A dog runs."), 2)


def test_words_in_a_row_of_spaces_are_the_same_question(noted):
    assert noted.ask("  Where is  the red lamp? ") == noted.ask("Where is the red lamp?")


@pytest.mark.parametrize(("question", "k", "says"), [("  ", 8, "nothing is asked"), ("Where?", 0, "k 0 must be")])
def test_what_cannot_be_asked_is_said_in_a_line(noted, question, k, says):
    with pytest.raises(InputError, match=says):
        noted.ask(question, k)


@pytest.mark.slow
def test_nano_knows_what_it_saw_and_declines_what_it_did_not(tmp_path):
    from PIL import Image

    nano = load("nano", device="cpu")
    with nano.memory(tmp_path / "memory") as memory:
        memory.add([Image.fromarray(np.full((64, 64, 3), 90, np.uint8)), Text("the red lamp is in the kitchen")])
        assert memory.ask("Where is the red lamp?").text == "the red lamp is in the kitchen"
        for question in ("Was a giraffe ever seen?", "Was a siren ever heard?", "Where is the blue lamp?"):
            assert memory.ask(question).declined
