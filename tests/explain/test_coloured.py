"""Explanations are read in a terminal and on a page, and what they explain cannot drive either."""

import json
import re

from mm_memgpt.explain.attribution import Attribution, Piece, TextPart, Word
from mm_memgpt.explain.coloured import columns, harmless
from mm_memgpt.explain.text_words import word_spans
from mm_memgpt.tasks.base import Prediction

ODD = "a\x1b[31m red\x07 \u202eright <b>good</b> 北京"


def of(text: str, **further) -> Attribution:
    spans = word_spans(text)
    words = tuple(Word(begin, end, place - 1.0) for place, (begin, end) in enumerate(spans))
    shown = {"texts": (TextPart("text", text, words),), "value": -0.1, "baseline": -2.0}
    return Attribution(method="occlusion", prediction=Prediction(value="yes"), **{**shown, **further})


def plain(shown: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", shown)


def test_words_are_words_in_any_script():
    spans = word_spans("Don't stop, 北京! Ça va... किताब")
    text = "Don't stop, 北京! Ça va... किताब"
    assert [text[begin:end] for begin, end in spans] == [
        *("Don't", "stop", ",", "北", "京", "!", "Ça", "va", "...", "किताब"),
    ]


def test_text_cannot_drive_a_terminal():
    shown = of(ODD).to_ansi()
    assert set(re.findall(r"\x1b\[[\d;]*m", shown)) <= {"\x1b[0m", "\x1b[1m"} | {
        f"\x1b[30;48;5;{shade}m" for shade in (194, 120, 40, 224, 217, 203)
    }
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert harmless("\x1b\u202e") == "\\x1b\\u202e"


def test_text_cannot_be_markup():
    shown = of(ODD).to_html()
    assert "<b>" not in shown
    assert "&lt;" in shown


def test_rows_are_as_wide_as_the_terminal_also_of_wide_characters():
    for text in ("word " * 40, "北京" * 60, "x" * 200):
        for colour in (True, False):
            rows = plain(of(text).to_ansi(30, colour)).split("\n")
            assert len(rows) > 3
            assert max(map(columns, rows)) <= 30


def test_without_colour_figures_stand_behind_the_words():
    shown = of("bad film good").to_ansi(colour=False)
    assert "\x1b" not in shown
    assert shown == "Text: bad[-1] film good[+1]"


def test_for_is_green_and_against_is_red_by_the_greatest():
    shown = of("bad film good").to_ansi()
    assert "\x1b[30;48;5;203mbad" in shown
    assert "\x1b[30;48;5;40mgood" in shown
    assert "mfilm" not in shown


def test_json_holds_all_of_it():
    further = {"image": ((0.5, -0.25),), "sound": (Piece(0.0, 0.25, 1.0),), "delta": 0.01}
    said = json.loads(json.dumps(of("bad good", **further).to_json()))
    assert said["text"][0] == {"word": "bad", "begin": 0, "end": 3, "score": -1.0}
    assert (said["image"], said["sound"]) == ([[0.5, -0.25]], [{"begin": 0.0, "end": 0.25, "score": 1.0}])
    assert (said["method"], said["prediction"], said["delta"]) == ("occlusion", "yes", 0.01)


def test_words_that_were_not_read_are_counted_and_stay_plain():
    part = TextPart("text", "good rest", (Word(0, 4, 1.0), Word(5, 9, None)))
    found = of("", texts=(part,))
    assert found.unread == 1
    assert plain(found.to_ansi()) == "Text: good rest\n(1 words at the end were not read)"
    assert found.to_json()["text"][1]["score"] is None
