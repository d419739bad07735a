"""`mm-memgpt summarize`: sentences with their places of any text; a bad file costs one line, never the others."""

import gc
import io
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mm_memgpt.cli import main

TEXT = "A brown dog runs.\nRain falls.\nThe dog is a brown dog.\nIt is music.\n"


@pytest.fixture
def summarize(tiny_model_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("dog.txt").write_text(TEXT)

    def command(*arguments: str) -> tuple[int, str, list[str]]:
        status = main(["summarize", *arguments, "--model", str(tiny_model_folder), "--device", "cpu"])
        output, errors = capsys.readouterr()
        return status, output, errors.splitlines()

    return command


def test_sentences_come_in_the_order_of_the_text_with_the_place_of_each(summarize):
    status, output, errors = summarize("dog.txt", "--sentences", "4", "--sources")
    assert (status, errors) == (0, [])
    assert output.splitlines()[:4] == [
        "A brown dog runs.",
        "    dog.txt:1: sentence 1, line 1, characters 0-17",
        "Rain falls.",
        "    dog.txt:2: sentence 2, line 2, characters 18-29",
    ]


def test_what_cannot_be_read_costs_a_line_and_not_the_others(summarize):
    Path("empty.txt").write_text("")
    Path("blank.txt").write_text(" \n\n")
    Path("binary.txt").write_bytes(bytes(range(256)))
    status, output, errors = summarize(
        "no.txt", "empty.txt", "blank.txt", "binary.txt", "dog.txt", "--format", "json", "--sentences", "1"
    )
    rows = [json.loads(line) for line in output.splitlines()]
    assert status == 1
    assert ["error" in row for row in rows] == [True, True, True, True, False]
    for name, line in zip(("no.txt", "empty.txt", "blank.txt", "binary.txt"), errors, strict=True):
        assert line.startswith(f"mm-memgpt: error: {name}: ")
        assert ";" in line
    [sentence] = rows[-1]["sentences"]
    [source] = sentence["sources"]
    assert TEXT[source["start"] : source["end"]] == sentence["text"]
    assert (rows[-1]["of_sentences"], rows[-1]["of_words"]) == (4, 15)


def test_a_sentence_of_a_megabyte_is_read_in_pieces(summarize):
    Path("endless.txt").write_text("dog " * 250_000)
    status, output, errors = summarize("endless.txt", "--words", "50")
    assert (status, errors) == (0, [])
    assert 50 <= len(output.split()) < 200


def test_a_dash_is_standard_input(summarize, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TEXT.encode())))
    assert summarize("-", "--sentences", "4")[1].splitlines() == TEXT.splitlines()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\xff\xfe\xff")))
    status, _, [error] = summarize("-")
    assert status == 1
    assert error.startswith("mm-memgpt: error: standard input: ")


def test_a_length_is_given_once(summarize):
    status, _, errors = summarize("dog.txt", "--words", "3", "--share", "0.5")
    assert status == 2
    assert "not allowed with" in errors[-1]


@pytest.mark.slow
def test_a_long_file_costs_no_more_memory_than_a_shorter_one(tiny_model_folder, tmp_path):
    from mm_memgpt.datasets.document import sentences
    from mm_memgpt.summaries import load_summarizer

    summarizer, read, held = load_summarizer(tiny_model_folder, "cpu"), [], []
    for number in (3_000, 24_000):  # fewer fill neither a block of the file nor the candidates
        path = tmp_path / f"{number}.txt"
        path.write_text("".join(f"The dog number {each} runs home.\n" for each in range(number)))
        read.append(peak(lambda path=path: summarizer(path)))
        held.append(peak(lambda path=path: list(sentences(path))))
    assert read[1] - read[0] < 0.2 * (held[1] - held[0])


def peak(call: Callable[[], object]) -> int:
    """The most bytes that Python held while it ran, garbage that was not collected yet included."""
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
