"""Words of known source: which words those are, and how methods that trace them are judged."""

import numpy as np
import pytest


def traced(hits, drops=None, text=0):
    from benchmarks.provenance import FORGOTTEN, METHODS, Traced

    drops = np.zeros((len(METHODS), len(FORGOTTEN))) if drops is None else drops
    return Traced("digit", text, 4, hits, drops)


def test_methods_are_compared_word_by_word():
    from benchmarks.provenance import rates

    words = [traced([True, False, True, False], text=number) for number in range(30)]
    words += [traced([False, False, True, False], text=30 + number) for number in range(10)]
    found = rates(words)
    assert [score.value for score in found] == pytest.approx([0.75, 0, 1, 0, 0.75, -0.25, 0.75])
    assert found[0].low < 0.75 < found[0].high


def test_words_of_one_text_are_drawn_together():
    from benchmarks.provenance import rates

    apart = [traced([place % 2 == 0] * 4, text=place) for place in range(40)]
    together = [traced([place % 2 == 0] * 4, text=place % 2) for place in range(40)]
    spread = [score.high - score.low for score in (rates(apart)[0], rates(together)[0])]
    assert spread[1] > spread[0]  # two texts tell less than forty


def test_the_table_has_a_line_a_method():
    from benchmarks.provenance import METHODS, table

    drops = np.tile(np.array([0.0, -1.5, -2.0, -3.0]), (len(METHODS), 1))
    lines = table([traced([True] * 4, drops)]).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| all"] * 4 + ["| answers"] * 4
    assert lines[2].endswith("| -1.50 |")


def test_a_model_that_is_not_there_is_one_line(tmp_path, capsys):
    from benchmarks.provenance import main

    assert main(["--model", "runs/no such model", "--data", str(tmp_path)]) == 1
    assert "error: runs/no such model: no such model" in capsys.readouterr().err


@pytest.mark.data
@pytest.mark.slow
def test_words_of_real_memories_are_traced(data_folder, tmp_path, capsys):
    from benchmarks.provenance import main

    assert main(["--data", str(data_folder), "--maps", str(tmp_path / "maps"), "--limit", "6"]) == 0
    printed = capsys.readouterr().out
    assert "evidence (ours)" in printed
    assert "a source at random" in printed
