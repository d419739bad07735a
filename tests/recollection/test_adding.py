"""Anything can be added, each once; what cannot be used costs its own line; a kill costs nothing acknowledged."""

import numpy as np
import pytest

from mm_memgpt import Text
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection import adding
from mm_memgpt.recollection.adding import THERE
from mm_memgpt.recollection.inputs import WHOLE
from mm_memgpt.types import InputError

RATE = 16_000


def kept(memory) -> list:
    return [row.item for row in memory.store.archive.since()]


def test_a_mixture_is_kept_in_its_order_on_one_clock(memory, files, photo):
    tone = (np.zeros(RATE, np.float32), RATE)
    added = memory.add([files["a.png"], tone, Text("a dog barks"), files["diary.txt"], photo(7)])
    items = kept(memory)
    assert added.items == len(items) == len(memory)
    assert [item.modality for item in items] == ["image", "audio", "audio", *["text"] * 4, "image"]
    assert [item.start for item in items] == sorted(item.start for item in items)
    assert [item.text for item in items if item.text] == [
        "a dog barks",
        "The car is on level three.",
        "Anna has the key.",
        "The dog sleeps.",
    ]
    assert items[0].source == str(files["a.png"].resolve())
    assert items[0].preview[:2] == items[-1].preview[:2] == b"\xff\xd8"
    assert len(added.sources) == 5
    assert added.errors == added.skipped == ()


def test_what_comes_later_stands_behind_on_the_clock_unless_it_has_a_time(memory, photo):
    memory.add([photo(0), photo(1)])
    memory.add(photo(2))
    memory.add([photo(3), photo(4)], time=[50.0, (60, 61)])
    memory.add([photo(5), photo(6)], time=1.79e9)
    assert [item.start for item in kept(memory)] == [0, 1, 1, 50, 60, 1.79e9, 1.79e9 + 1]


def test_photos_in_a_row_are_what_they_are_one_by_one(memory, model, photo, tmp_path):
    memory.add([photo(seed) for seed in range(3)])
    with model.memory(tmp_path / "other.memory") as other:
        for seed in range(3):
            other.add(photo(seed))
        for one, alone in zip(kept(memory), kept(other), strict=True):
            np.testing.assert_allclose(one.tokens.astype(float), alone.tokens.astype(float), atol=2e-3)


def test_the_same_file_twice_is_kept_once_with_a_word(memory, files):
    memory.add(files["a.png"])
    name = str(files["a.png"].resolve())
    for again in ([files["a.png"]], [files["a.png"].parent / ".." / "files" / "a.png"]):
        added = memory.add(again)
        assert (added.items, added.skipped) == (0, ((name, THERE),))
    added = memory.add([files["b.png"], files["b.png"]])
    assert (added.items, len(added.skipped), len(memory)) == (1, 1, 2)


def test_a_file_that_changed_is_refused_with_the_way_out(memory, files, photo):
    memory.add(files["a.png"])
    photo(9).save(files["a.png"])
    [error] = memory.add(files["a.png"]).errors
    name = str(files["a.png"].resolve())
    assert str(error) == (
        f"{name}: has changed since it was added; forget it first (mm-memgpt forget), or give it another name"
    )
    assert memory.add(files["a.png"], source="a, later").items == 1


def test_a_bad_input_costs_its_own_line(memory, files, tmp_path):
    (tmp_path / "broken.png").write_bytes(files["a.png"].read_bytes()[:50])
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 au lait")
    given = InputError("x: not found by whoever looked")
    bad = [tmp_path / "broken.png", tmp_path / "gone.wav", tmp_path / "latin.txt", given]
    added = memory.add([bad[0], files["a.png"], *bad[1:], files["diary.txt"]])
    assert [str(error).split(":")[0] for error in added.errors] == [str(path) for path in bad[:3]] + ["x"]
    assert added.items == len(memory) == 4


def test_a_name_may_hold_several_inputs_and_each_once(memory, photo):
    assert memory.add([photo(0), photo(1)], source="trip").items == 2
    assert memory.add([photo(1), photo(2)], source="trip").items == 1
    assert memory.store.archive.sources()["trip"].items == 3


def test_a_note_may_be_said_again(memory):
    for text in ("the code is five", "the code is six", "the code is five"):
        memory.add(Text(text))
    assert [item.text for item in kept(memory)] == ["the code is five", "the code is six", "the code is five"]


def test_what_was_cut_short_is_gone_on_with(memory, tmp_path, monkeypatch):
    path = tmp_path / "book.txt"
    path.write_text("".join(f"Sentence number {number}.\n" for number in range(300)))
    monkeypatch.setattr(adding, "BATCH", 64)

    def killed(source: str, items: int, done: float | None) -> None:
        if items > 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.add(path, on_progress=killed)
    before = kept(memory)
    assert 150 < len(before) < 300
    assert not any(item.digest.endswith(WHOLE) for item in before)
    assert memory.add(path).items == 300 - len(before)
    items = kept(memory)
    assert [item.text for item in items] == [f"Sentence number {number}." for number in range(300)]
    assert [item.start for item in items] == list(range(300))
    assert memory.add(path).skipped == ((str(path), THERE),)


def test_progress_counts_what_is_committed(memory, files):
    calls = []
    memory.add([files["diary.txt"], files["a.png"]], on_progress=lambda *call: calls.append(call))
    assert [call[0] for call in calls] == [str(files["diary.txt"].resolve()), str(files["a.png"].resolve())]
    assert calls[0][2] == 1.0


def test_a_clip_is_kept_with_pictures_of_its_frames(memory, film, tmp_path):
    clip = film(tmp_path / "clip.mkv", shades=(40, 200))
    memory.add(clip)
    frames = [item for item in kept(memory) if item.modality == "image"]
    assert len(frames) == 2
    assert all(frame.preview[:2] == b"\xff\xd8" for frame in frames)
    assert frames[0].preview != frames[1].preview
    assert memory.store.archive.find(Where(modality="audio"))


def test_times_and_names_are_one_an_input(memory, photo):
    with pytest.raises(InputError, match="1 times for 2 inputs; give one an input"):
        memory.add([photo(0), photo(1)], time=[3.0])
    with pytest.raises(InputError, match="3 names for 2 inputs; give one an input"):
        memory.add([photo(0), photo(1)], source=["a", "b", "c"])
