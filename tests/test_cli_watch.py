"""`watch` says what it sees as it goes and sums up; `caption` takes sounds and clips; what breaks off is one line."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from mm_memgpt.cli import main, parser
from mm_memgpt.commands.moments import clock
from mm_memgpt.datasets.clip import ALIKE

SHADES = tuple(range(0, 240, 40))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def watch(tiny_model_folder):
    """Runs `mm-memgpt watch` with the tiny model on the CPU."""
    given = ("--model", str(tiny_model_folder), "--device", "cpu", "--beams", "1")
    return lambda *arguments: main(["watch", *given, *arguments])


@pytest.fixture
def caption(tiny_model_folder):
    given = ("--model", str(tiny_model_folder), "--device", "cpu", "--beams", "1")
    return lambda *arguments: main(["caption", *given, *arguments])


def test_a_line_a_moment_and_one_about_it_all(watch, film, capsys):
    film(Path("clip.mkv"), SHADES, sound=False)
    assert watch("clip.mkv") == 0
    output, errors = capsys.readouterr()
    *moments, summary = output.splitlines()
    assert [line[:10] for line in moments] == [f"[0:00:0{second}] " for second in range(6)]
    assert summary.startswith("in all: ")
    assert errors == ""


def test_every_and_alike_choose_the_moments(watch, film, capsys):
    film(Path("clip.mkv"), (40, 40, 120, 120), sound=False)

    def starts(*arguments: str) -> list[float]:
        assert watch("clip.mkv", "--format", "json", *arguments) == 0
        return [
            row["start"] for row in map(json.loads, capsys.readouterr().out.splitlines()) if row["kind"] == "moment"
        ]

    assert starts() == [0, 2]
    assert starts("--alike", "none") == [0, 1, 2, 3]
    assert starts("--alike", "none", "--every", "3") == [0, 3]
    assert starts("--alike", "200") == [0]
    film(Path("clip.mkv"), (40,), sound=False)
    assert starts("--alike", "none", "--every", "0") == pytest.approx([0, 0.2, 0.4, 0.6, 0.8], abs=2e-3)


def test_json_and_csv_hold_spans_confidence_and_the_summary(watch, film, capsys):
    film(Path("clip.mkv"), (40, 200))
    assert watch("clip.mkv", "--format", "json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["kind"] for row in rows] == ["moment", "moment", "summary"]
    assert list(rows[0]) == ["kind", "start", "end", "caption", "confidence", "words"]
    assert (rows[-1]["start"], rows[-1]["end"]) == (0.0, max(row["end"] for row in rows))
    assert watch("clip.mkv", "--format", "csv") == 0
    table = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["caption"] for row in table] == [row["caption"] for row in rows]
    assert list(table[0]) == ["kind", "start", "end", "caption", "confidence", "error"]


def test_a_source_that_breaks_off_is_summed_up_and_is_a_failure(watch, film, capsys):
    whole = film(Path("whole.mp4"), range(0, 240, 20), sound=False).read_bytes()
    Path("cut.mp4").write_bytes(whole[: -len(whole) // 3])
    assert watch("cut.mp4") == 1
    output, errors = capsys.readouterr()
    *moments, summary = output.splitlines()
    assert len(moments) > 3
    assert summary.startswith("in all: ")
    [line] = errors.splitlines()
    assert line.startswith("mm-memgpt: error: cut.mp4: cut short, ")
    assert watch("cut.mp4", "--format", "json") == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["error"] == line.removeprefix("mm-memgpt: error: ")


def test_what_cannot_be_watched_is_one_line_and_nothing_else(watch, capsys):
    Path("frames").mkdir()
    Path("notes.mp4").write_text("no clip\n" * 99)
    Path("empty.mp4").touch()
    for source, reason in (
        ("nowhere.mp4", "no such file; check the path"),
        ("frames", "a folder of frames has no clock; say how many make a second: --fps 25"),
        ("notes.mp4", "no clip, or one that is broken or was cut short"),
        ("empty.mp4", "empty (0 bytes)"),
        ("rtsp://127.0.0.1:9/none", "cannot be opened"),
    ):
        assert watch(source) == 1
        output, errors = capsys.readouterr()
        assert output == ""
        [line] = errors.splitlines()
        assert line.startswith(f"mm-memgpt: error: {source}: {reason}")


def test_a_folder_of_frames_is_watched_by_the_clock_it_is_given(watch, capsys):
    Path("frames").mkdir()
    for number in range(4):
        Image.new("RGB", (40, 30), (60 * number,) * 3).save(f"frames/{number}.png")
    assert watch("frames", "--fps", "0.5") == 0
    assert [line[:9] for line in capsys.readouterr().out.splitlines()[:-1]] == [f"[0:00:0{n}]" for n in (0, 2, 4, 6)]


@pytest.mark.parametrize("arguments", [["--every", "-1"], ["--alike", "few"], ["--alike", "nan"], ["--every", "inf"]])
def test_a_setting_that_is_no_number_is_a_usage_error(arguments, watch, capsys):
    assert watch("clip.mkv", *arguments) == 2
    assert f"{arguments[1]!r} is not a number of at least 0" in capsys.readouterr().err


def test_the_default_of_alike_is_the_readers():
    assert parser().parse_args(["watch", "clip.mp4"]).alike == ALIKE


def test_seconds_are_shown_as_on_a_player():
    assert [clock(seconds) for seconds in (0, 59.99, 61, 3599, 36_061.5)] == [
        "0:00:00",
        "0:00:59",
        "0:01:01",
        "0:59:59",
        "10:01:01",
    ]


@pytest.mark.slow
def test_ctrl_c_sums_up_what_was_seen(tiny_model_folder, film):
    film(Path("clip.mkv"), [shade % 250 for shade in range(0, 20_000, 20)], sound=False, fps=1)
    given = ["clip.mkv", "--model", str(tiny_model_folder), "--device", "cpu", "--beams", "1"]
    command = [sys.executable, "-u", "-m", "mm_memgpt", "watch", *given]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a job in the background inherits deaf ears
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, preexec_fn=heard, **pipes) as watching:
        first = [watching.stdout.readline() for _ in range(3)]
        watching.send_signal(signal.SIGINT)
        output, errors = watching.communicate(timeout=120)
    lines = [*first, *output.splitlines(keepends=True)]
    assert [line[:9] for line in lines[:3]] == ["[0:00:00]", "[0:00:01]", "[0:00:02]"]
    assert lines[-1].startswith("in all: ")
    assert len(lines) < 900
    assert (watching.returncode, errors) == (0, "")


# caption


def test_a_folder_is_its_photos_sounds_and_clips(caption, film, capsys):
    Path("in/deep").mkdir(parents=True)
    film(Path("in/b.mkv"), (40, 200))
    soundfile.write("in/a.WAV", np.zeros(9000, np.float32), 8000)
    Image.new("RGB", (40, 30), "red").save("in/deep/c.png")
    Path("in/notes.txt").write_text("nothing to see")
    assert caption("in") == 0
    output, errors = capsys.readouterr()
    assert [line.partition(": ")[0] for line in output.splitlines()] == ["in/a.WAV", "in/b.mkv", "in/deep/c.png"]
    assert errors == ""


def test_a_bad_sound_or_clip_is_one_line_and_the_rest_is_captioned(caption, film, capsys):
    whole = film(Path("whole.mp4"), SHADES)
    Path("cut.mp4").write_bytes(whole.read_bytes()[:-2000])
    Path("empty.wav").touch()
    shutil.copy(whole, "called.jpg")
    assert caption("cut.mp4", "empty.wav", "none.flac", "called.jpg", "--format", "json") == 1
    output, errors = capsys.readouterr()
    rows = [json.loads(line) for line in output.splitlines()]
    assert [list(row)[:2] for row in rows] == [["path", "error"]] * 3 + [["path", "caption"]]
    assert errors.splitlines() == [f"mm-memgpt: error: {row['error']}" for row in rows[:3]]


def test_only_photos_are_explained(caption, capsys):
    soundfile.write("a.wav", np.zeros(9000, np.float32), 8000)
    assert caption("a.wav", "--explain", "strips") == 1
    output, errors = capsys.readouterr()
    assert output.startswith("a.wav: ")
    line = "a.wav: a sound, and only photos are explained; leave out --explain for the others"
    assert errors == f"mm-memgpt: error: {line}\n"
    assert not list(Path("strips").iterdir())


def test_a_question_is_answered_of_each_input_and_at_the_end_of_what_is_watched(watch, caption, film, capsys):
    film(Path("clip.mkv"))
    Image.new("RGB", (40, 30), (90, 9, 200)).save("photo.png")
    soundfile.write("tone.wav", 0.3 * np.sin(np.arange(16_000) * 0.2), 16_000)
    assert caption("clip.mkv", "photo.png", "tone.wav", "--ask", "what is said ?") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["clip.mkv", "photo.png", "tone.wav"]
    assert not any("what is said" in line for line in lines)
    assert watch("clip.mkv", "--ask", "what is said ?") == 0
    *_, summary, answer = capsys.readouterr().out.splitlines()
    assert summary.startswith("in all: ")
    assert answer == f"answer: {lines[0].partition(': ')[2]}"  # of the same memory
    assert caption("photo.png", "--ask", " ") == 1
    assert "nothing is asked; give a question" in capsys.readouterr().err


def test_a_region_is_motion_or_a_part_of_the_picture(watch, caption, film, capsys):
    film(Path("clip.mkv"), (40, 200), sound=False, fps=25)
    for region in ("motion", "0.2,0.5,0.8,1"):
        assert caption("clip.mkv", "--region", region) == 0
        assert watch("clip.mkv", "--region", region) == 0
        assert len(capsys.readouterr().out.splitlines()) > 5
    assert caption("clip.mkv", "--region", "0.8,0.5,0.2,1") == 1
    assert "region (0.8, 0.5, 0.2, 1.0) is no part of a picture" in capsys.readouterr().err
    assert watch("clip.mkv", "--region", "lips") == 2
    assert "'lips' is not a number of at least 0" in capsys.readouterr().err
