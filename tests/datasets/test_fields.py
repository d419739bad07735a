"""A cell becomes what a model takes, or one line says where it stands, in which column, and what is wrong with it."""

import io
import math

import numpy as np
import pytest
import soundfile
from PIL import Image

from mm_memgpt.datasets.fields import (
    as_image,
    as_label,
    as_number,
    as_sound,
    as_text,
    as_texts,
    as_words,
    check_tags,
)
from mm_memgpt.types import InputError

PLACE = "reviews.csv:17"


def refusal(convert, value, *folder) -> str:
    """What is wrong with a value, without the place that all lines begin with."""
    with pytest.raises(InputError) as caught:
        convert(value, PLACE, "cell", *folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(PLACE)
    return str(caught.value).removeprefix(PLACE).lstrip(": ")


MISSING = "nothing in cell; fill it in, or leave the row out"


@pytest.mark.parametrize("text", [" two\u00a0spaces ", "很好", "رائع", "👩🏽‍🚀", "e\u0301", "7", "?!", "$", "नमस्ते"])
def test_text_stays_as_it_is(text):
    assert as_text(text, PLACE, "cell") == text
    assert as_texts([text, "b"], PLACE, "cell") == (text, "b")


@pytest.mark.parametrize("text", ["", "  \t\n", "\u200b\ufeff", "\u00a0", "\u0301", "\u3000"])
def test_a_text_in_which_nothing_is_seen_is_empty(text):
    assert refusal(as_text, text) == "empty text in cell; write one, or leave the row out"


def test_numbers_are_text_and_other_things_are_not():
    assert [as_text(value, PLACE, "cell") for value in (1984, 4.5)] == ["1984", "4.5"]
    assert refusal(as_text, None) == refusal(as_text, math.nan) == MISSING
    assert refusal(as_text, ["a"]) == "['a'] in cell is no text; give a string or a number"
    assert refusal(as_text, b"a").startswith("b'a' in cell is no text")
    assert refusal(as_text, "so \ud83d").startswith("half a character (\\ud83d) in cell")


def test_texts_are_a_list_a_json_list_or_one():
    assert as_texts('["a, b", "好"]', PLACE, "cell") == ("a, b", "好")
    assert as_texts("[sic] a text", PLACE, "cell") == ("[sic] a text",)
    assert as_texts("one", PLACE, "cell") == ("one",)
    assert as_texts(5, PLACE, "cell") == ("5",)
    assert as_texts([], PLACE, "cell") == as_texts("[]", PLACE, "cell") == as_texts(" ", PLACE, "cell") == ()
    assert as_texts(None, PLACE, "cell") == ()
    assert refusal(as_texts, ["a", " "]).startswith("empty text in cell")
    assert refusal(as_texts, [["a"]]).startswith("['a'] in cell is no text")


def test_words_are_a_list_or_are_parted_at_spaces():
    assert as_words(["New York", "\ufe0f", "。"], PLACE, "cell") == ("New York", "\ufe0f", "。")
    assert as_words(" Ann  lives\there ", PLACE, "cell") == ("Ann", "lives", "here")
    assert refusal(as_words, None) == MISSING
    assert refusal(as_words, []) == refusal(as_words, " ") == "no word in cell; write some, or leave the row out"
    assert refusal(as_words, ["a", None]) == "None in cell is no word; give a list of strings"
    assert refusal(as_words, 5) == "5 in cell is no list of words; give a list of strings"


def test_each_word_needs_a_tag():
    check_tags(("a", "b"), ("O", "O"), PLACE)
    with pytest.raises(InputError) as caught:
        check_tags(("a", "b"), ("O",), PLACE)
    assert str(caught.value) == f"{PLACE}: 2 words and 1 tags; give each word one tag"


def test_numbers_are_finite_and_may_be_spelt():
    assert [as_number(value, PLACE, "cell") for value in (4, 4.5, " 4.5", "-1e3")] == [4.0, 4.5, 4.5, -1000.0]
    assert refusal(as_number, None) == refusal(as_number, "") == MISSING
    assert refusal(as_number, "4,5") == "'4,5' in cell is no number; write it as 4.5"
    for wrong in (True, [1], 10**400):
        assert "in cell is no number; write it as 4.5" in refusal(as_number, wrong)
    for endless in (math.nan, "inf"):
        assert refusal(as_number, endless).endswith("in cell is not finite; give a number, or leave the row out")


def test_a_class_has_one_name_whatever_the_file():
    assert [as_label(value, PLACE, "cell") for value in (1, True, "pos ", "好", 0)] == ["1", "true", "pos", "好", "0"]
    for nothing in (None, "", " ", math.nan):
        assert refusal(as_label, nothing) == MISSING
    assert refusal(as_label, {"a": 1}) == "{'a': 1} in cell is no label; give a string or a number"


def test_a_photo_is_bytes_a_struct_or_a_path_from_the_tables_folder(tmp_path):
    content = io.BytesIO()
    Image.new("RGB", (5, 3), "red").save(content, "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content.getvalue())
    values = [content.getvalue(), {"bytes": content.getvalue(), "path": None}, {"path": "a.png"}, "a.png", str(path)]
    for value in values:
        assert as_image(value, PLACE, "cell", tmp_path).size == (5, 3)
    for nothing in (None, "", {"bytes": None, "path": None}):
        assert refusal(as_image, nothing, tmp_path) == MISSING
    assert refusal(as_image, "gone.png", tmp_path) == ", gone.png: no such file; check the path"
    assert refusal(as_image, "a.png", None) == "'a.png' in cell starts from no folder; give a full path"
    assert refusal(as_image, b"none", tmp_path).startswith("no photo, or its beginning is broken")
    assert refusal(as_image, 5, tmp_path).startswith("a value of type int is no photo")


def test_a_sound_is_read_likewise_at_one_rate(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 8_000)
    for value in ("a.wav", {"bytes": (tmp_path / "a.wav").read_bytes()}):
        assert as_sound(value, PLACE, "cell", tmp_path).shape == (1600,)
    assert refusal(as_sound, None, tmp_path) == MISSING
    assert refusal(as_sound, "gone.wav", tmp_path) == ", gone.wav: no such file; check the path"
