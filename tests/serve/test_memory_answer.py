"""An answer becomes words that lead to what they rest on: a photo with where they looked, a second, a sentence."""

import re
from math import log
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from mm_memgpt.explain.overlay import SIDE, overlay
from mm_memgpt.memory.item import Fact
from mm_memgpt.pipeline import load
from mm_memgpt.recollection.results import Answer, Link, Source, WordEvidence
from mm_memgpt.serve.memory_answer import DECLINED, LEAST, answer, player, rests_on
from mm_memgpt.serve.memory_visitors import Given
from mm_memgpt.serve.where import figure

LANCZOS = Image.Resampling.LANCZOS
CAT = Path(__file__).parents[2] / "demos" / "photos" / "cat.jpg"
FILES = {
    "cat.jpg": Given(CAT, "photo", at=3.0),
    "dog's bark.wav": Given(Path("/folder/a b#1.wav"), "sound", at=10.0),
    "walk.mp4": Given(Path("/folder/2.mp4"), "clip", at=20.0),
    "note 1": Given(Path("/folder/3.txt"), "note", at=30.0),
}


@pytest.fixture(scope="module")
def model(tiny_model_folder):
    return load(tiny_model_folder, "cpu")


def source(path: str, modality: str = "image", start: float = 3.0, end: float = 3.0, **more) -> Source:
    given = {"text": "", "evidence": 0.7, **more}
    return Source(path=path, modality=modality, start=start, end=end, **given)


def said(*words: WordEvidence, sources: tuple[Source, ...], **more) -> Answer:
    given = {"confidence": 0.4, "grounded": 2.0, "declined": False, **more}
    return Answer(text=" ".join(word.word for word in words), words=words, sources=sources, **given)


def word(text: str, *sources: tuple[int, float], logprob: float = -0.5) -> WordEvidence:
    return WordEvidence(word=text, logprob=logprob, sources=sources)


def links(html: str) -> dict[str, str]:
    """Where each word leads, "" where it leads nowhere."""
    pattern = re.compile(r'<a class="mm-word"(?: href="#([^"]*)")?[^>]*>([^<]*)<')
    return {shown: target for target, shown in pattern.findall(html)}


def test_a_word_rests_on_the_source_without_which_it_is_least_probable():
    assert rests_on(word("dog", (1, 0.2), (0, 1.5), (2, -3.0))) == 0
    assert rests_on(word("a", (0, LEAST / 2))) is None
    assert rests_on(word("a", (0, -1.0))) is None
    assert rests_on(word("a")) is None


def test_each_word_leads_to_the_card_of_what_it_rests_on(model):
    sources = (source("note 1", "text", text="A dog barks at night."), source("dog's bark.wav", "audio", 11.0, 12.0))
    given = said(word("A"), word("dog", (0, 1.0)), word("barks.", (1, log(3)), (0, 0.2)), sources=sources)
    html = answer(model, "What barks?", given, FILES)
    assert links(html) == {"A": "", "dog": "memory-source-0", "barks.": "memory-source-1"}
    assert 'id="memory-source-0"' in html
    assert 'id="memory-source-1"' in html
    assert "3.0 times less probable without dog&#x27;s bark.wav" in html
    assert '<blockquote class="mm-said">A dog barks at night.</blockquote>' in html


def test_a_photo_is_shown_once_for_each_content_word_that_rests_on_it(model):
    words = (word("The", (0, 1.0)), word("cat", (0, 1.0)), word("rests", (0, 1.0)), word("there", (1, 1.0)))
    html = answer(model, "What?", said(*words, sources=(source("cat.jpg"), source("note 1", "text", text="x"))), FILES)
    assert re.findall("<figcaption>(.*?)</figcaption>", html) == ["cat", "rests"]


def test_a_photo_whose_file_is_gone_or_spoilt_is_shown_as_it_was_kept(model, tmp_path):
    (tmp_path / "spoilt.jpg").write_text("no photo")
    given = said(word("cat", (0, 1.0)), sources=(source("cat.jpg", preview=b"small"),))
    for path in ("gone.jpg", "spoilt.jpg"):
        html = answer(model, "What?", given, {"cat.jpg": Given(tmp_path / path, "photo", at=0.0)})
        assert 'src="data:image/jpeg;base64,c21hbGw="' in html
        assert "mm-where" not in html


