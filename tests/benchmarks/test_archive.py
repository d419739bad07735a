"""The archive is timed beside others that are given the same rows, and true nearest are told by an exact search."""

import json

import numpy as np
import pytest


def unit(keys):
    return (keys / np.linalg.norm(keys, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def keys():
    return unit(np.random.default_rng(7).normal(size=(35, 16)))


def test_rows_beyond_the_given_keys_are_noisy_copies_of_them(keys):
    from benchmarks.archive import rows

    made = np.concatenate(list(rows(keys, 80)))
    assert made[:35] == pytest.approx(keys, abs=1e-3)
    cosine = (made[35:70] * keys).sum(1)
    assert (cosine < 0.999).all()
    assert (made[35:] @ keys.T).argmax(1).tolist().count(0) < 10
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-2)
    assert np.array_equal(made, np.concatenate(list(rows(keys, 80))))


@pytest.mark.parametrize("name", ["ours", "flat", "graph", "sqlite"])
def test_every_memory_finds_what_it_was_given_by_its_number(name, keys, tmp_path):
    from benchmarks.archive import MEMORIES

    memory = MEMORIES[name](tmp_path, 16)
    memory.add(keys[:20])
    memory.add(keys[20:])
    memory.build()
    assert [memory.search(key)[0] for key in keys] == list(range(35))
    assert len(memory.search(keys[3])) == 10


def test_a_memory_that_finds_others_has_no_recall(keys):
    from benchmarks.archive import ask, best

    class Wrong:
        queries = 10

        def search(self, key):
            return [99] * 9 + [int(best(keys @ key)[4])]

    found = ask({"wrong": Wrong()}, keys[:15], [best(keys @ key) for key in keys[:15]])["wrong"]
    assert found["recall"] == [0.1] * 10
    assert len(found["core"]) == len(found["clock"]) == 10


def test_table_and_plot_go_into_the_page(keys, tmp_path, tiny_model_folder, capsys):
    from benchmarks.archive import HEAD, main
    from benchmarks.features import digest

    name = f"{digest(tiny_model_folder / 'model.safetensors')}-35-4.npz"
    np.savez(tmp_path / name, rows=keys, queries=unit(keys[:4] + 0.01))
    page = tmp_path / "page.md"
    page.write_text("<!-- archive:start -->\n<!-- archive:end -->\n")
    given = ["--model", str(tiny_model_folder), "--rows", "30", "50", "--sentences", "35", "--queries", "4"]
    assert main([*given, "--output", str(tmp_path), "--page", str(page), "--write"]) == 0
    lines = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert len(lines) == len(HEAD) + 8
    assert capsys.readouterr().out.splitlines() == lines
    found = json.loads((tmp_path / "figures.json").read_text())
    assert found["50"]["ours"]["recall"] == [1, 1, 1, 1]
    assert found["30"]["flat"]["recall"] == [1, 1, 1, 1]
    assert (tmp_path / "images" / "archive_benchmark.png").stat().st_size > 1000
