"""Explaining by the facade and by the command: a strip a photo, and what cannot be explained stops nothing else."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mm_memgpt.cli import main
from mm_memgpt.commands.strips import LONGEST, strip_path
from mm_memgpt.datasets.base import read
from mm_memgpt.explain.evidence import GRID
from mm_memgpt.explain.montage import montages
from mm_memgpt.pipeline import load
from mm_memgpt.types import InputError

PHOTOS = Path(__file__).parents[2] / "demos" / "photos"


@pytest.fixture(scope="module")
def nano():
    return load("nano", "cpu")


@pytest.fixture
def command(tiny_model_folder, tmp_path, monkeypatch):
    """Runs `mm-memgpt caption --explain strips` with the tiny model, in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    options = ["--model", str(tiny_model_folder), "--device", "cpu", "--beams", "1", "--explain", "strips/of/mine"]
    return lambda *inputs: main(["caption", *inputs, *options])


def photo(path: str, seed: int) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)


def strips() -> list[Path]:
    return sorted(Path("strips/of/mine").iterdir())


def test_without_a_sentence_the_models_own_is_explained(nano):
    caption = nano.caption(PHOTOS / "cat.jpg", beams=2)
    found = nano.explain(PHOTOS / "cat.jpg", beams=2)
    assert found.words == tuple(word.word for word in caption.words)
    assert found.evidence.shape == (len(found.words), GRID, GRID)
    given = nano.explain(PHOTOS / "cat.jpg", caption)
    assert torch.equal(given.evidence, found.evidence)


@pytest.mark.parametrize("side", [0, 1])
def test_the_strongest_evidence_lies_where_there_is_something_to_see(nano, side):
    sheet = Image.new("RGB", (200, 200), (120, 120, 120))
    sheet.paste(Image.open(PHOTOS / "cat.jpg").resize((100, 200)), (100 * side, 0))
    strength = nano.explain(sheet, "A cat lies on a red chair.").evidence.abs().amax(0)
    halves = strength[:, : GRID // 2], strength[:, GRID // 2 :]
    assert halves[side].max() > halves[1 - side].max()
    assert halves[side].mean() > halves[1 - side].mean()


def test_no_word_gives_no_evidence_and_an_unknown_method_is_refused(nano):
    assert nano.explain(PHOTOS / "cat.jpg", "").evidence.shape == (0, GRID, GRID)
    assert nano.explain(PHOTOS / "cat.jpg", "A cat", method="attention").evidence.shape[0] == 2
    with pytest.raises(InputError, match="method 'guess' is unknown; known: occlusion, attention"):
        nano.explain(PHOTOS / "cat.jpg", method="guess")


def test_photos_of_one_name_have_a_strip_each_and_a_bad_one_stops_none(command, capsys):
    for seed, path in enumerate(("a.png", "below/a.png", "below/b.png")):
        photo(path, seed)
    Path("bad.png").write_text("no photo")
    assert command("a.png", "bad.png", "below") == 1
    output, errors = capsys.readouterr()
    assert len(output.splitlines()) == 3
    assert errors.count("mm-memgpt: error: ") == errors.count("\n") == 1
    assert [path.name.rpartition("-")[0] for path in strips()] == ["a", "a", "b"]
    for path in strips():
        with Image.open(path) as picture:
            assert (picture.format, picture.mode) == ("PNG", "RGB")
            picture.load()


def test_a_second_run_replaces_its_own_strips(command):
    photo("a.png", 0)
    assert command("a.png") == 0
    before = strips()
    assert command("./a.png") == 0
    assert strips() == before


def test_a_folder_that_cannot_be_made_is_one_line_and_nothing_is_captioned(command, capsys):
    photo("a.png", 0)
    Path("strips").touch()
    assert command("a.png") == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors == "mm-memgpt: error: strips/of/mine: no folder can be made there (Not a directory); name another\n"


def test_strips_are_not_laid_where_the_next_run_takes_them_for_photos(command, capsys):
    photo("strips/a.png", 0)
    assert command("strips") == 1
    due = "strips/of/mine: lies in strips, whose photos are captioned; name a folder beside it"
    assert capsys.readouterr() == ("", f"mm-memgpt: error: {due}\n")
    assert not Path("strips/of").exists()


def test_a_strip_that_cannot_be_written_is_one_line_and_its_caption_is_kept(command, capsys):
    photo("a.png", 0)
    photo("b.png", 1)
    strip_path(Path("strips/of/mine"), "a.png").mkdir(parents=True)
    assert command("a.png", "b.png") == 1
    output, errors = capsys.readouterr()
    assert [line.partition(":")[0] for line in output.splitlines()] == ["a.png", "b.png"]
    [line] = errors.splitlines()
    assert "cannot be written (Is a directory); name another folder" in line
    assert len(strips()) == 2
    shutil.rmtree(strip_path(Path("strips/of/mine"), "a.png"))
    assert [path.name[0] for path in strips()] == ["b"]


def test_any_file_name_gives_a_short_plain_one_of_its_own(tmp_path):
    names = ["a" * 240 + ".png", "a" * 241 + ".png", "caf\udce9.png", "x/../y?*.png", ".png"]
    made = [strip_path(tmp_path, name) for name in names]
    assert len(set(made)) == len(names)
    assert all(path.parent == tmp_path and path.name.isascii() and len(path.name) < LONGEST + 20 for path in made)


@pytest.mark.data
@pytest.mark.slow
def test_on_montages_the_strongest_cell_lies_in_the_words_half(nano, data_folder):
    right = []
    for made in montages(list(read(data_folder / "flickr8k" / "val.parquet")), 40, seed=1):
        found = nano.explain(made.photo)
        for word, grid in zip(found.words, found.evidence, strict=True):
            if (half := made.half(word)) is not None:
                right.append((int(grid.argmax()) % GRID >= GRID // 2) == half)
    assert len(right) > 40
    assert sum(right) / len(right) > 0.68, json.dumps(right)  # chance is 0.5; two deviations of 60 words below 0.8
