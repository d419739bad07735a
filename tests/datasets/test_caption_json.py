"""COCO's annotations and Karpathy's splits, told apart by what they hold."""

import json

import pytest

from mm_memgpt.datasets.base import read, samples
from mm_memgpt.types import InputError

COCO = {
    "info": {"year": 2014},
    "images": [{"id": 9, "file_name": "b.jpg"}, {"id": 4, "file_name": "a.jpg"}, {"id": 7, "file_name": "c.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 4, "caption": "Dusk."},
        {"id": 2, "image_id": 9, "caption": "A dark one.\n"},
        {"id": 3, "image_id": 9, "caption": "Night."},
    ],
}
KARPATHY = {
    "dataset": "flickr8k",
    "images": [
        {"filename": "b.jpg", "split": "train", "sentences": [{"raw": "A dark one."}, {"raw": "Night."}]},
        {"filename": "a.jpg", "split": "restval", "sentences": [{"raw": "Dusk."}]},
        {"filename": "c.jpg", "split": "val", "sentences": [{"raw": "Day."}]},
    ],
}


@pytest.fixture
def write(photos):
    def written(content: object):
        path = photos.parent / "dataset.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return written


def names(reader) -> list[str]:
    return [sample.source.rpartition("/")[2] for sample in reader]


def test_coco_captions_are_gathered_by_photo(write):
    reader = read(write(COCO))
    assert names(reader) == ["b.jpg", "a.jpg", "c.jpg"]
    assert [sample.captions for sample in reader] == [("A dark one.", "Night."), ("Dusk.",), ()]
    assert list(reader.texts()) == ["A dark one.", "Night.", "Dusk."]


def test_karpathy_files_hold_splits(write):
    path = write(KARPATHY)
    assert names(read(path)) == ["b.jpg", "a.jpg", "c.jpg"]
    assert names(read(path, split="train")) == ["b.jpg"]
    assert names(read(path, split="train+restval")) == ["b.jpg", "a.jpg"]
    assert read(path, split="val")[0].captions == ("Day.",)
    with pytest.raises(InputError, match="no split 'test'; it has restval, train, val"):
        read(path, split="test")


def test_karpathy_s_coco_photos_lie_in_folders_of_their_own(write, photos):
    (photos / "val2014").mkdir()
    (photos / "b.jpg").rename(photos / "val2014" / "b.jpg")
    images = [{**KARPATHY["images"][0], "filepath": "val2014"}, KARPATHY["images"][1]]
    assert names(samples(read(write({"images": images})))) == ["b.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "dataset.json: not JSON"),
        ([], "dataset.json: no list 'images' of objects in it; give a COCO or a Karpathy captions file"),
        ({"images": [{"id": 1}]}, "neither 'annotations' \\(COCO\\) nor 'sentences' \\(Karpathy\\) in it"),
        ({"images": [{"id": 1}], "annotations": []}, "an entry lacks 'file_name'; give a COCO"),
        ({**COCO, "images": [*COCO["images"], {"id": 4, "file_name": "c.jpg"}]}, "two photos have one id"),
        (
            {**COCO, "annotations": [{"id": 5, "image_id": 3, "caption": "?"}]},
            "annotation 5 is about photo 3, which it does not list",
        ),
    ],
)
def test_what_is_neither_or_broken_is_refused_in_one_line(content, message, write):
    with pytest.raises(InputError, match=message) as error:
        read(write(content))
    assert "\n" not in str(error.value)


def test_coco_has_no_splits_inside(write):
    with pytest.raises(InputError, match="no split 'train'; it has none: leave the split out"):
        read(write(COCO), split="train")
