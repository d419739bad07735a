"""What a bounded memory is asked can be answered only where it holds the thing and tells it from the others."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def unit(keys):
    return (keys / np.linalg.norm(keys, axis=-1, keepdims=True)).astype(np.float32)


def streams(batch=2, items=40, things=11, width=16, seed=0):
    from benchmarks.bounded import Streams

    chance = np.random.default_rng(seed)
    centres = unit(chance.normal(size=(things, width)))
    thing = chance.integers(0, 3, (batch, items))  # three come often
    thing[:, 2 : 2 + things - 3] = np.arange(3, things)  # and eight once, at the beginning
    keys = unit(centres[thing] + 0.05 * chance.normal(size=(batch, items, width)))
    return Streams(keys, thing % 2, thing, things)


@pytest.fixture
def pool():
    from benchmarks.recall_streams import CANDIDATES, Pool

    chance = np.random.default_rng(0)
    photos, kinds = unit(chance.normal(size=(CANDIDATES + 40, 24))), unit(chance.normal(size=(10, 24)))
    recording = np.repeat(np.arange(30), 3)
    noise = [0.02 * chance.normal(size=size) for size in ((CANDIDATES, 5, 24), photos.shape, photos.shape, (90, 24))]
    return Pool(
        views=unit(photos[:CANDIDATES, None] + noise[0]),
        once=unit(photos + noise[1]),
        photos=photos,
        captions=unit(photos + noise[2]),
        heard=unit(kinds[recording % 10] + noise[3]),
        recording=recording,
        kind=recording % 10,
    )


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99))
def test_every_memory_holds_so_many_slots_and_only_what_came(seed):
    from benchmarks.bounded import MEMORIES

    made = streams(seed=seed)
    for name, memory in MEMORIES.items():
        held = memory(made, 13, 3)
        slots = 40 if "ceiling" in name else 13
        assert held.keys.shape == (2, slots, 16), name
        assert held.shares.shape == (2, slots, 11), name
        used = held.shares.sum(-1) > 0
        assert np.linalg.norm(held.keys, axis=-1)[used] == pytest.approx(1, abs=1e-5), name
        assert not held.shares[~used].any(), name


def test_the_window_holds_the_newest_and_the_bank_what_came_once_too():
    from benchmarks.bounded import bank, window

    made = streams()
    assert np.array_equal(window(made, 13, 3).keys, made.keys[:, -13:])
    assert not window(made, 13, 3).shares[:, :, 3:].any()
    alone = (bank(made, 13, 3).shares == made.shares.sum(1)[:, None]).any(1)  # (b, t): the one item in one slot
    assert alone[:, 3:].all()


def test_merging_neighbours_weighs_a_slot_by_its_items_or_not():
    from benchmarks.bounded import Streams, neighbours

    keys = unit(np.array([[[1, 0], [0.9, 0.1], [0.6, 0.7], [-1, 0]]]))
    made = Streams(keys, np.zeros((1, 4), int), np.array([[0, 0, 1, 2]]), 3)
    shares = {weighted: neighbours(made, 2, weighted).shares[0, 0] for weighted in (True, False)}
    assert shares[True] == pytest.approx([2 / 3, 1 / 3, 0])
    assert shares[False] == pytest.approx([1 / 2, 1 / 2, 0])


def test_k_means_keeps_clusters_apart():
    from benchmarks.bounded import k_means

    held = k_means(streams(items=60, seed=3), 11, 3)
    largest = held.shares.max(-1)[held.shares.sum(-1) > 0]
    assert np.median(largest) > 0.9


def test_a_reservoir_holds_old_and_new_alike():
    from benchmarks.bounded import Streams, reservoir

    keys = np.ones((400, 50, 2), np.float32)
    made = Streams(keys, np.zeros((400, 50), int), np.tile(np.arange(50), (400, 1)), 50)
    kept = reservoir(made, 10, 0).shares.sum((0, 1)) / 400
    assert kept == pytest.approx(np.full(50, 0.2), abs=0.08)


def test_a_stream_ends_with_what_never_came_and_its_cues_were_never_shown(pool):
    from benchmarks.recall_streams import FRESH, NEWEST, RECENT, make

    stream = make(pool, items=700, rare=12, seed=1)
    shown = {tuple(key) for key in stream.keys}
    assert not shown & {tuple(cue) for cue in stream.cues}
    counts = np.bincount(stream.thing)
    assert (counts[stream.then] == 1).all()
    assert stream.then.sum() == 12
    assert not stream.then[stream.thing[-RECENT:]].any()
    newest = stream.thing[-NEWEST:]
    assert (counts[newest] == 1).sum() == FRESH
    assert np.array_equal(np.flatnonzero(stream.now), np.unique(newest))


def test_a_slot_that_mixes_things_answers_for_one_of_them_at_most(pool):
    from benchmarks.bounded import Held
    from benchmarks.recall import right
    from benchmarks.recall_streams import make

    stream = make(pool, items=700, rare=12, seed=1)
    things = len(stream.cues)
    apart = Held(stream.cues[None], np.eye(things)[None])
    assert {name: float(found[0]) for name, found in right(apart, [stream]).items()} == pytest.approx(
        {"then": 1, "now": 1, "words": 1}
    )
    mixed = Held(unit(stream.cues.mean(0))[None, None], np.full((1, 1, things), 1 / things))
    assert right(mixed, [stream])["then"][0] <= 1 / 12
    strange = Held(stream.cues[None], 1 - np.eye(things)[None])  # fits, and does not hold it
    assert right(strange, [stream])["then"][0] == 0


def test_table_and_plot_go_into_the_page(pool, tmp_path, tiny_model_folder, capsys):
    from benchmarks.bounded import MEMORIES
    from benchmarks.features import digest
    from benchmarks.recall import main

    np.savez(tmp_path / f"{digest(tiny_model_folder / 'model.safetensors')}-fold4.npz", **pool._asdict())
    page = tmp_path / "page.md"
    page.write_text("<!-- recall:start -->\n<!-- recall:end -->\n")
    tiny = ["--items", "560", "--streams", "2", "--rare", "5", "--sweep", "4", "6", "--sweep-streams", "1"]
    where = ["--model", str(tiny_model_folder), "--output", str(tmp_path), "--page", str(page)]
    assert main([*tiny, *where, "--write"]) == 0
    found = json.loads((tmp_path / "figures.json").read_text())
    assert list(found["found"]) == list(MEMORIES)
    assert found["found"]["ours"]["then"] == [1, 1]
    assert sum(line.startswith("|") for line in page.read_text().splitlines()) == 2 + len(MEMORIES)
    assert (tmp_path / "images" / "recall_benchmark.png").stat().st_size > 1000
    capsys.readouterr()


def test_a_model_that_is_not_there_is_one_line(capsys, tmp_path):
    from benchmarks.recall import main

    assert main(["--model", "nowhere", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: nowhere: no such model; ")
