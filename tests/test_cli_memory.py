"""A memory from the command line: what goes in comes out again, in the form that scripts read; what cannot is a line.

Notable: the model is tiny and its weights random, so words are found by the words and pictures by themselves; what a
trained model finds is measured elsewhere.
"""

import json
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from mm_memgpt.arguments import moment
from mm_memgpt.cli import main
from mm_memgpt.commands.memory_lines import amount, quoted, when
from mm_memgpt.pipeline import load

NOTES = "The key lies under the blue mat.\nThe train to Ulm leaves at nine.\n"
PLACE = ["path", "modality", "start", "end", "text"]


@pytest.fixture
def call(tiny_model_folder, tmp_path, monkeypatch, capsys):
    """`call("ask", "Where is the key?", "--memory", "trip")`: exit status, standard output, lines on standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, model: str = str(tiny_model_folder)) -> tuple[int, str, list[str]]:
        without = arguments[:2] in (("memory", "info"), ("memory", "export"), ("memory", "import"))
        status = main([*arguments, *(() if without else ("--model", model, "--device", "cpu"))])
        output, errors = capsys.readouterr()
        return status, output, errors.splitlines()

    return command


@pytest.fixture
def rows(call):
    """As `call`, of a command that must end well, but the JSON it wrote, one object a line."""

    def command(*arguments: str) -> list[dict]:
        status, output, errors = call(*arguments, "--format", "json")
        assert (status, errors) == (0, [])
        return [json.loads(line) for line in output.splitlines()]

    return command


def photo(name: str, seed: int) -> str:
    """A picture of coloured blocks at that path."""
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks).resize((70, 50), Image.Resampling.NEAREST).save(name)
    return name


def sound(name: str, seconds: float = 2.0) -> str:
    soundfile.write(name, 0.3 * np.sin(np.arange(int(16_000 * seconds)) * 0.2), 16_000)
    return name


@pytest.fixture
def trip(call):
    """A memory of two photos, a sound and two sentences."""
    photo("in/a.png", 1), photo("in/below/b.png", 2)
    sound("tone.wav")
    Path("notes.txt").write_text(NOTES)
    assert call("remember", "in", "tone.wav", "notes.txt", "--memory", "trip")[0] == 0
    return "trip"


def path_of(name: str) -> str:
    return str(Path(name).resolve())


# remember


def test_what_is_remembered_is_listed_by_its_source(call, rows, trip):
    [info] = rows("memory", "info", trip)
    sources = {source["path"]: (source["modalities"], source["items"]) for source in info["sources"]}
    assert sources[path_of("in/a.png")] == (["image"], 1)
    assert sources[path_of("in/below/b.png")] == (["image"], 1)
    assert sources[path_of("notes.txt")] == (["text"], 2)
    assert sources[path_of("tone.wav")][0] == ["audio"]
    assert len(sources) == 4
    assert info["items"] == sum(items for _, items in sources.values())
    status, output, _ = call("memory", "info", "--memory", trip)
    assert status == 0
    assert output.startswith(f"trip: {info['items']} items of 4 sources (image in 2, audio in 1, text in 1)\n")


def test_remember_says_what_it_kept(call, rows):
    photo("a.png", 1), photo("b.png", 2)
    assert call("remember", "*.png", "--memory", "trip") == (0, "kept 2 items of 2 sources in trip\n", [])
    [said] = rows("remember", "--note", "The cat is called Mo.", "--source", "diary", "--memory", "trip")
    assert said == {"memory": "trip", "items": 1, "sources": ["diary"], "skipped": [], "errors": []}


def test_a_list_on_standard_input_is_remembered(call, monkeypatch, tmp_path):
    names = [photo("a.png", 1), photo("b.png", 2)]
    Path("list").write_text("\n".join(names))
    with open("list") as listed:
        monkeypatch.setattr("sys.stdin", listed)
        assert call("remember", "-", "--memory", "trip")[:2] == (0, "kept 2 items of 2 sources in trip\n")


def test_every_bad_input_is_one_line_and_the_others_are_kept(call):
    photo("good.png", 1)
    Path("bad.jpg").write_text("no photo")
    Path("empty.wav").touch()
    Path("hollow").mkdir()
    names = ("bad.jpg", "none.png", "good.png", "empty.wav", "hollow")
    status, output, errors = call("remember", *names, "--memory", "trip")
    assert (status, output) == (1, "kept 1 item of 1 source in trip\n")
    begin = "mm-memgpt: error: "
    assert [line.removeprefix(begin).partition(": ")[0] for line in errors] == [
        "bad.jpg",
        "none.png",
        "empty.wav",
        "hollow",
    ]
    assert "no photo, sound, clip or text in this folder" in errors[-1]


def test_without_any_input_that_is_there_no_memory_is_made(call):
    status, output, errors = call("remember", "none.png", "--memory", "trip")
    assert (status, output) == (1, "kept nothing new in trip\n")
    assert errors == ["mm-memgpt: error: none.png: no such file or folder; check the path"]
    assert not Path("trip").exists()


def test_the_same_file_twice_is_kept_once_with_a_word(call, rows):
    photo("a.png", 1)
    assert call("remember", "a.png", "--memory", "trip")[0] == 0
    status, output, errors = call("remember", "./a.png", "--memory", "trip")
    assert (status, output) == (0, "kept nothing new in trip\n")
    [word] = errors
    assert "a.png: " in word
    assert rows("memory", "info", "trip")[0]["items"] == 1


def test_a_file_that_changed_is_refused_with_the_way_out(call, rows):
    photo("a.png", 1)
    assert call("remember", "a.png", "--memory", "trip")[0] == 0
    photo("a.png", 2)
    status, output, errors = call("remember", "a.png", "--memory", "trip")
    assert (status, output) == (1, "kept nothing new in trip\n")
    [line] = errors
    assert line.startswith(f"mm-memgpt: error: {path_of('a.png')}: has changed since it was added; forget it first")
    assert rows("memory", "info", "trip")[0]["items"] == 1


def test_a_date_or_seconds_say_when_the_first_input_begins(call, rows):
    photo("a.png", 1), photo("b.png", 2)
    assert call("remember", "a.png", "b.png", "--at", "2026-05-31T14:30+00:00", "--memory", "trip")[0] == 0
    sources = rows("memory", "info", "trip")[0]["sources"]
    starts = {Path(source["path"]).name: source["start"] for source in sources}
    assert starts["a.png"] == datetime.fromisoformat("2026-05-31T14:30+00:00").timestamp()
    assert starts["b.png"] > starts["a.png"]
    assert call("remember", "a.png", "--at", "noon", "--memory", "trip")[0] == 2


# search, ask, timeline


def test_words_find_the_sentence_that_has_them(rows, call, trip):
    found = rows("search", "train to Ulm", "--memory", trip)
    assert list(found[0]) == [*PLACE, "score"]
    assert (found[0]["path"], found[0]["text"]) == (path_of("notes.txt"), "The train to Ulm leaves at nine.")
    assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)
    status, output, _ = call("search", "train to Ulm", "--memory", trip, "--top", "1")
    assert status == 0
    [line] = output.splitlines()
    assert line.endswith('"The train to Ulm leaves at nine."')


def test_a_photo_finds_itself(rows, trip):
    first, *_ = rows("search", "in/below/b.png", "--memory", trip)
    assert (first["path"], first["modality"], first["text"]) == (path_of("in/below/b.png"), "image", "")


def test_filters_and_a_folder_narrow_what_is_found(rows, call, trip):
    assert {row["modality"] for row in rows("search", "blue", "--memory", trip, "--modality", "audio")} == {"audio"}
    assert {row["path"] for row in rows("search", "blue", "--memory", trip, "--source", "notes.txt")} == {
        path_of("notes.txt")
    }
    assert {row["path"] for row in rows("search", "blue", "in/below", "--memory", trip)} == {path_of("in/below/b.png")}
    everything = rows("search", "blue", "--memory", trip)
    last = max(row["start"] for row in everything)
    assert {row["start"] for row in rows("search", "blue", "--memory", trip, "--after", str(last))} == {last}
    assert rows("search", "blue", "--memory", trip, "--before", "-5") == []
    Path("other").mkdir()
    status, output, errors = call("search", "blue", "other", "--memory", trip)
    assert (status, output) == (1, "")
    assert errors == [
        "mm-memgpt: error: other: nothing from this folder is kept in trip; leave it out to search all of it"
    ]


def test_an_answer_is_one_object_with_its_sources(rows, call, trip):
    [answer] = rows("ask", "Where does the key lie?", "--memory", trip)
    assert list(answer) == ["answer", "confidence", "grounded", "declined", "sources", "links", "path"]
    assert answer["declined"] is False
    assert answer["answer"] == "The key lies under the blue mat."
    assert list(answer["sources"][0]) == [*PLACE, "fact", "evidence"]
    assert answer["sources"][0]["fact"] is None
    assert answer["sources"][0]["path"] == path_of("notes.txt")
    status, output, _ = call("ask", "Where does the key lie?", "--memory", trip)
    assert status == 0
    assert output.splitlines()[0] == "The key lies under the blue mat."
    assert "notes.txt" in output.splitlines()[2]


def test_what_an_answer_rests_on_is_drawn(call, trip):
    plain = call("ask", "Where does the key lie?", "--memory", trip)
    assert call("ask", "Where does the key lie?", "--memory", trip, "--graph", "why.svg") == plain
    drawn = Path("why.svg").read_text()
    assert drawn.startswith("<svg")
    assert "The key lies under the blue mat." in drawn
    assert path_of("notes.txt") in drawn


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("why.png", "why.png: the picture is an SVG; name it something.svg"),
        ("none/why.svg", "none/why.svg: no folder none; name a file in a folder that is there"),
        ("in.svg", "in.svg: a folder; name a file in a folder that is there"),
    ],
)
def test_a_picture_that_cannot_be_is_one_line_before_anything_is_asked(call, place, line):
    Path("in.svg").mkdir()
    assert call("ask", "Where?", "--memory", "none", "--graph", place) == (1, "", [f"mm-memgpt: error: {line}"])


def test_declining_is_no_failure(rows, call):
    photo("a.png", 1)
    assert call("remember", "a.png", "--memory", "trip")[0] == 0
    assert call("forget", "a.png", "--memory", "trip")[0] == 0
    [answer] = rows("ask", "Where is the key?", "--memory", "trip")
    assert (answer["answer"], answer["declined"], answer["sources"]) == ("", True, [])
    assert call("ask", "Where is the key?", "--memory", "trip")[:2] == (
        0,
        "no answer: trip holds too little about this\n",
    )


def test_the_timeline_lists_the_moments_in_order(rows, call, trip):
    moments = rows("timeline", "--memory", trip)
    assert list(moments[0]) == ["slot", *PLACE, "texts", "facts", "items", "merged"]
    assert not any(moment["facts"] for moment in moments)
    assert [moment["start"] for moment in moments] == sorted(moment["start"] for moment in moments)
    assert {moment["modality"] for moment in moments} == {"image", "audio", "text"}
    status, output, _ = call("timeline", "--memory", trip, "--summary", "--beams", "1")
    *lines, summary = output.splitlines()
    assert status == 0
    assert len(lines) == len(moments)
    assert summary.startswith("in all: ")
    assert any("text   " + path_of("notes.txt") in line for line in lines)


# forget


def test_a_forgotten_source_is_gone_and_the_receipt_says_so(rows, call, trip):
    [receipt] = rows("forget", "notes.txt", "--memory", trip)
    assert (receipt["items"], receipt["rebuilt"]) == (2, False)
    assert receipt["checks"]
    assert all(check["passed"] for check in receipt["checks"])
    assert path_of("notes.txt") not in {row["path"] for row in rows("search", "key", "--memory", trip)}
    everything = b"".join(path.read_bytes() for path in Path(trip).rglob("*") if path.is_file())
    assert b"notes.txt" not in everything
    assert b"blue mat" not in everything
    assert b"a.png" in everything  # so the bytes would be found
    status, output, _ = call("forget", path_of("tone.wav"), "--memory", trip, "--rebuild")
    assert status == 0
    assert output.startswith(f"forgot {path_of('tone.wav')}: ")
    assert "FAILED" not in output


def test_an_unknown_source_is_one_line(call, trip):
    status, output, errors = call("forget", "never.png", "--memory", trip)
    assert (status, output) == (1, "")
    [line] = errors
    assert line.startswith("mm-memgpt: error: ")
    assert "never.png" in line


# memory ...


def test_an_exported_memory_is_imported_elsewhere_and_answers_alike(rows, call, trip):
    before = rows("ask", "Where does the key lie?", "--memory", trip)
    [written] = rows("memory", "export", trip, "trip.file")
    assert written["bytes"] == os.path.getsize("trip.file")
    [read] = rows("memory", "import", "trip.file", "copy")
    assert read["items"] == written["items"]
    assert rows("ask", "Where does the key lie?", "--memory", "copy") == before
    status, output, errors = call("memory", "export", trip, "trip.file")
    assert (status, output) == (1, "")
    assert errors == ["mm-memgpt: error: trip.file: is there already; give another name, or remove it first"]


def test_a_memory_is_verified(rows, call, trip):
    [found] = rows("memory", "verify", trip)
    assert found["passed"] is True
    assert found["checks"]
    status, output, _ = call("memory", "verify", trip)
    assert status == 0
    assert len(output.splitlines()) == len(found["checks"])
    assert all(line.startswith("ok ") for line in output.splitlines())


def test_another_model_is_refused_until_it_has_perceived_the_memory_anew(call, rows, trip, tiny_model_folder):
    other = load(tiny_model_folder, device="cpu")
    for weights in other.model.image_encoder.parameters():
        weights.data.mul_(1.5)
    other.save("other")
    status, output, errors = call("search", "train to Ulm", "--memory", trip, model="other")
    assert (status, output) == (1, "")
    line = errors[-1]  # saving has shown a bar before
    assert line.startswith("mm-memgpt: error: trip: ")
    assert "mm-memgpt memory reencode" in line
    assert rows("memory", "info", trip)[0]["items"] > 4  # whoever looks needs no model
    assert call("memory", "reencode", trip, model="other")[0] == 0
    status, output, _ = call("search", "train to Ulm", "--memory", trip, model="other")
    assert status == 0
    assert "The train to Ulm leaves at nine." in output.splitlines()[0]
    assert call("search", "train to Ulm", "--memory", trip)[0] == 1


# usage and places


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("remember", "--memory", "trip"), "required: INPUT or --note TEXT"),
        (("remember", "a.png"), "required: --memory"),
        (("memory", "info"), "required: DIR"),
        (("memory", "info", "trip", "--memory", "trip"), "give the memory once: DIR"),
        (("search", "dog", "--modality", "image"), "are of a memory; give --memory DIR"),
        (("search", "dog", "--memory", "trip", "--sheet", "a.png"), "a contact sheet is of a folder's photos"),
        (("watch", "a.mkv", "--memory", "trip", "--region", "motion"), "what is looked at closely is not kept"),
    ],
)
def test_a_command_line_that_says_too_little_or_too_much_is_status_2(arguments, message, call):
    status, output, errors = call(*arguments)
    assert (status, output) == (2, "")
    assert message in errors[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "Where?", "--memory", "PLACE"),
        ("search", "dog", "--memory", "PLACE"),
        ("timeline", "--memory", "PLACE"),
        ("forget", "a.png", "--memory", "PLACE"),
        ("memory", "info", "PLACE"),
        ("memory", "export", "PLACE", "file"),
        ("memory", "verify", "PLACE"),
        ("memory", "reencode", "PLACE"),
    ],
)
def test_a_place_without_a_memory_is_one_line_and_stays_as_it_is(arguments, call):
    Path("full").mkdir()
    Path("full/letter.txt").write_text("Dear Mo")
    for place in ("nowhere", "full"):
        status, output, errors = call(*(place if word == "PLACE" else word for word in arguments))
        assert (status, output) == (1, "")
        [line] = errors
        assert line.startswith("mm-memgpt: error: ")
        assert f"{place}: " in line
    assert not Path("nowhere").exists()
    assert [path.name for path in Path("full").iterdir()] == ["letter.txt"]


def test_a_folder_that_is_no_memory_is_not_made_one(call):
    photo("full/a.png", 1)
    status, output, errors = call("remember", "full/a.png", "--memory", "full")
    assert (status, output) == (1, "")
    [line] = errors
    assert line.startswith("mm-memgpt: error: full: ")
    assert [path.name for path in Path("full").iterdir()] == ["a.png"]


# watch


def test_what_is_watched_is_kept(call, rows, film):
    film(Path("clip.mkv"), (40, 120, 200), sound=False)
    plain = call("watch", "clip.mkv", "--beams", "1")
    assert call("watch", "clip.mkv", "--beams", "1", "--memory", "trip") == plain
    [source] = rows("memory", "info", "trip")[0]["sources"]
    assert (source["path"], source["modalities"], source["items"]) == (path_of("clip.mkv"), ["image"], 3)


# words


def test_times_read_as_on_a_player_or_as_a_date():
    stamp = datetime(2026, 5, 31, 14, 30).timestamp()
    assert when(3, 3.9) == "0:00:03"
    assert when(3, 64) == "0:00:03 to 0:01:04"
    assert when(stamp, stamp + 1) == "2026-05-31 14:30:00 to 2026-05-31 14:30:01"
    assert when(-2, -2) == "1969-12-31 23:59:58" or when(-2, -2).startswith("19")
    assert when(1e300, 1e300) == "1e+300 s"


def test_a_moment_is_seconds_or_a_date():
    assert moment("12.5") == 12.5
    assert moment("2026-05-31") == datetime(2026, 5, 31).timestamp()
    assert moment("2026-05-31T14:30+02:00") == datetime.fromisoformat("2026-05-31T14:30+02:00").timestamp()


def test_amounts_and_quotes():
    assert [amount(count, "item") for count in (0, 1, 12_345)] == ["0 items", "1 item", "12,345 items"]
    assert quoted(" ") == ""
    assert quoted("two\nlines") == '"two lines"'
    assert len(quoted("words " * 99)) <= 102
