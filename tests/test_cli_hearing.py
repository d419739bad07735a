"""What people have lying about, from the command to the sentence: odd is fine, broken is one line, the rest goes on."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.types import Caption, InputError

RATE = 16_000
TONE = (0.5 * np.sin(np.arange(2 * RATE) * 0.17)).astype(np.float32)
SHADES = range(0, 250, 50)


@pytest.fixture(scope="module")
def model(tiny_model_folder) -> Pipeline:
    """A tiny model with ears."""
    loaded = load(tiny_model_folder, device="cpu")
    assert loaded.model.audio_encoder is not None
    return loaded


def sounds() -> list[str]:
    """Sounds that are odd, and legal."""
    soundfile.write("silent.wav", np.zeros(RATE), RATE)
    soundfile.write("hundredth.wav", TONE[: RATE // 100], RATE)
    soundfile.write("one_sample.wav", TONE[:1], RATE)
    soundfile.write("8_bit.wav", TONE, RATE, subtype="PCM_U8")
    soundfile.write("24_bit.wav", TONE, RATE, subtype="PCM_24")
    soundfile.write("24_bit.flac", TONE, 44_100, subtype="PCM_24")
    soundfile.write("5_1.wav", np.tile(TONE[:, None], 6), 48_000)
    return ["silent.wav", "hundredth.wav", "one_sample.wav", "8_bit.wav", "24_bit.wav", "24_bit.flac", "5_1.wav"]


def misnamed(film: Callable) -> list[str]:
    """Files whose ending is not that of what they hold."""
    heard = {"wav.mp4": "WAV", "wav.jpg": "WAV", "flac.wav": "FLAC", "mp3.png": "MP3", "ogg": "OGG"}
    for name, form in heard.items():
        soundfile.write(name, TONE, RATE, format=form)
    watched = ["clip.wav", "clip.jpg", "clip.txt"]
    film(Path("clip.mkv"), (40, 200))
    for name in watched:
        Path(name).write_bytes(Path("clip.mkv").read_bytes())
    seen = {"jpeg.wav": "JPEG", "png.mp4": "PNG", "webp.mkv": "WEBP", "gif.avi": "GIF"}
    for name, form in seen.items():
        Image.new("RGB", (40, 30), "red").save(name, form)
    return [*heard, *watched, *seen]


def broken(film: Callable) -> dict[str, str]:
    """Files that cannot be used, each with what must be said of it."""
    film(Path("whole.mp4"), SHADES)
    content = Path("whole.mp4").read_bytes()
    Path("cut.mp4").write_bytes(content[: len(content) * 3 // 4])
    Path("headless.mp4").write_bytes(content[len(content) // 2 :])
    soundfile.write("whole.wav", TONE, RATE)
    Path("cut.wav").write_bytes(Path("whole.wav").read_bytes()[:9000])
    Path("empty.flac").touch()
    Path("diary.wav").write_text("Dear diary, today I heard a dog.\n" * 20)
    Path("diary.mp4").write_text("Dear diary, today I saw a dog.\n" * 20)
    odd = TONE.copy()
    odd[RATE + 7] = np.nan
    soundfile.write("nan.wav", odd, RATE, subtype="FLOAT")
    odd[RATE + 7] = np.inf
    soundfile.write("infinite.wav", odd, RATE, subtype="FLOAT")
    os.mkfifo("pipe.mkv")
    return {
        "cut.mp4": f"cut short, {len(content) * 3 // 4:,} of {len(content):,} bytes; copy or download it again",
        "headless.mp4": "no clip, or one that is broken or was cut short; copy it again, or give one of ",
        "cut.wav": "cannot be read to its end (",
        "empty.flac": "empty (0 bytes); copy or download it again",
        "diary.wav": "no sound, or its beginning is broken (",
        "diary.mp4": "no clip, or one that is broken or was cut short; copy it again, or give one of ",
        "nan.wav": "holds NaN or infinite samples; replace them and save it again",
        "infinite.wav": "holds NaN or infinite samples; replace them and save it again",
        "pipe.mkv": "a pipe or device, not a file; save what it gives to a file first",
        "nowhere.wav": "no such file",
    }


def test_odd_sounds_are_captioned(run):
    names = sounds()
    status, rows, errors = run("caption", *names)
    assert (status, errors) == (0, [])
    assert [row["path"] for row in rows] == names
    assert all("caption" in row for row in rows)


def test_odd_sounds_are_watched_to_their_end(model, run):
    for name in sounds():
        *_, last = model.watch(name, beams=1)
        assert last.end == pytest.approx(soundfile.info(name).duration, abs=1e-3)
    status, rows, errors = run("watch", "hundredth.wav")  # too short for a moment, and summed up all the same
    assert (status, errors) == (0, [])
    assert [(row["kind"], row["end"]) for row in rows] == [("summary", 0.01)]


def test_a_wrong_ending_changes_nothing(run, film):
    names = misnamed(film)
    status, rows, errors = run("caption", *names)
    assert (status, errors) == (0, [])
    assert [row["path"] for row in rows] == names
    said = {row["path"]: row["caption"] for row in rows}
    soundfile.write("right.wav", TONE, RATE)
    _, [sound, clip], _ = run("caption", "right.wav", "clip.mkv")
    assert said["wav.mp4"] == said["wav.jpg"] == sound["caption"]
    assert {said["clip.wav"], said["clip.jpg"], said["clip.txt"]} == {clip["caption"]}


def test_a_wrong_ending_is_watched_all_the_same(model, film, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    misnamed(film)
    wanted = [(glimpse.end, glimpse.caption) for glimpse in model.watch("clip.mkv", beams=1)]
    for name in ("clip.wav", "clip.txt"):
        assert [(glimpse.end, glimpse.caption) for glimpse in model.watch(name, beams=1)] == wanted
    for name in ("wav.jpg", "mp3.png", "ogg"):
        *_, last = model.watch(name, beams=1)
        assert last.end == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(("shades", "sound"), [((40, 200), False), ((), True)])
def test_a_clip_without_a_track_is_captioned_and_watched(shades, sound, run, film):
    film(Path("clip.mp4"), shades, sound, seconds=None if shades else 2.0)
    status, rows, errors = run("caption", "clip.mp4")
    assert (status, errors, len(rows)) == (0, [], 1)
    status, rows, errors = run("watch", "clip.mp4")
    assert (status, errors) == (0, [])
    assert [row["kind"] for row in rows][-2:] == ["moment", "summary"]


def test_each_broken_input_is_one_line_and_the_others_are_captioned(run, film):
    lines = broken(film)
    status, rows, errors = run("caption", "whole.wav", *lines, "whole.mp4")
    assert status == 1
    assert [row["path"] for row in rows] == ["whole.wav", *lines, "whole.mp4"]
    assert ["caption" in row for row in rows] == [True, *[False] * len(lines), True]
    assert errors == [row["error"] for row in rows[1:-1]]
    for row, (name, line) in zip(rows[1:-1], lines.items(), strict=True):
        assert row["error"].startswith(f"{name}: {line}")
        assert "; " in row["error"]  # the way out


def test_each_broken_input_is_one_line_in_python_too(model, film, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = broken(film)
    results = dict(model.caption_each(["whole.wav", *lines, "whole.mp4"], beams=1))
    assert isinstance(results.pop("whole.wav"), Caption)
    assert isinstance(results.pop("whole.mp4"), Caption)
    for name, line in lines.items():
        assert str(results[name]).startswith(f"{name}: {line}")
        with pytest.raises(InputError) as caught:
            model.encode(["whole.wav", name])
        assert str(caught.value) == str(results[name])


@pytest.mark.parametrize("name", ["cut.mp4", "nan.wav"])
def test_what_came_before_a_break_is_watched_and_summed_up(name, run, film):
    broken(film)
    whole = run("watch", "--every", "0.9", "whole" + Path(name).suffix)[1]
    status, rows, errors = run("watch", "--every", "0.9", name)
    assert status == 1
    assert [row["kind"] for row in rows][-3:] == ["moment", "summary", "error"]
    assert errors == [rows[-1]["error"]]
    assert errors[0].startswith(f"{name}: ")
    assert rows[0] == whole[0]
    assert 0.9 < rows[-2]["end"] < whole[-1]["end"]


def test_what_is_broken_from_the_beginning_is_one_line(run, film):
    broken(film)
    soundfile.write("nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    no_clip = "no clip, or one that is broken or was cut short; copy it again, or give one of "
    for name, line in (
        ("headless.mp4", no_clip),
        ("pipe.mkv", "a pipe or device, not a file; save what it gives to a file first"),
        ("nan.wav", "its sound holds NaN or infinite values; replace them and save it again"),
    ):
        status, rows, errors = run("watch", name)
        assert (status, [row["kind"] for row in rows]) == (1, ["error"])
        assert errors == [rows[0]["error"]]
        assert errors[0].startswith(f"{name}: {line}")
