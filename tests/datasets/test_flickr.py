"""Flickr8k and Flickr30k as published: each form of their caption lists, their split lists, and their known faults."""

import pickle

import pytest

from mm_memgpt.datasets.base import read, samples
from mm_memgpt.types import InputError

TOKENS = "b.jpg#0\tA dark one .\nb.jpg#1\tNight , or so .\na.jpg#0\tDusk .\nc.jpg#0\tDay .\n"
COMMAS = 'image,caption\nb.jpg,A dark one .\nb.jpg,"Night , or so ."\na.jpg,Dusk .\nc.jpg,Day .\n'
BARS = (
    "image_name| comment_number| comment\n"
    "b.jpg| 0| A dark one .\nb.jpg| 1   Night , or so .\na.jpg| 0| Dusk .\nc.jpg| 0| Day .\n"
)
"""The second row lacks its second bar, as one row of the published file does."""

FORMS = {"Flickr8k.token.txt": TOKENS, "results_20130124.token": TOKENS, "captions.txt": COMMAS, "results.csv": BARS}


@pytest.fixture(params=FORMS)
def listing(request, photos):
    path = photos.parent / request.param
    path.write_text(FORMS[request.param])
    return path


def test_every_form_gives_the_same_samples(listing):
    reader = read(listing)
    assert [sample.captions for sample in reader] == [("A dark one .", "Night , or so ."), ("Dusk .",), ("Day .",)]
    assert [sample.source.rpartition("/")[2] for sample in reader] == ["b.jpg", "a.jpg", "c.jpg"]
    assert [round(sample.image.getpixel((2, 1))[0], -1) for sample in reader] == [0, 100, 200]
    assert pickle.loads(pickle.dumps(reader))[1].captions == ("Dusk .",)


def test_a_split_is_a_list_beside_the_file(photos):
    listing = photos.parent / "Flickr8k.token.txt"
    listing.write_text(TOKENS)
    (photos.parent / "Flickr_8k.trainImages.txt").write_text("c.jpg\nb.jpg\n")
    (photos.parent / "Flickr_8k.devImages.txt").write_text("a.jpg\n")
    names = {split: [s.source[-5:] for s in read(listing, split=split)] for split in ("train", "dev", "val")}
    assert names == {"train": ["b.jpg", "c.jpg"], "dev": ["a.jpg"], "val": ["a.jpg"]}
    with pytest.raises(InputError, match="no split 'test'; it has dev, train, val"):
        read(listing, split="test")


def test_the_photos_may_lie_elsewhere(photos, tmp_path_factory):
    far = tmp_path_factory.mktemp("far") / "deep" / "captions.txt"
    far.parent.mkdir()
    far.write_text(COMMAS)
    assert len(read(far, images=photos)) == 3
    with pytest.raises(
        InputError, match=r"none of its 3 photos \(b.jpg, ...\) lies beside it.*name their folder: images"
    ):
        read(far)
    with pytest.raises(InputError, match=r"none of its 3 photos \(b.jpg, ...\) lies in .*deep; name their folder"):
        read(far, images=far.parent)


def test_a_photo_that_was_never_published_costs_its_own_sample(photos):
    listing = photos.parent / "Flickr8k.token.txt"
    listing.write_text(TOKENS + "2258277193_586949ec62.jpg.1#0\tSome people .\n")
    *found, missing = samples(read(listing))
    assert len(found) == 3
    assert isinstance(missing, InputError)
    assert "2258277193_586949ec62.jpg.1: no such file" in str(missing)


def test_captions_are_read_without_opening_a_photo(photos):
    listing = photos.parent / "captions.txt"
    listing.write_text(COMMAS)
    reader = read(listing)
    for photo in photos.iterdir():
        photo.unlink()
    assert list(reader.texts()) == ["A dark one .", "Night , or so .", "Dusk .", "Day ."]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            TOKENS + "c.jpg Day again\n",
            r"Flickr.txt:5: 'c.jpg Day again' is not name.jpg#0, a tab, and the caption; mend",
        ),
        ("image,caption\nb.jpg\n", r"Flickr.txt:2: 'b.jpg' has no caption; mend the line"),
        ("hello\n", r"Flickr.txt:1: 'hello' begins no caption list; known forms: name.jpg#0<TAB>caption, a header"),
        ("image,caption\n", r"Flickr.txt: names no photo; is it the right file, and the right split\?"),
        ("image,caption\n../b.jpg,Out\n", r"Flickr.txt: '../b.jpg' leads out of the folder of the photos; take it out"),
        ("", r"Flickr.txt: empty \(0 bytes\)"),
    ],
)
def test_a_broken_list_is_refused_in_one_line(content, message, photos):
    listing = photos.parent / "Flickr.txt"
    listing.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        read(listing)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_refused(photos):
    listing = photos.parent / "captions.csv"
    listing.write_bytes(b"image,caption\nb.jpg,caf\xe9\n")
    with pytest.raises(InputError, match=r"captions.csv: not UTF-8 .*; save it as UTF-8"):
        read(listing)
