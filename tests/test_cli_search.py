"""Search ranks a folder's photos by a few words, and measures how well it does."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import mm_memgpt
from mm_memgpt.cli import main


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch):
    """Every test starts in a folder with photos of coloured blocks in `in/`."""
    monkeypatch.chdir(tmp_path)
    Path("in/below").mkdir(parents=True)
    for seed, name in enumerate(["in/a.png", "in/b.png", "in/below/c.png", "in/d.png"]):
        blocks = np.random.default_rng(seed).integers(0, 256, (9, 13, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((52, 36), Image.Resampling.NEAREST).save(name)


@pytest.fixture
def search(tiny_model_folder):
    return lambda *arguments: main(["search", "--model", str(tiny_model_folder), "--device", "cpu", *arguments])


def test_photos_come_by_the_cosine_of_their_keys_best_first(search, tiny_model_folder, capsys):
    assert search("a brown dog", "in", "--format", "json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    model = mm_memgpt.load(tiny_model_folder, device="cpu")
    wanted = model.text_keys(["a brown dog"])[0]
    due = {photo: float(wanted @ key) for photo, key in model.keys_each([row["path"] for row in found])}
    assert {row["path"] for row in found} == {"in/a.png", "in/b.png", "in/below/c.png", "in/d.png"}
    assert [row["score"] for row in found] == sorted((round(score, 6) for score in due.values()), reverse=True)
    assert {row["path"]: row["score"] for row in found} == {path: round(score, 6) for path, score in due.items()}


def test_the_facade_finds_the_same_and_top_limits_it(search, tiny_model_folder, capsys):
    assert search("water", "in", "--top", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    model = mm_memgpt.load(tiny_model_folder, device="cpu")
    matches = model.search("water", sorted(map(str, Path("in").rglob("*.png"))), top=2)
    assert lines == [f"{match.score:.3f} {match.photo}" for match in matches]


def test_a_sheet_shows_the_photos_in_order(search, capsys):
    assert search("water", "in", "--sheet", "sheet.png") == 0
    first = Image.open(capsys.readouterr().out.splitlines()[0].split(" ", 1)[1]).convert("RGB")
    sheet = np.array(Image.open("sheet.png").convert("RGB"))
    assert sheet.shape == (292, 4 * 236, 3)
    cell = sheet[36:, 8:228]
    place = np.array(first.resize((220, 152), Image.Resampling.LANCZOS)).astype(int)
    assert abs(cell[34:186].astype(int) - place).mean() < 3


def test_a_bad_photo_is_one_line_and_the_rest_is_ranked(search, capsys):
    Path("in/bad.jpg").write_text("no photo")
    assert search("water", "in") == 1
    output, errors = capsys.readouterr()
    assert len(output.splitlines()) == 4
    [line] = errors.splitlines()
    assert line.startswith("mm-memgpt: error: in/bad.jpg: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["  ", "in"], "nothing to search for; give a sentence or a few words"),
        (["dog", "none"], "none: no photo there that can be used; name a folder that holds photos"),
        (["dog", "in", "--sheet", "sheet.gif"], "sheet.gif: a contact sheet ends in .png, .jpg or .webp; rename it"),
        (["dog", "in", "--sheet", "no/s.png"], "no: no such folder; make it, or write the sheet elsewhere"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, message, search, capsys):
    assert search(*arguments) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.splitlines()[-1] == f"mm-memgpt: error: {message}"


def test_a_model_that_reads_no_text_says_so(tiny_model_folder, capsys):
    model = mm_memgpt.load(tiny_model_folder, device="cpu")
    model.model.text_encoder = None
    with pytest.raises(mm_memgpt.InputError, match="this model has no text encoder, so it cannot search"):
        model.text_keys(["dog"])


def test_keys_of_sentences_do_not_depend_on_their_neighbours(tiny_model_folder):
    model = mm_memgpt.load(tiny_model_folder, device="cpu")
    sentences = ["a dog", "two children play in the water with a man", "rock"]
    together = model.text_keys(sentences)
    torch.testing.assert_close(together, torch.cat([model.text_keys([one]) for one in sentences]))
    torch.testing.assert_close(together.norm(dim=-1), torch.ones(3))


def test_retrieval_is_measured_and_a_bad_row_is_named(tiny_model_folder, capsys):
    encoded = [Path(name).read_bytes() for name in ("in/a.png", "in/b.png", "in/d.png")]
    column = pa.array([{"bytes": each, "path": None} for each in [*encoded, b"none"]])
    pq.write_table(pa.table({"image": column, "captions": [["a dog", "grass"]] * 4}), "few.parquet")
    arguments = ["evaluate", "retrieval", "--data", "few.parquet", "--model", str(tiny_model_folder), "--device", "cpu"]
    assert main([*arguments, "--format", "json"]) == 1
    output, errors = capsys.readouterr()
    scores = json.loads(output)
    assert (scores["photos"], scores["sentences"]) == (3, 6)
    assert scores["text_to_photo"]["10"]["value"] == 1.0
    assert "few.parquet:3" in errors
    assert errors.splitlines()[-1] == "skipped 1 of 4 samples; the figures are of the others"
    assert main([*arguments, "--limit", "3"]) == 0
    assert "photo to text @10    1.000  1.000 to 1.000" in capsys.readouterr().out
