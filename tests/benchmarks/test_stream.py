"""A stream's cost is taken of the same states in turn, and what grows is told from what does not."""

import json
from pathlib import Path

import numpy as np
import pytest

from mm_memgpt.pipeline import load

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux")


@pytest.mark.parametrize("kind", ["ours", "fifo", "everything"])
def test_only_the_list_grows(kind, tiny_model_folder):
    from benchmarks.stream import KINDS, stream

    model = load(tiny_model_folder, "cpu")
    memory, items = KINDS[kind](model), stream(model.bank)
    state = memory.write(memory.empty(), items(20))
    early = memory.size(state)
    grown = memory.size(memory.write(state, items(40))) - early
    tokens = 2 * model.bank.geometry.tokens * model.bank.geometry.width
    assert grown >= 40 * tokens if kind == "everything" else grown == 0


def test_a_step_leaves_what_it_began_from_as_it_was(tiny_model_folder):
    from benchmarks.stream import KINDS, stream

    model = load(tiny_model_folder, "cpu")
    for kind in KINDS.values():
        memory, items = kind(model), stream(model.bank)
        state = memory.write(memory.empty(), items(9))
        size, coming = memory.size(state), items(1)
        before = [np.array(each) for each in state[:2]]
        for step in memory.steps.values():
            step(memory.copy(state), coming)
        assert memory.size(state) == size
        assert all(np.array_equal(old, new) for old, new in zip(before, state[:2], strict=True))


def test_the_newest_items_are_what_a_fifo_keeps(tiny_model_folder):
    from benchmarks.stream import Fifo, stream

    model = load(tiny_model_folder, "cpu")
    fifo, coming = Fifo(model), stream(model.bank)(11)
    state = fifo.write(fifo.empty(), coming)
    kept = {tuple(key) for key in state.keys.tolist()}
    assert kept == {tuple(key) for key in coming.key[0, -model.bank.capacity :].tolist()}


def test_the_ratio_is_of_windows_that_ran_side_by_side():
    from benchmarks.stream import ratio

    noise = np.linspace(1, 9, 21)[:, None]  # what else the machine does slows both alike
    assert ratio(noise * [2, 7, 3]) == pytest.approx((1.5, 1.5, 1.5))


def test_table_and_plot_go_into_the_page(tiny_model_folder, tmp_path, capsys):
    from benchmarks.stream import main

    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- stream:start -->\nold\n<!-- stream:end -->\nend\n")
    given = ["--model", str(tiny_model_folder), "--items", "7", "12", "--windows", "2", "--steps", "1", "--write"]
    assert main([*given, "--kinds", "fifo", "--output", str(tmp_path / "found.json"), "--page", str(page)]) == 0
    text = page.read_text()
    assert "| FIFO, 6 slots |" in text
    assert "old" not in text
    assert text.endswith("-->\nend\n")
    assert (tmp_path / "images" / "stream_benchmark.png").stat().st_size > 1000
    assert np.shape(json.loads((tmp_path / "found.json").read_text())["fifo"]["milliseconds"]["FIFO, 6 slots"]) == (
        2,
        2,
    )
    assert "| FIFO, 6 slots |" in capsys.readouterr().out


def test_a_page_without_the_lines_is_told_of(tmp_path):
    from benchmarks.memory_page import put
    from mm_memgpt.types import InputError

    page = tmp_path / "page.md"
    with pytest.raises(InputError, match=r"page\.md: cannot be read"):
        put(page, "stream", [], None, "")
    page.write_text("nothing\n")
    with pytest.raises(InputError, match="no lines <!-- stream:start --> and <!-- stream:end -->, in this order"):
        put(page, "stream", [], None, "")
