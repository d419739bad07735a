"""Facts from the command line: told, listed by name and time, searched for and forgotten; what cannot be is a line."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mm_memgpt.cli import main
from mm_memgpt.commands.errors import tell_errors
from mm_memgpt.commands.memory_lines import validity
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import FACT_FIELDS, columns, to_rows
from mm_memgpt.memory.archive_table import make_table
from mm_memgpt.types import Fact

BERLIN = ("--fact", "Berlin", "capital_of", "Germany")
FACTS = """head,relation,tail,from,until,source
q586,capital_of,q183,1949,1990-10-03,atlas
q64,capital_of,q183,1990-10-03,,atlas
q64,part_of
q183,part_of,q46,,,
"""


@pytest.fixture
def call(tiny_model_folder, tmp_path, monkeypatch, capsys):
    """`call("know", "facts.csv", "--memory", "trip")`: exit status, lines on standard output, and on standard error."""
    monkeypatch.chdir(tmp_path)
    Path("facts.csv").write_text(FACTS)
    Path("names.tsv").write_text("q64\tBerlin\nq586\tBonn\nq183\tGermany\n")

    def command(name: str, *arguments: str) -> tuple[int, list[str], list[str]]:
        model = () if name in ("facts", "memory") else ("--model", str(tiny_model_folder), "--device", "cpu")
        status = main([name, *arguments, *model])
        output, errors = capsys.readouterr()
        return status, output.splitlines(), [line.removeprefix("mm-memgpt: error: ") for line in errors.splitlines()]

    return command


@pytest.fixture
def trip(call):
    assert call("know", "facts.csv", "--names", "names.tsv", "--memory", "trip")[0] == 1
    return "trip"


def test_a_broken_line_is_told_by_its_number_and_the_others_are_kept(call):
    status, output, [error] = call("know", "facts.csv", *BERLIN, "--memory", "trip")
    assert (status, output) == (1, ["kept 4 facts of 3 sources in trip"])
    assert error.startswith("facts.csv:4: has 2 cells, but head, relation, tail, since, until, source are 6; ")


def test_the_timeline_says_which_of_its_words_are_facts(call, trip):
    assert call("know", "--fact", "Ulm", "lies on", "the Danube", "--until", "1990", "--memory", trip)[0] == 0
    moments = [json.loads(line) for line in call("timeline", "--memory", trip, "--format", "json")[1]]
    assert [len(moment["facts"]) for moment in moments] == [len(moment["texts"]) for moment in moments]
    [fact] = [fact for moment in moments for fact in moment["facts"] if fact["head"] == "Ulm"]
    assert fact == {"head": "Ulm", "relation": "lies on", "tail": "the Danube", "since": None, "until": 631152000.0}


def test_rows_are_chosen_by_their_columns_and_names_end_where_their_description_begins(call):
    rows = {"head": ["a", "b", "c"], "relation": ["is"] * 3, "tail": ["x"] * 3, "part": ["train", "val", "test"]}
    pq.write_table(pa.table(rows | {"fold": [1, 2, 3]}), "rows.parquet")
    Path("described.tsv").write_text("a\tAda, who wrote\nc\tCleo, who painted\n")
    where = ("--where", "part=train", "--where", "part=test")
    names = ("--names", "described.tsv", "--split-at", ", ")
    assert call("know", "rows.parquet", *where, *names, "--memory", "m")[:2] == (0, ["kept 2 facts of 1 source in m"])
    assert [line.split(" (")[0] for line in call("facts", "--memory", "m")[1]] == ["Ada is x", "Cleo is x"]
    assert call("know", "rows.parquet", "--where", "fold=2", "--memory", "m")[:2] == (
        0,
        ["kept 1 fact of 1 source in m"],
    )
    status, _, [error] = call("know", "rows.parquet", "--where", "fould=2", "--memory", "new")
    assert (status, Path("new").exists()) == (1, False)
    assert error.startswith("rows.parquet: ")
    assert "fould" in error
    error = "rows.parquet: no row is chosen by where (part); give values that its rows hold"
    assert call("know", "rows.parquet", "--where", "part=dev", "--memory", "m")[2] == [error]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (("--where", "train"), "'train' does not say what is what; write COLUMN=VALUE"),
        (("--split-at", ","), "--split-at is of --names; give the file of names, too"),
    ],
)
def test_a_choice_that_says_nothing_is_refused(call, given, error):
    status, output, errors = call("know", "facts.csv", *given, "--memory", "m")
    assert (status, output) == (2, [])
    assert error in errors[-1]


def test_facts_are_listed_with_who_says_them_and_when_they_hold(call, trip):
    assert call("facts", "--memory", trip) == (
        0,
        [
            "Bonn is the capital of Germany (atlas, from 1949-01-01 until 1990-10-03)",
            "Berlin is the capital of Germany (atlas, from 1990-10-03)",
            f"Germany is part of q46 ({Path('facts.csv').resolve()})",
        ],
        [],
    )
    assert [line.split()[0] for line in call("facts", "--memory", trip, "--about", "germany", "--at", "1990")[1]] == [
        "Bonn",
        "Germany",
    ]
    [row] = map(json.loads, call("facts", "--memory", trip, "--about", "BONN", "--format", "json")[1])
    assert row | {"id": "", "time": 0} == {
        "head": "q586",
        "relation": "capital_of",
        "tail": "q183",
        "since": -662688000.0,
        "until": 654912000.0,
        "names": ["Bonn", "capital of", "Germany"],
        "text": "Bonn is the capital of Germany",
        "path": "atlas",
        "time": 0,
        "id": "",
    }


def test_a_fact_of_the_command_line_has_a_source_and_times(call):
    told = ("know", *BERLIN, "--from", "1990-10-03", "--until", "2100", "--source", "me", "--memory", "trip")
    assert call(*told) == (0, ["kept 1 fact of 1 source in trip"], [])
    assert call(*told) == (
        0,
        ["kept nothing new in trip"],
        ["me: 1 fact is there already; nothing was added twice"],
    )
    assert call("facts", "--memory", "trip")[1] == [
        "Berlin is the capital of Germany (me, from 1990-10-03 until 2100-01-01)"
    ]
    [said] = map(json.loads, call(*told, "--format", "json")[1])
    assert (said["memory"], said["facts"], said["errors"]) == ("trip", 0, [])
    assert said["skipped"][0]["path"] == "me"


def test_a_fact_answers_by_when_it_held_and_as_an_object_says_how_it_was_reached(call, trip):
    question = ("ask", "What is the capital of Germany?", "--memory", trip)
    assert call(*question, "--at", "1980")[1][0] == "Bonn is the capital of Germany"
    status, [line], _ = call(*question, "--at", "2000", "--format", "json")
    answer = json.loads(line)
    assert (status, answer["answer"]) == (0, "Berlin is the capital of Germany")
    assert answer["sources"][0]["fact"] == ["Berlin", "capital of", "Germany"]
    assert answer["path"] == [["Berlin", "is the capital of", "Germany"]]
    kinds = {link["kind"] for link in answer["links"]}
    assert "relation" in kinds
    assert {"one", "other", "kind", "name", "weight"} == answer["links"][0].keys()


def test_a_fact_is_found_counted_and_forgotten(call, trip):
    [first, *_] = map(json.loads, call("search", "Bonn", "--memory", trip, "--format", "json")[1])
    assert first["fact"]["head"] == "q586"
    assert call("memory", "info", trip)[1][0] == "trip: 3 items of 2 sources, 3 facts among them (text in 2)"
    status, lines, _ = call("forget", "atlas", "--memory", trip)
    assert status == 0
    assert lines[0].startswith("forgot atlas: 2 items")
    assert not [line for line in lines if line.startswith("FAILED")]
    assert len(call("facts", "--memory", trip)[1]) == 1
    left = b"".join(path.read_bytes() for path in Path(trip).rglob("*") if path.is_file())
    assert not [word for word in (b"q586", b"Bonn", b"atlas", b"capital_of") if word in left]
    assert b"part_of" in left


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("know", "gone.tsv"), "gone.tsv: "),
        (("know", "empty.tsv"), "empty.tsv: "),
        (("know", "photo.png"), "photo.png: no triples are read from .png; give .tsv, .txt or .csv, .parquet, or .nt"),
        (("know", *BERLIN, "--names", "gone.tsv"), "gone.tsv: "),
        (("know", "--fact", "Berlin", "in", " "), "fact 1: no tail; give one as a text, or leave the fact out"),
        (
            ("know", *BERLIN, "--from", "1990", "--until", "1949"),
            "fact 1: holds until -662688000.0, not after 631152000",
        ),
    ],
)
def test_what_cannot_be_told_is_one_line(call, arguments, message):
    Path("empty.tsv").touch()
    Path("photo.png").touch()
    status, _, [error] = call(*arguments, "--memory", "trip")
    assert status == 1
    assert error.startswith(message)


def test_without_any_file_that_can_be_read_no_memory_is_made(call):
    assert call("know", "gone.tsv", "--memory", "trip")[:2] == (1, ["kept nothing new in trip"])
    assert not Path("trip").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("know", "--memory", "trip"), "required: FILE or --fact HEAD RELATION TAIL"),
        (("know", "facts.csv", "--from", "1990", "--memory", "trip"), "in a file, columns from and until say it"),
        (("know", *BERLIN, "--from", "nan", "--memory", "trip"), "'nan' is no time; write 1999, 1999-12-31 or"),
        (("know", *BERLIN, "--until", "soon", "--memory", "trip"), "'soon' is no time; write 1999, 1999-12-31 or"),
        (("facts", "--memory", "trip", "--at", ""), "'' is no time; write 1999, 1999-12-31 or"),
    ],
)
def test_a_command_line_that_says_too_little_or_too_much_is_status_2(call, arguments, message):
    status, output, errors = call(*arguments)
    assert (status, output) == (2, [])
    assert message in errors[-1]


@pytest.mark.parametrize("command", [("facts",), ("memory", "info"), ("search", "cat"), ("ask", "Who is there?")])
def test_a_memory_from_before_there_were_facts_is_read_by_any_command(call, trip, command):
    archive = Archive.open(trip)
    shape, fingerprint, items = archive.shape, archive.fingerprint, [stored.item for stored in archive.since()]
    archive.close()
    today = columns(shape, fingerprint, 1)
    old = pa.schema([field for field in today if field not in FACT_FIELDS], metadata=today.metadata)
    rows = to_rows([replace(item, fact=None) for item in items], shape, today).select(old.names).cast(old)
    make_table("old", rows.schema, rows.to_reader())
    status, _, errors = call(*command, "--memory", "old")
    assert (status, errors) == (0, [])
    assert Archive.open("old", read_only=True).facts().num_rows == 0


def test_an_unknown_name_and_a_place_without_a_memory_are_one_line(call, trip):
    assert call("facts", "--memory", trip, "--about", "Bon") == (1, [], ["no entity 'Bon'; did you mean bonn?"])
    status, output, [error] = call("facts", "--memory", "nowhere")
    assert (status, output) == (1, [])
    assert error.startswith("nowhere: no memory there; ")


def test_of_very_many_broken_lines_some_are_told_and_the_rest_are_counted(capsys):
    tell_errors([f"facts.tsv:{line}: broken" for line in range(1, 1204)], most=3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[2:] == ["mm-memgpt: error: facts.tsv:3: broken", "mm-memgpt: 1,200 more were left out likewise"]


def test_times_of_facts_are_dates_of_utc():
    assert validity(Fact("a", "b", "c")) == ""
    assert validity(Fact("a", "b", "c", since=0.5)) == "from 1970-01-01T00:00:00"
    assert validity(Fact("a", "b", "c", -1e300, 86400.0)) == "from -1e+300 s until 1970-01-02"
