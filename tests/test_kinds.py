"""What an input is follows from its type, its first bytes and its ending, in that order."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mm_memgpt.kinds import SUFFIXES, is_sound_pair, kind_of
from mm_memgpt.types import Text

SAMPLES = np.zeros(160, np.float32)


def test_no_ending_is_of_two_kinds():
    photo, sound, clip = (SUFFIXES[kind] for kind in ("photo", "sound", "clip"))
    assert not photo & sound
    assert not sound & clip
    assert not photo & clip


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Text("photo.jpg"), "text"),
        ((SAMPLES, 16_000), "sound"),
        ((torch.zeros(160), np.int64(8000)), "sound"),
        (Image.new("RGB", (3, 2)), "photo"),
        (np.zeros((3, 2, 3), np.uint8), "photo"),
        ("nowhere.jpg", "photo"),
        ("nowhere", "photo"),
        (Path("nowhere.FLAC"), "sound"),
        (b"nowhere.mkv", "photo"),  # bytes are a file's content
        ("nowhere.mkv", "clip"),
        ("rtsp://camera/1.jpg", "clip"),
        ("/dev/video0", "clip"),
        ("null\0character.wav", "sound"),
    ],
)
def test_kinds_by_type_and_ending(value, kind):
    assert kind_of(value) == kind


def test_two_photos_are_no_sound():
    assert not is_sound_pair((np.zeros((3, 2, 3)), np.zeros((3, 2, 3))))
    assert not is_sound_pair((Image.new("RGB", (3, 2)), 16_000))
    assert not is_sound_pair([SAMPLES, 16_000])  # a list is a list of inputs


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "mp3", "aiff", "au", "caf"])
def test_a_sound_is_told_by_its_content(form, tmp_path):
    path = tmp_path / "sound.jpg"
    soundfile.write(path, SAMPLES, 16_000, format=form)
    assert kind_of(path) == "sound"


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi", ".ts"])
def test_a_clip_is_told_by_its_content_and_may_be_called_a_sound(ending, film, tmp_path):
    path = film(tmp_path / f"clip{ending}", shades=(90,))
    assert kind_of(path) == "clip"
    assert kind_of(path.read_bytes()) == "clip"
    assert kind_of(path.rename(tmp_path / "clip.png")) == "clip"


def test_where_a_container_holds_either_the_ending_decides(film, tmp_path):
    path = film(tmp_path / "song.mp4", shades=(), seconds=0.2)
    assert kind_of(path) == "clip"
    assert kind_of(path.rename(tmp_path / "song.m4a")) == "sound"


@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "gif", "bmp"])
def test_a_photo_stays_a_photo(form, tmp_path):
    path = tmp_path / f"photo.{form}"
    Image.new("RGB", (9, 7), "red").save(path)
    assert kind_of(path) == "photo"
    assert kind_of(path.read_bytes()) == "photo"


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("ending", [".wav", ".mkv", ".txt"])
def test_a_photo_is_told_by_its_content(form, ending, tmp_path):
    path = tmp_path / f"photo{ending}"
    Image.new("RGB", (9, 7), "red").save(path, form)
    assert kind_of(path) == "photo"
