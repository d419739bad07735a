"""Whatever Hugging Face datasets can load is read as Samples: saved folders, folders it knows, names on a hub."""

import pickle

import pytest
from PIL import Image

from mm_memgpt.datasets.base import read, samples, stream
from mm_memgpt.types import InputError

datasets = pytest.importorskip("datasets")


@pytest.fixture
def saved(tmp_path, photos) -> str:
    """A dataset of two splits, as save_to_disk writes it."""
    folder = tmp_path / "saved"
    rows = {
        "img": [str(photos / name) for name in ("b.jpg", "a.jpg", "c.jpg")],
        "sentences": [[{"raw": "A dark one."}, {"raw": "Night."}], [{"raw": "Dusk."}], []],
        "note": ["x", "y", "z"],
        "label": [3, 1, 2],
    }
    whole = datasets.Dataset.from_dict(rows).cast_column("img", datasets.Image())
    parts = {"train": whole, "test": whole.select([2])}
    datasets.DatasetDict(parts).save_to_disk(folder)
    return str(folder)


def told(reader) -> list:
    return [(sample.captions, round(sample.image.getpixel((2, 1))[0], -1), sample.label) for sample in reader]


DUE = [(("A dark one.", "Night."), 0, 3), (("Dusk.",), 100, 1), ((), 200, 2)]


def test_a_saved_dataset_is_read_by_the_names_columns_usually_have(saved):
    reader = read(saved, split="train")
    assert told(reader) == DUE
    assert reader[-1].source == f"{saved}:2"
    assert told(pickle.loads(pickle.dumps(reader))) == DUE
    assert list(reader.texts()) == ["A dark one.", "Night.", "Dusk."]
    assert told(read(f"hub:{saved}", split="test")) == DUE[2:]


def test_columns_may_be_named(saved):
    sample = read(saved, split="train", captions="note", text="note")[1]
    assert (sample.captions, sample.text) == (("y",), "y")
    with pytest.raises(InputError, match="no column 'words'; it has img, sentences, note, label"):
        read(saved, split="train", captions="words")


def test_a_stream_gives_what_the_reader_gives(saved):
    assert told(encoded.open() for encoded in stream(f"hub:{saved}", split="train")) == DUE


def test_a_folder_that_the_library_knows_is_read(photos):
    (photos / "metadata.csv").write_text("file_name,caption\na.jpg,Dusk.\nb.jpg,Night.\nc.jpg,Day.\n")
    reader = read(f"hub:{photos}")
    assert sorted(sample.captions for sample in reader) == [("Day.",), ("Dusk.",), ("Night.",)]
    assert {sample.image.size for sample in reader} == {(5, 3)}


def test_a_split_must_be_chosen_and_known(saved):
    with pytest.raises(InputError, match="saved: has the splits train, test; choose one: split"):
        read(saved)
    with pytest.raises(InputError, match="saved: no split 'dev'; it has train, test"):
        read(saved, split="dev")


def test_a_broken_photo_costs_its_own_sample(tmp_path):
    rows = {"image": [{"bytes": b"no photo", "path": None}, None], "caption": ["a", "b"]}
    kinds = datasets.Features({"image": datasets.Image(), "caption": datasets.Value("string")})
    datasets.Dataset.from_dict(rows, features=kinds).save_to_disk(tmp_path / "broken")
    broken, empty = samples(read(tmp_path / "broken"))
    assert isinstance(broken, InputError)
    assert str(broken).startswith(f"{tmp_path / 'broken'}:0: ")
    assert empty.image is None


def test_photos_pass_the_same_checks_as_all_others(tmp_path):
    """The library's own decoding has no pixel limit and does not set a photo upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (5, 3)).save(tmp_path / "turned.jpg", exif=exif)
    rows = {"image": [str(tmp_path / "turned.jpg")], "caption": ["a"]}
    whole = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    whole.save_to_disk(tmp_path / "saved")
    assert read(tmp_path / "saved")[0].image.size == (3, 5)


def test_a_name_that_cannot_be_had_gives_both_ways_out():
    with pytest.raises(
        InputError, match=r"hub:nobody/nothing: cannot be loaded .*folder that is here, or a hub name"
    ) as error:
        read("hub:nobody/nothing")
    assert "\n" not in str(error.value)


def test_a_dataset_without_words_or_photos_is_refused(tmp_path):
    datasets.Dataset.from_dict({"label": [1], "other": [2]}).save_to_disk(tmp_path / "saved")
    with pytest.raises(InputError, match="no column for image, captions or text; it has label, other: name one"):
        read(tmp_path / "saved")
