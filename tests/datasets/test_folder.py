"""A folder with metadata comes out as Samples; a mistake in the metadata is found at once, and its line named."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from mm_memgpt.datasets.base import read
from mm_memgpt.datasets.folder import FolderReader
from mm_memgpt.types import InputError

NAMES = ("b.png", "a.jpg", "deep/c.png")


@pytest.fixture
def folder(tmp_path):
    """Three photos, not in the order of their names, each of one shade of grey; no metadata yet."""
    (tmp_path / "deep").mkdir()
    for number, name in enumerate(NAMES):
        Image.fromarray(np.full((3, 5), 50 * number, np.uint8)).save(tmp_path / name)
    return tmp_path


def write_csv(folder, *lines: str, encoding: str = "utf-8") -> None:
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding=encoding)


def write_jsonl(folder, *rows: object) -> None:
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def refusal(folder, **columns) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, **columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def captions(folder, **columns) -> dict[str, tuple[str, ...]]:
    return {sample.source.removeprefix(f"{folder}/"): sample.captions for sample in read(folder, **columns)}


def test_a_row_is_a_sample_that_names_its_photo(folder):
    write_csv(folder, "file_name,caption", 'b.png,"Black, all over"', "a.jpg,Dark grey", "deep/c.png,Grey")
    reader = read(folder)
    assert isinstance(reader, FolderReader)
    assert [sample.source for sample in reader] == [f"{folder}/{name}" for name in NAMES]
    assert [sample.captions for sample in reader] == [("Black, all over",), ("Dark grey",), ("Grey",)]
    assert [sample.image.getpixel((4, 2)) for sample in reader] == [(0, 0, 0), (50, 50, 50), (100, 100, 100)]
    assert reader[-1].source == f"{folder}/deep/c.png"
    assert pickle.loads(pickle.dumps(reader))[1].captions == ("Dark grey",)
    with pytest.raises(IndexError):
        reader[3]


def test_rows_of_one_photo_gather_their_captions(folder):
    write_csv(folder, "caption,file_name", "one,b.png", "two,a.jpg", "three,./b.png", ",b.png")
    assert captions(folder) == {"b.png": ("one", "three"), "a.jpg": ("two",)}


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("file_name,text", "b.png,one", ("one",)),
        ("file_name,caption_2,caption_1,split", "b.png,one,two,train", ("one", "two")),
        ("file_name,label", "b.png,7", ()),
    ],
)
def test_captions_stand_in_columns_of_the_usual_names(folder, header, row, expected):
    write_csv(folder, header, row)
    assert captions(folder) == {"b.png": expected}


def test_json_lines_may_list_captions(folder):
    write_jsonl(folder, {"file_name": "b.png", "captions": ["one", "two", ""]}, {"file_name": "a.jpg", "text": None})
    assert captions(folder) == {"b.png": ("one", "two"), "a.jpg": ()}
    assert list(read(folder).texts()) == ["one", "two"]


def test_other_columns_are_taken_by_name(folder):
    write_csv(folder, "photo,alt,text", "b.png,one,two")
    assert captions(folder, image="photo", captions="alt") == {"b.png": ("one",)}
    assert refusal(folder, image="photo", captions="alz").endswith(
        "no column 'alz' for captions; it has photo, alt, text"
    )
    assert (
        refusal(folder, label="text")
        == f"{folder}: no column of a folder can be 'label'; known: image, sound, clip, captions"
    )


def test_what_a_spreadsheet_saves_is_read(folder):
    write_csv(folder, "file_name,caption", "b.png,Café\r", encoding="utf-8-sig")
    assert captions(folder) == {"b.png": ("Café",)}


def test_several_folders_are_read_as_one(folder):
    write_csv(folder, "file_name", "b.png")
    write_csv(folder / "deep", "file_name", "c.png")
    assert [sample.source for sample in read([folder / "deep", folder])] == [f"{folder}/deep/c.png", f"{folder}/b.png"]


def test_a_broken_photo_names_itself_and_the_rest_are_read(folder):
    write_csv(folder, "file_name", *NAMES)
    (folder / "a.jpg").write_bytes(b"")
    reader = read(folder)
    assert [reader[0].source, reader[2].source] == [f"{folder}/b.png", f"{folder}/deep/c.png"]
    with pytest.raises(InputError, match=r"a\.jpg: empty \(0 bytes\)"):
        reader[1]


def test_a_folder_without_metadata_or_with_two_is_refused(folder):
    way_out = "add one with the columns file_name and caption"
    assert refusal(folder) == f"{folder}: no metadata.csv or metadata.jsonl in this folder; {way_out}"
    write_csv(folder, "file_name", "b.png")
    write_jsonl(folder, {"file_name": "b.png"})
    assert refusal(folder) == f"{folder}: has both metadata.csv and metadata.jsonl; keep one of them"


@pytest.mark.parametrize(
    ("lines", "place", "why"),
    [
        (["file_name,caption"], "", "holds no row; add one for each file"),
        (["file_name", "b.png", "d.png"], ":3", "no file 'd.png' in the folder; add it, or take the row out"),
        (["file_name", "deep"], ":2", "no file 'deep' in the folder; add it, or take the row out"),
        (
            ["photo,text", "b.png,one"],
            ":2",
            "no file_name; each row needs the file's path in that column; it has photo, text",
        ),
        (
            ["file_name,text", ",one"],
            ":2",
            "no file_name; each row needs the file's path in that column; it has file_name, text",
        ),
        (
            ["file_name", "deep/../../a.jpg"],
            ":2",
            "'deep/../../a.jpg' leads out of the folder; files must lie in it or below",
        ),
        (["file_name", "/a.jpg"], ":2", "'/a.jpg' leads out of the folder; files must lie in it or below"),
        (
            ["file_name,text", "b.png,black, all over"],
            ":2",
            "more fields than columns; put quotes around captions that hold commas",
        ),
        (
            ["file_name,text", 'b.png,"black" all over'],
            ":2",
            "not CSV (',' expected after '\"'); put quotes around captions, and double the quotes inside them",
        ),
    ],
)
def test_a_mistake_in_the_table_names_its_line(folder, lines, place, why):
    write_csv(folder, *lines)
    assert refusal(folder) == f"{folder}/metadata.csv{place}: {why}"


def test_a_table_that_is_not_utf_8_says_so(folder):
    write_csv(folder, "file_name,caption", "b.png,Café", encoding="latin-1")
    line = refusal(folder)
    assert line.startswith(f"{folder}/metadata.csv: not UTF-8 (")
    assert line.endswith("); save it as UTF-8")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"file_name": "b.png", "caption": 7}, "7 is no caption; give a string or a list of strings"),
        (
            {"file_name": "b.png", "captions": ["one", {"two": 2}]},
            "{'two': 2} is no caption; give a string or a list of strings",
        ),
        (["b.png", "one"], "a list, not an object; write one object a line"),
        ({"file_name": 7}, "no file_name; each row needs the file's path in that column; it has file_name"),
    ],
)
def test_a_mistake_in_json_lines_names_its_line(folder, row, why):
    write_jsonl(folder, {"file_name": "a.jpg"}, row)
    assert refusal(folder) == f"{folder}/metadata.jsonl:2: {why}"


def test_a_line_that_is_not_json_is_named(folder):
    (folder / "metadata.jsonl").write_text('{"file_name": "a.jpg"}\n\nb.png, one\n')
    line = refusal(folder)
    assert line.startswith(f"{folder}/metadata.jsonl:3: not JSON (")
    assert line.endswith("); write one object a line")
