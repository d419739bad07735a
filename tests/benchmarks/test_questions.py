"""A model is asked, with its memory and without; what was asked is not asked again."""

import json

import pytest


@pytest.fixture
def given(tmp_path, data_folder):
    where = ["--data", str(data_folder), "--output", str(tmp_path / "out"), "--maps", str(tmp_path / "maps")]
    return lambda *arguments: [*arguments, *where]


def test_right_answers_are_counted_by_kind():
    from benchmarks.questions import by_kind

    found = by_kind([("first", True), ("first", False), ("ever", True), ("first", False), ("ever", True)])
    expected = {"all": 0.6, "alike": 2 / 3, "first": 1 / 3, "ever": 1.0}
    assert {kind: row[0] for kind, row in found.items()} == pytest.approx(expected)
    assert found["ever"][1:] == [1.0, 1.0, 2]
    assert found["all"][1] < 0.6 < found["all"][2]


def test_models_are_compared_question_by_question():
    from benchmarks.questions import lead, leads

    ours = {"answers": [["first", True], ["first", True], ["first", False], ["ever", True]] * 25}
    theirs = {"answers": [["first", True], ["first", False], ["first", False], ["ever", True]] * 25}
    ahead = lead(ours, theirs)
    assert [ahead["all"][0], ahead["alike"][0], ahead["ever"]] == [0.25, 1 / 6, [0, 0, 0]]
    assert 0.1 < ahead["all"][1] < 0.25 < ahead["all"][2] < 0.4
    lines = leads(["all", "none"], [{"seen": ours, "held out": ours}, {"seen": theirs, "held out": theirs}])
    assert "| none | first | 0.333 (" in lines


def test_the_table_has_a_line_a_kind_and_what_is_known_without_looking():
    from benchmarks.questions import table

    one = {"whole": {"all": [0.5, 0.4, 0.6, 8], "ever": [0.5, 0.4, 0.6, 8]}, "emptied": {"all": [0.25], "ever": [0.25]}}
    one |= {"blind": {"all": [0.3, 0.35], "ever": [0.3, 0.35]}}
    lines = table("ours", {"seen": one, "held out": one}).splitlines()
    assert lines[0] == "## ours"
    half = "0.500 (0.400 to 0.600) of 8 | 0.250 | 0.300 | 0.350"
    assert f"| ever | {half} | {half} |" in lines
    assert len({line.count("|") for line in lines[2:]}) == 1


def test_a_model_that_is_not_there_is_one_line(tmp_path, capsys):
    from benchmarks.questions import main

    where = ["--data", str(tmp_path), "--output", str(tmp_path / "out")]
    assert main(["runs/no such model", *where]) == 1
    assert "error: runs/no such model: no such model" in capsys.readouterr().err


@pytest.mark.data
@pytest.mark.slow
def test_questions_about_real_scenes_are_asked_once(given, tiny_model_folder, tmp_path, capsys):
    from benchmarks.questions import main

    assert main(given(str(tiny_model_folder), "--limit", "12")) == 0
    printed = capsys.readouterr().out
    [file] = (tmp_path / "out").iterdir()
    found = json.loads(file.read_text())
    assert found["seen"]["whole"]["all"][3] == found["held out"]["emptied"]["all"][3] == 12
    assert {"photo", "seen", "first", "note"} & found["held out"]["whole"].keys()
    written = file.stat().st_mtime_ns
    assert main(given(str(tiny_model_folder), "--limit", "12")) == 0
    assert (file.stat().st_mtime_ns, capsys.readouterr().out) == (written, printed)
