"""A sound becomes a sentence and a row a piece; what cannot be heard is one line in its owner's words."""

import re
from html import escape, unescape

import numpy as np
import pytest
import soundfile

from mm_memgpt.explain.slots import slot_evidence, used
from mm_memgpt.explain.written import written
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.serve import pieces as rows
from mm_memgpt.serve.pieces import factor, pieces
from mm_memgpt.serve.sound import describe, heard
from mm_memgpt.serve.words import begun, sentence
from mm_memgpt.types import Caption, InputError, Word

RATE = 16_000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE).astype(np.float32)  # four pieces


@pytest.fixture(scope="module")
def model(tiny_model_folder) -> Pipeline:
    return load(tiny_model_folder, "cpu")


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("sounds") / "noise.flac"
    soundfile.write(path, NOISE, RATE)
    return str(path)


@pytest.fixture(scope="module")
def state(model, path):
    return heard(model, path, "noise")


def cells(html: str) -> list[list[str]]:
    return [
        [unescape(re.sub("<.*?>", "", cell)) for cell in re.findall("<td>(.*?)</td>", row)]
        for row in re.findall("<tr>(.*?)</tr>", html)[1:]
    ]


def test_what_is_written_of_a_sound_is_its_caption(model, state, path):
    html, table = describe(model, state, "", beams=2)
    assert html == sentence(model.caption(path, beams=2))
    assert [row[0] for row in cells(table)] == [
        "0:00.0 to 0:01.0",
        "0:01.0 to 0:02.0",
        "0:02.0 to 0:02.9",
        "0:02.9 to 0:03.0",
    ]


def test_each_row_says_what_the_piece_is_by_itself_and_what_the_sentence_loses_without_it(model, state):
    caption = model.decode(model.fuse(state), beams=2)
    found = cells(pieces(model, state, caption, ""))
    features = model.encode([(NOISE, RATE)])
    for place, row in enumerate(found):
        lone = type(features)(*(field[:, place : place + 1] for field in features))
        by_itself = model.decode(model.fuse(model.bank.write(model.bank.empty(), lone)), beams=1)
        assert row[1] == by_itself.text
    text = written(model.model, model.processor, caption.text)
    drops = slot_evidence(model.model, state, used(state), text)
    assert [row[2] for row in found] == [unescape(factor(drop)) for drop in drops.tolist()]


def test_where_there_are_too_many_those_that_mattered_most_stay_in_order(model, state, monkeypatch):
    caption = model.decode(model.fuse(state), beams=2)
    every = cells(pieces(model, state, caption, ""))
    text = written(model.model, model.processor, caption.text)
    order = slot_evidence(model.model, state, used(state), text).argsort(descending=True).tolist()
    monkeypatch.setattr(rows, "MOST", 2)
    html = pieces(model, state, caption, "")
    assert cells(html) == [every[place] for place in sorted(order[:2])]
    assert "The 2 of 4 that mattered most are shown." in html


def test_a_question_is_shown_and_the_answer_goes_on_behind_it(model, state):
    html, table = describe(model, state, "  A   dog ", beams=2)
    caption = model.decode(model.fuse(state), "A dog", beams=2)
    assert html == sentence(caption, prompt="A dog")
    assert '<span class="mm-given">A' in html
    left = begun(caption, "A dog")
    assert re.findall(r'class="mm-word".*?>(.*?)<', html) == [escape(word.word) for word in caption.words[left:]]
    assert not any(row[1].startswith("A ") for row in cells(table))


def test_a_question_that_is_too_long_is_one_line(model, state):
    html, table = describe(model, state, "what " * 100, beams=1)
    assert 'role="alert">prompt of ' in html
    assert table == ""


def test_a_caption_without_a_word_has_no_rows(model, state, monkeypatch):
    monkeypatch.setattr(model, "decode_each", lambda *_: [Caption(text="", confidence=0.5, words=())])
    html, table = describe(model, state, "", beams=1)
    assert "no word" in html
    assert table == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (np.zeros(RATE), "silent from beginning to end; give a sound that can be heard"),
        (np.full(RATE, 1e-4), "silent from beginning to end"),
        (b"", r"empty \(0 bytes\)"),
        (b"Dear reader, this is no sound.\n", "no sound, or its beginning is broken"),
    ],
)
def test_what_cannot_be_heard_is_one_line_in_its_owners_words(model, tmp_path, content, says):
    path = tmp_path / "a1b2.wav"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        soundfile.write(path, content, RATE, subtype="FLOAT")
    with pytest.raises(InputError, match=rf"^mine\.wav: {says}") as caught:
        heard(model, str(path), "mine.wav")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_clip_gives_its_sound_or_says_that_it_has_none(model, film, tmp_path):
    state = heard(model, str(film(tmp_path / "clip.mkv", shades=(90,))), "clip.mkv")
    assert set(state.modality[0, state.items[0] > 0].tolist()) == {1}
    with pytest.raises(InputError, match=r"^clip\.mkv: has no sound track; "):
        heard(model, str(film(tmp_path / "mute.mkv", sound=False)), "clip.mkv")


def test_a_factor_is_for_people():
    shown = [factor(drop) for drop in (-9.0, -0.5, 0.0, 1.0, 3.0, 9.0)]
    assert shown == ["&lt;\u202f0.1", "0.6", "1.0", "2.7", "20", "&gt;\u202f1000"]


def test_nothing_from_outside_can_run(model, state, monkeypatch):
    caption = Caption(text="A dog", confidence=0.5, words=(Word("A", -1.0), Word("<script>alert(1)</script>", -1.0)))
    monkeypatch.setattr(model, "decode_each", lambda fused, *_, **__: [caption] * len(fused.readout))
    html = "".join(describe(model, state, "<script>", beams=1))
    assert "<script" not in html