def test_a_sound_and_a_clip_are_players_that_stand_at_the_second():
    heard = player(FILES["dog's bark.wav"], source("dog's bark.wav", "audio", 11.5, 12.5))
    assert heard.startswith("<audio controls")
    assert 'src="gradio_api/file=/folder/a%20b%231.wav#t=1.50,2.50"' in heard
    assert "dog&#x27;s bark.wav" in heard
    seen = player(FILES["walk.mp4"], source("walk.mp4", "image", 24.0, 24.0))
    assert seen.startswith("<video controls")
    assert '#t=4.00"' in seen


def test_a_source_that_nothing_rests_on_is_shown_where_it_is_a_note_alone(model):
    sources = (
        source("note 1", "text", text="It is red."),
        source("note 2", "text", text="It is blue.", evidence=-0.2),
        source("cat.jpg", evidence=0.0),
    )
    html = answer(model, "What colour?", said(word("red.", (0, 1.0)), sources=sources), FILES)
    before, rest = html.split("<details>")
    assert "It is red." in before
    assert "It is blue." in rest
    assert "the answer does not rest on it" in rest
    assert 'id="memory-source-2"' not in html


def test_the_words_of_a_quoted_note_are_the_notes_whatever_the_model_thinks_of_them(model):
    sources = (source("note 1", "text", text="A red key.", evidence=-1.0), source("cat.jpg", evidence=2.0))
    words = (word("A"), word("red", (1, 2.0)), word("key.", (0, -1.0)))
    html = answer(model, "Which key?", said(*words, sources=sources, confidence=1.0), FILES)
    assert set(links(html).values()) == {"memory-source-0"}
    assert "“red” stands in note 1" in html
    assert "word by word" in html
    assert "quoted above" in html.split("<details>")[0]
    assert "cat.jpg" in html.split("<details>")[1]


def test_the_graph_calls_each_source_what_its_card_calls_it_and_asks_no_model(model, monkeypatch):
    monkeypatch.setattr(model, "explain", None)
    sources = (
        source("fact 1", "text", text="a dog is a kind of canine", fact=Fact("dog", "hypernym", "canine")),
        source("walk.mp4", "image", 24.0, 24.0, evidence=0.3),
        source("dog's bark.wav", "audio", 11.0, 12.0, evidence=-0.1),
    )
    links = (Link(one=0, other=1, kind="relation", name="dog", weight=0.42),)
    html = answer(model, "What kind?", said(word("canine"), sources=sources, links=links), FILES)
    graph = html[html.index("<svg") : html.index("</svg>")]
    nodes = ["answer", "fact 1", "clip walk.mp4", "sound dog&#x27;s bark.wav"]
    assert re.findall('aria-label="([^,"]*)', graph) == nodes
    assert "clip walk.mp4, 0:04.0, +0.30 nats, connected with fact 1 (dog 0.42)" in graph
    assert ">dog 0.42</text>" in graph


def test_it_says_where_nothing_answers(model):
    html = answer(model, "What?", said(sources=(), declined=True), FILES)
    assert DECLINED in html
    assert "<svg" not in html
    assert "mm-source" not in html


def test_nothing_that_was_given_can_run(model):
    evil = "<script>fail()</script>"
    given = said(word(evil, (0, 1.0)), sources=(source(evil, "text", text=evil),))
    assert "<script" not in answer(model, evil, given, {evil: Given(Path(evil), "note", at=0.0)})


def test_the_overlays_are_of_the_answers_words_behind_the_questions(model):
    photo = Image.open(CAT).convert("RGB")
    evidence = model.explain(photo, "What is it? A cat")
    assert evidence.words[-1] == "cat"
    due = figure(overlay(ImageOps.contain(photo, (SIDE, SIDE), LANCZOS), evidence.evidence[-1].numpy()), "cat")
    given = said(word("A"), word("cat", (0, 1.0)), sources=(source("cat.jpg"),))
    assert due in answer(model, "What is it?", given, FILES)


def test_the_photo_is_opened_upright(model, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter to the right
    Image.radial_gradient("L").resize((440, 110)).save(tmp_path / "turned.png", exif=exif)
    given = said(word("cat", (0, 1.0)), sources=(source("turned.png"),))
    html = answer(model, "What?", given, {"turned.png": Given(tmp_path / "turned.png", "photo", at=0.0)})
    assert 'width="55" height="220"' in html
