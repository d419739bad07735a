"""An answer is a sentence that was said, or what a reader makes of it; where nothing was said, there is none."""

import pytest

from mm_memgpt import Text
from mm_memgpt.recollection.answering import Answerer, evidence, is_question
from mm_memgpt.recollection.passages import Passage, Passages, of_archive
from mm_memgpt.types import InputError

DIARY = "We went to the harbour on Monday. Anna bought a green boat there. It cost 90 euros. Then it rained."
LETTER = "Dear Ben, the roof is new. Anna bought a hat in Leeds."


@pytest.fixture
def passages() -> Passages:
    return Passages([("diary", DIARY), ("letter", LETTER)])


def test_the_best_sentence_is_quoted_and_its_source_named(passages):
    answer = Answerer(passages).answer("What did Anna buy in Leeds?")
    assert (str(answer), answer.sources[0].source, answer.declined) == ("Anna bought a hat in Leeds.", "letter", False)
    assert answer.confidence == 1


def test_it_declines_where_too_little_was_said_and_says_what_came_nearest(passages):
    answer = Answerer(passages).answer("Which giraffe sleeps behind Anna's church?")
    assert (answer.text, answer.declined) == ("", True)
    assert all("Anna" in each.text for each in answer.sources)
    assert Answerer(passages).answer("Is it?").sources == ()


def test_what_a_sentence_is_about_the_one_before_it_may_say():
    found = Passages([("a", "My cousin has a dog. Bello barks at bicycles."), ("b", "Bello is a brand.")])
    best = Answerer(found).answer("What does the dog of my cousin bark at?")
    assert best.text == "Bello barks at bicycles."


def test_a_question_is_no_answer_and_of_two_as_good_the_newer_is():
    said = ["Where is the red key?", "The red key is in the hall.", "The red key is in the barn."]
    found = [Passage(text, "notes", order, float(order)) for order, text in enumerate(said)]
    assert [each.passage.text for each in evidence("Where is the red key?", found)] == [said[2], said[1]]


def test_a_reader_gets_the_sentences_best_first_and_its_silence_is_a_refusal(passages):
    given = []

    def read(question: str, sentences: list[str]) -> str:
        given.append((question, sentences))
        return "a boat" if "green" in question else ""

    boat = Answerer(passages, read, sentences=2).answer("Which green thing did Anna buy?")
    assert (boat.text, boat.declined) == ("a boat", False)
    assert given[0][1][0] == "Anna bought a green boat there."
    assert Answerer(passages, read).answer("What did Anna buy?").declined


def test_a_memory_and_the_same_text_at_hand_answer_alike(memory, passages):
    memory.add([Text(DIARY), Text(LETTER)], source=["diary", "letter"])
    ours, theirs = (
        Answerer(find).answer("How much did the boat cost?") for find in (of_archive(memory.store.archive), passages)
    )
    assert ours.text == theirs.text == "It cost 90 euros."
    assert memory.store.archive.get([ours.sources[0].id])[0].item.text == ours.text


def test_recall_gives_sentences_by_what_is_said_around_them(memory):
    memory.add([Text("Who has the ladder? Ben said so yesterday.")], source="talk")
    assert [hit.text for hit in memory.recall("ladder")] == ["Who has the ladder?", "Ben said so yesterday."]
    with pytest.raises(InputError, match="k 0 must be at least 1"):
        memory.recall("ladder", k=0)
    with pytest.raises(InputError, match="nothing is asked"):
        memory.recall(" ")


@pytest.mark.parametrize(
    ("said", "asks"),
    [
        ("Where is it?", True),
        ("where is my key", True),
        ("Tell me where it is.", True),
        ('He asked "why?"', True),
        ("When I was young, I sang.", False),
        ("What a day!", False),
        ("I bought a car", False),
    ],
)
def test_a_question_is_told_from_a_statement(said, asks):
    assert is_question(said) is asks
