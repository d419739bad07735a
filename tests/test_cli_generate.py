"""`generate`, `evaluate code` and `evaluate generation` as a user calls them: what is written stays, and what is
refused is one line with the way out."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from mm_memgpt.cli import main

HUMANEVAL = {
    "prompt": "def one():\n",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
    "entry_point": "one",
}


@pytest.fixture
def say(tiny_model_folder, tmp_path, monkeypatch, capsys):
    """`say("generate", ...)` with the tiny model: the exit status, and the lines on standard output and error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        status = main([*arguments, "--model", str(tiny_model_folder), "--device", "cpu"])
        output, errors = capsys.readouterr()
        return status, output.splitlines(), errors.splitlines()

    return command


def test_a_text_goes_on(say):
    status, lines, errors = say("generate", "A brown dog", "--longest", "5")
    assert (status, len(lines), errors) == (0, 1, [])


def test_streamed_it_is_the_same_text(say):
    whole = say("generate", "A brown dog", "--longest", "9")
    assert say("generate", "A brown dog", "--longest", "9", "--stream") == whole


def test_many_prompts_are_answered_each_and_a_bad_one_costs_itself(say, tmp_path):
    rows = [{"prompt": "A dog"}, {"prompt": ""}, {"prompt": "A man"}]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    status, lines, errors = say("generate", "--prompt-file", "prompts.jsonl", "--longest", "4", "--format", "json")
    assert status == 1
    assert [json.loads(line)["place"] for line in lines] == ["prompts.jsonl:1", "prompts.jsonl:3"]
    assert errors == ["mm-memgpt: error: prompts.jsonl:2: empty text in prompt; write one, or leave the row out"]


def test_a_text_file_is_a_prompt_a_line(say, tmp_path):
    (tmp_path / "prompts.txt").write_text("A dog\nA man\n")
    _, lines, _ = say("generate", "--prompt-file", "prompts.txt", "--longest", "4")
    assert [line.split(": ")[0] for line in lines] == ["prompts.txt:1", "prompts.txt:2"]


def test_standard_input_is_one_prompt(say, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"A dog\nruns")))
    status, lines, _ = say("generate", "-", "--longest", "4", "--format", "json")
    assert (status, json.loads(lines[0])["prompt"]) == (0, "A dog\nruns")


def test_a_prompt_that_is_too_long_is_refused_with_both_numbers_or_read_through_the_memory(say):
    long = "A brown dog runs through the grass. " * 200
    status, lines, [error] = say("generate", long, "--longest", "4")
    assert (status, lines) == (1, [])
    assert "prompt 1: prompt of " in error
    assert error.endswith("shorten it, or say --long: all but its end is then read through the memory")
    assert say("generate", long, "--longest", "4", "--long")[0] == 0


def test_what_is_remembered_changes_what_is_written(say, tmp_path):
    (tmp_path / "notes.txt").write_text("Two children play in the water. A man climbs a rock.\n")
    assert say("generate", "A dog", "--longest", "4", "--memory", "notes.txt")[0] == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\0\1\2 a\n", "holds binary data"), (b"\n", "holds no"), (b"\xff\xfe\xfd a", "not text in UTF-")],
)
def test_a_memory_that_is_no_text_is_refused(say, tmp_path, content, says):
    (tmp_path / "notes.txt").write_bytes(content)
    status, lines, [error] = say("generate", "A dog", "--memory", "notes.txt")
    assert (status, lines) == (1, [])
    assert error.startswith("mm-memgpt: error: notes.txt: ")
    assert says in error


def test_choices_that_contradict_each_other_are_one_line(say):
    status, _, [error] = say("generate", "A dog", "--shortest", "9", "--longest", "4")
    assert (status, error) == (1, "mm-memgpt: error: shortest 9 is above longest 4; raise longest")


def test_with_a_seed_the_same_text_comes_again(say):
    drawn = [say("generate", "A dog", "--seed", "7", "--temperature", "2", "--longest", "9")[1] for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_ctrl_c_ends_the_text_and_what_is_written_stays(tiny_model_folder, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "long")
    config = json.loads((folder / "config.json").read_text())
    config["decoder"]["model"]["max_position_embeddings"] = 2048
    (folder / "config.json").write_text(json.dumps(config))
    command = ["generate", "A dog", "--stream", "--longest", "2000", "--shortest", "2000", "--sample", "--seed", "1"]
    started = subprocess.Popen(
        [sys.executable, "-m", "mm_memgpt", *command, "--model", str(folder), "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    first = started.stdout.read(1)
    os.kill(started.pid, signal.SIGINT)
    rest, errors = started.communicate(timeout=120)
    assert (started.returncode, errors) == (130, b"mm-memgpt: stopped; what was written stays\n")
    assert first.strip()
    assert rest.endswith(b"\n")


def test_code_is_not_run_unless_it_is_asked_for(say, tmp_path):
    (tmp_path / "problems.jsonl").write_text(json.dumps(HUMANEVAL))
    status, lines, [error] = say("evaluate", "code", "--data", "problems.jsonl")
    assert (status, lines) == (1, [])
    assert error.startswith("mm-memgpt: error: problems.jsonl: its tests run the programs that the model writes; to ")
    assert "--run-code" in error


def test_code_is_written_run_and_kept(say, tmp_path):
    (tmp_path / "problems.jsonl").write_text(json.dumps(HUMANEVAL))
    told = ("--longest", "5", "--format", "json", "--predictions", "kept.jsonl")
    status, [line], _ = say("evaluate", "code", "--data", "problems.jsonl", "--run-code", *told)
    assert (status, json.loads(line)["pass@1"]["value"]) == (0, 0.0)
    kept = json.loads((tmp_path / "kept.jsonl").read_text())
    assert (kept["place"], kept["target"], kept["ran"][0]["passed"]) == ("problems.jsonl:1", "    return 1\n", False)


def test_several_answers_are_drawn_a_problem(say, tmp_path):
    (tmp_path / "lines.jsonl").write_text(json.dumps({"intent": "sort a list", "snippet": "a.sort()"}))
    told = ("--samples", "2", "--longest", "5", "--predictions", "kept.jsonl")
    assert say("evaluate", "code", "--data", "lines.jsonl", *told)[0] == 0
    assert len(json.loads((tmp_path / "kept.jsonl").read_text())["answers"]) == 2


def test_a_text_is_foreseen_by_token_word_and_byte(say, tmp_path):
    (tmp_path / "story.txt").write_text("A brown dog runs through the grass. Two children play.\n" * 3)
    status, [line], _ = say("evaluate", "generation", "--data", "story.txt", "--format", "json")
    found = json.loads(line)
    assert status == 0
    assert found["bytes"] == (tmp_path / "story.txt").stat().st_size
    assert {"perplexity", "word_perplexity", "bits_per_byte"} <= found.keys()


def test_a_table_without_the_column_is_refused(say, tmp_path):
    (tmp_path / "texts.csv").write_text("story\nA dog runs.\n")
    status, _, [error] = say("evaluate", "generation", "--data", "texts.csv")
    assert (status, error) == (1, "mm-memgpt: error: texts.csv: no column 'text' for text; it has story")
