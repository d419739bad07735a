"""How well texts are continued, measured: the same passages for every model, and bits that add up to their chance."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.nano_text import BEFORE, LETTERS, TEXTS, WAYS, Passage, bits, each_byte, main, passages
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing_model import read_writer

SENTENCES = [f"A brown dog number {number} runs to the water." for number in range(40)]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for file, column in TEXTS.values():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({column: [" ".join(SENTENCES), " ".join(SENTENCES[::-1])]}), folder / file)
    return folder


def test_passages_are_the_same_each_time_and_have_something_before_them(texts):
    drawn = list(passages(texts, "books", 20))
    assert drawn == list(passages(texts, "books", 20))
    assert len(drawn) == 20
    for before, text in drawn:
        assert 1 <= len(before) <= BEFORE
        assert len(text) <= LETTERS
        assert text not in " ".join(before)
    assert drawn != list(passages(texts, "articles", 20))


def test_bits_are_those_of_the_chance_that_the_model_gives_the_text(tiny_model_folder):
    model = read_writer(str(tiny_model_folder), "cpu")
    some = [Passage([SENTENCES[0]], SENTENCES[3]), Passage(SENTENCES[:2], "Rain falls.")]
    costs = bits(model, some, "remembered")
    for passage, cost in zip(some, costs, strict=True):
        [likely] = model.score([Prompt(memory=tuple(passage.before))], [passage.text])
        assert cost == pytest.approx(-likely[:-1].sum().item() / np.log(2), rel=1e-3)
    assert bits(model, some, "alone") != pytest.approx(bits(model, some, "read before"))


def test_a_figure_weighs_passages_by_their_bytes():
    assert each_byte(np.array([8.0, 4.0]), np.array([2.0, 2.0])).value == pytest.approx(3)
    assert each_byte(np.array([8.0, 4.0]), np.array([2.0, 6.0])).value == pytest.approx(1.5)


def test_models_are_compared_passage_by_passage_and_a_missing_one_is_one_line(
    texts, tiny_model_folder, monkeypatch, capsys
):
    monkeypatch.setattr("benchmarks.nano_text.LETTERS", 50)  # a tiny model's context
    monkeypatch.setattr("benchmarks.nano_text.READ", 10)
    name = str(tiny_model_folder)
    assert main([name, "no-such-folder", name, "--data", str(texts), "--limit", "3"]) == 1
    captured = capsys.readouterr()
    rows = [line.split("|")[1:-1] for line in captured.out.splitlines()]
    assert [cell.strip() for cell in rows[0]] == ["model", "text", *WAYS]
    less = [row for row in rows if "less" in row[0]]
    assert len(less) == len(TEXTS)
    assert all(cell.strip() == "0.000 (0.000 to 0.000)" for row in less for cell in row[2:])
    [error] = captured.err.splitlines()
    assert "no-such-folder" in error
