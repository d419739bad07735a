"""Every demo runs as its first lines say, and shows what they promise."""

import re
import runpy
from pathlib import Path

import pytest

import mm_memgpt

DEMOS = Path(__file__).parents[2] / "demos"


def run(name: str) -> dict:
    return runpy.run_path(str(DEMOS / name))


def test_demos_are_short_and_say_how_to_run_them():
    for path in DEMOS.glob("*.py"):
        text = path.read_text()
        assert text.count("\n") < 60, path
        assert f"python demos/{path.name}" in text.split('"""')[1], path


def test_fusion_learns_what_no_modality_tells_alone(capsys):
    run("fusion_api.py")["main"](steps=100)
    right = [int(share) for share in re.findall(r"(\d+)% right", capsys.readouterr().out)]
    assert len(right) == 3
    assert right[0] < 75
    assert right[-1] > 95


def test_memory_keeps_what_came_once(capsys):
    run("memory_api.py")["main"](items=3000)
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("3,000 items in 16 slots: [1, 1, ")
    assert second == "8 of 8 items that came only once still have a slot of their own"
    assert "tokens (1, 32, 6)" in third


def test_a_classifier_knows_the_words_it_learned(capsys):
    run("classify.py")["main"]()
    first, second, _ = [line for line in capsys.readouterr().out.splitlines() if "%  " in line and "it/s" not in line]
    assert first.startswith("wild")
    assert second.startswith("calm")


@pytest.fixture(scope="module")
def nano():
    return mm_memgpt.load(device="cpu")


def test_captions_are_shown_with_a_shade_for_every_word(nano, capsys, monkeypatch):
    monkeypatch.setattr(mm_memgpt, "load", lambda: nano)
    photo = str(DEMOS / "photos" / "cat.jpg")
    run("caption.py")["main"]([photo])
    head, shades, text = capsys.readouterr().out.splitlines()
    caption = nano.caption(photo)
    assert head == f"{photo}  {caption.confidence:.0%} a token"
    assert text.strip() == caption.text
    assert [len(shade) for shade in shades.split()] == [len(word.word) for word in caption.words]


def test_a_fact_in_a_long_text_is_answered_with_where_it_is_written(capsys):
    run("long_text.py")["main"](sentences=80, facts=1)
    first, answered, source = capsys.readouterr().out.splitlines()
    assert first == "80 sentences of long.txt in 64 slots"
    stated = re.fullmatch(r"What is the .*\? (The .* is \d \d \d\.)", answered)[1]
    assert re.fullmatch(rf"  long.txt, sentence \d+: {re.escape(stated)}", source)
