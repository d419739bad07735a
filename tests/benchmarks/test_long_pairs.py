"""Pairs among filler, measured: what is written is what is told, and a window sees no further than it is long."""

from random import Random

import pytest
import torch

from benchmarks.long_pairs import BANK, WINDOW, Reader, chosen, kept, main, measured, tables
from mm_memgpt.datasets.pairs_among_filler import make_text


@pytest.fixture
def reader(tiny_model_folder):
    return Reader(str(tiny_model_folder))


def text(length: int, places: tuple[int, ...], number: int = 0):
    return make_text(Random(number), length, len(places), None, True, places)


def test_a_memory_of_blocks_is_the_memory_of_the_whole(reader, monkeypatch):
    texts = [text(11, (2, 7)), text(11, (0, 10), 1)]
    whole = reader.read(texts)
    monkeypatch.setattr("benchmarks.long_pairs.BLOCK", 3)
    assert all(torch.allclose(one, other) for one, other in zip(whole, reader.read(texts), strict=True))
    assert int((whole.items > 0).sum(-1).max()) == reader.model.bank.capacity
    assert whole.items.sum(-1).tolist() == [11, 11]


def test_a_window_holds_its_own_sentences_alone(reader):
    texts = [text(9, (1, 7))]
    state = reader.read(texts, begin=6)
    assert kept(texts, state, [(0, 0), (0, 1)]) == [False, True]
    assert int(state.items.sum()) == 3


def test_questions_are_spread_over_a_text():
    texts = [text(9, (0, 2, 4, 6, 8)), text(9, (3,))]
    assert chosen(texts, 3) == [(0, 0), (0, 2), (0, 4), (1, 0)]


def test_a_text_is_measured_and_the_distance_of_each_question_told(reader):
    class Given:
        sentences = 4

    found = measured(reader, Given, [text(8, (0, 6))], 2)
    assert found["distance"] == [2.0, 0.5]
    assert len(found[BANK]) == len(found[WINDOW]) == len(found["kept"]) == 2
    cells = [{"pairs": 2, "multiple": 2, **found}]
    told = tables({"cells": cells, "distances": found, "archive": []}, Given)
    assert told[2].startswith("| 2 | 2 | 8 | 2 | ")
    assert told[-1] == "A guess is right once in 1,000 questions."


def test_a_folder_without_the_data_is_named(tiny_model_folder, tmp_path, capsys):
    assert main(["--model", str(tiny_model_folder), "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}")
