"""Every sentence that is made says its own class and no other, and so does what a model may write."""

import pytest

from mm_memgpt.datasets.templates import SOUNDS, digit_word, read_digit, read_sound

MADE = [(kind, sentence) for kind, sound in SOUNDS.items() for sentence in sound.sentences]


def test_ten_classes_with_several_sentences_each():
    assert len(SOUNDS) == 10
    assert min(len(set(sound.sentences)) for sound in SOUNDS.values()) >= 4
    assert len({sentence for _, sentence in MADE}) == len(MADE)


def test_names_are_short_and_their_own():
    assert max(len(sound.name.split()) for sound in SOUNDS.values()) <= 3
    assert len({sound.name for sound in SOUNDS.values()}) == 10
    assert [read_sound(sound.name) for sound in SOUNDS.values()] == list(SOUNDS)
    assert all(sound.phrase.endswith(sound.name) for sound in SOUNDS.values())


@pytest.mark.parametrize(("kind", "sentence"), MADE)
def test_a_made_sentence_is_read_back_as_its_class(kind, sentence):
    assert read_sound(sentence) == kind
    assert read_sound(sentence.capitalize() + ".") == kind


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("Dogs bark in the yard", "dog_bark"),
        ("A ROOSTER!", "rooster"),
        ("It rained all night", "rain"),
        ("somebody is sneezing", "person_sneeze"),
        ("two babies cried", "baby_cry"),
        ("a dog barks while rain is falling", None),
        ("the crowd in the cockpit searches", None),
        ("a man is talking", None),
        ("", None),
    ],
)
def test_a_sentence_of_any_wording_names_one_class_or_none(sentence, kind):
    assert read_sound(sentence) == kind


def test_digits_are_words_and_come_back():
    assert [read_digit(digit_word(digit)) for digit in range(10)] == list(range(10))
    assert (digit_word(7), read_digit("Seven."), read_digit("the digit 7"), read_digit("7 is seven")) == (
        "seven",
        *[7] * 3,
    )
    assert [read_digit(text) for text in ("", "ten", "12", "one or two", "someone")] == [None] * 5
    with pytest.raises(ValueError, match="10 is no digit; give 0 to 9"):
        digit_word(10)
