"""What a question names is told from its frame, and a note must have what is asked for to answer it."""

import pytest

from mm_memgpt.datasets.templates import sound_classes
from mm_memgpt.datasets.things import mentioned
from mm_memgpt.recollection.quoting import score
from mm_memgpt.recollection.support import Said, names
from mm_memgpt.recollection.wanted import content, cues, fits, named, of_perception, position


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is in the second photo?", []),
        ("How many sounds were heard?", []),
        ("Was a giraffe ever seen?", ["giraffe"]),
        ("What was heard when a dog was seen?", ["dog"]),
        ("Which came first, a horse or a red bus?", ["horse", "red", "bus"]),
        ("Who is the president of France?", ["president", "france"]),
    ],
)
def test_words_that_frame_a_question_name_nothing(question, words):
    assert [one.word for one in named(question)] == words


def test_each_word_has_the_cues_of_its_own_clause():
    [bus, dog] = named("Was a bus heard when a dog was seen?")
    assert "heard" in bus.cues
    assert "heard" not in dog.cues


@pytest.mark.parametrize(
    ("question", "about"),
    [("What was seen?", True), ("Was rain heard?", True), ("Where is the key?", False), ("Was a note seen?", False)],
)
def test_questions_of_perception_are_told_from_others(question, about):
    assert of_perception(question) is about


@pytest.mark.parametrize(
    ("question", "note", "does"),
    [
        ("Where is the red lamp?", "the red lamp is in the kitchen", True),
        ("Where is the red lamp?", "the red lamp arrives on monday", False),
        ("Where is the red lamp?", "the code of the red lamp is five", False),
        ("When does the lamp arrive?", "the lamp arrives on monday", True),
        ("When does the lamp arrive?", "the lamp arrives in a box", False),
        ("How many euros is the price of the lamp?", "the price of the lamp is two euros", True),
        ("How many euros is the price of the lamp?", "the price of the lamp is in euros", False),
        ("What is the code of the box?", "The code of the box", False),
        ("What is the code of the box?", "The code of the box is 7", True),
    ],
)
def test_a_note_that_answers_says_more_and_of_the_right_kind(question, note, does):
    assert fits(question, note) is does


def test_a_sentence_is_scored_by_what_it_has_of_the_question():
    wanted = content("What is the code of the red box?")
    assert score(wanted, "The codes of red boxes are five.")[0] == 1.0
    assert score(wanted, "the code of the blue box is five")[0] == pytest.approx(2 / 3)
    assert (
        score(wanted, "the code of the red box is five")[1]
        > score(wanted, "a red box with a code stands behind the tall green fence")[1]
    )


def said(modality: str, text: str) -> Said:
    return Said(modality, mentioned(text), sound_classes(text), frozenset(content(text)))


@pytest.mark.parametrize(
    ("question", "modality", "text", "does"),
    [
        ("Was a dog ever seen?", "image", "A brown puppy runs.", True),
        ("Was a dog ever seen?", "audio", "a dog is barking", False),
        ("Was a dog ever heard?", "audio", "a dog is barking", True),
        ("Was a dog ever heard?", "image", "A brown puppy runs.", False),
        ("Was a surfboard ever seen?", "image", "A surfer rides a wave.", True),
        ("Was a person seen?", "image", "Two boys run.", True),
        ("Was a person seen?", "image", "A dog runs.", False),
        ("Was a jacket seen?", "image", "A man in red jackets.", True),
        ("Was a giraffe seen?", "image", "A horse runs.", False),
    ],
)
def test_a_word_is_supported_by_what_is_written_of_a_photo_or_sound(question, modality, text, does):
    [one] = named(question)
    assert names(one, said(modality, text)) is does


def test_cues_are_of_all_words():
    assert "heard" in cues("What is heard?")


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("What is in the second photo?", 1),
        ("What kind of thing was heard in the last recording?", -1),
        ("Who was seen first?", None),
        ("What is in the photo?", None),
    ],
)
def test_a_question_may_say_which_photo_or_sound_it_means(question, place):
    assert position(question) == place
