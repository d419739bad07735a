"""finetune, predict and evaluate on the command line: what they write, and that one bad row or file costs one line."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from mm_memgpt.backbones.build import build
from mm_memgpt.cli import main
from mm_memgpt.cli_tasks import MEASURED
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.known import TASKS
from mm_memgpt.tasks.model import create
from mm_memgpt.tasks.pair import Pair

COMMAND = [sys.executable, "-m", "mm_memgpt"]
ROWS = [
    ["r1", "A brown dog runs .", "dog"],
    ["r2", "Two children play .", "people"],
    ["r3", "A man climbs a rock .", "people"],
    ["r4", "The dog runs through the grass .", "dog"],
]


@pytest.fixture(scope="module")
def model(tiny_model_folder, tmp_path_factory) -> str:
    """The folder of a classifier that has learned nothing yet."""
    torch.manual_seed(3)
    task = Classification({"text": "review", "label": "about", "id": "name"}, ("dog", "people"))
    folder = tmp_path_factory.mktemp("task") / "model"
    create(build(tiny_model_folder, longest=48), task).save(folder)
    return str(folder)


@pytest.fixture
def pair_model(tiny_model_folder, tmp_path) -> str:
    task = Pair({"text": "question", "text_pair": "passage", "label": "right"}, ("no", "yes"))
    create(build(tiny_model_folder), task).save(tmp_path / "pair")
    return str(tmp_path / "pair")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(capsys):
    """`command("predict", ...)`: its exit status, what it wrote, and its lines on standard error."""

    def called(*arguments: str) -> tuple[int, str, list[str]]:
        status = main(list(arguments))
        output, errors = capsys.readouterr()
        return status, output, [line.removeprefix("mm-memgpt: error: ") for line in errors.splitlines()]

    return called


@pytest.fixture
def recipe(tiny_model_folder):
    """`recipe(label="star", ...)`: a recipe file over rows.csv of a run of a few steps."""

    def write(**keys: object) -> str:
        given = {"task": "classification", "backbone": str(tiny_model_folder), "train": "rows.csv", "text": "review"}
        given |= {"label": "about", "output": "run", "batch": 2, "epochs": 1, "checkpoints": 1}
        Path("recipe.yaml").write_text(yaml.safe_dump(given | keys))
        return "recipe.yaml"

    return write


def table(rows: list[list[str]] = ROWS, header: tuple[str, ...] = ("name", "review", "about")) -> str:
    with open("rows.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return "rows.csv"


def objects(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


# What is learned, said and measured


def test_a_recipe_becomes_a_model_that_predicts_and_is_measured(recipe, command):
    table(5 * [[name, review, {"dog": "0", "people": "1"}[about]] for name, review, about in ROWS])
    keys = {"rate": 1e-3, "epochs": 15, "batch": 4, "label_names": {0: "dog", 1: "people"}}
    status, output, errors = command("finetune", recipe(**keys))
    assert (status, "eval_accuracy=1 " in output) == (0, True)
    assert errors[-1].endswith("try mm-memgpt predict INPUT --model run")
    assert command("predict", "--text", "A brown dog runs .", "--model", "run")[1] == "--text: dog\n"
    status, output, _ = command(
        "evaluate", "classification", "--data", "rows.csv", "--model", "run", "--format", "json"
    )
    figures = json.loads(output)
    assert (status, figures["accuracy"]["value"], figures["rows"], figures["skipped"]) == (0, 1.0, 20, 0)
    assert (figures["labels"], figures["confusion_matrix"]) == (["dog", "people"], [[10, 0], [0, 10]])
    assert figures["per_class"]["dog"]["support"] == 10
    assert {"f1_macro", "precision_macro", "recall_macro", "seconds"} <= figures.keys()


def test_rows_are_named_by_their_id_or_their_place(model, command):
    status, output, errors = command("predict", table(), "--model", model)
    assert (status, errors) == (0, [])
    assert [line.partition(": ")[0] for line in output.splitlines()] == ["r1", "r2", "r3", "r4"]
    Path("lines.txt").write_text("A dog .\n\nA man .\n")
    _, output, _ = command("predict", "lines.txt", "--model", model)
    assert [line.partition(": ")[0] for line in output.splitlines()] == ["lines.txt:1", "lines.txt:3"]


def test_json_and_csv_say_the_same(model, command):
    said = objects(command("predict", table(), "--model", model, "--format", "json", "--batch", "3")[1])
    assert [row["place"] for row in said] == [f"rows.csv:{line}" for line in (2, 3, 4, 5)]
    assert [row["id"] for row in said] == ["r1", "r2", "r3", "r4"]
    assert all(row["probabilities"][row["prediction"]] == row["confidence"] for row in said)
    written = csv.DictReader(io.StringIO(command("predict", "rows.csv", "--model", model, "--format", "csv")[1]))
    assert [(row["id"], row["prediction"]) for row in written] == [(row["id"], row["prediction"]) for row in said]


def test_a_table_needs_no_labels_to_be_predicted(model, command):
    expected = command("predict", table(), "--model", model)[1]
    assert command("predict", table([[*row[:2], ""] for row in ROWS]), "--model", model) == (0, expected, [])
    assert command("predict", table([row[:2] for row in ROWS], ("name", "review")), "--model", model)[1] == expected


def test_a_pair_is_given_directly(pair_model, command):
    texts = ("--text", "Who runs ?", "--text-pair", "A dog runs .")
    status, output, _ = command("predict", *texts, "--model", pair_model, "--format", "json")
    assert (status, set(objects(output)[0]["probabilities"])) == (0, {"no", "yes"})
    _, _, [error] = command("predict", "--text", "Who runs ?", "--model", pair_model)
    assert error == '--text: text_pair is not given; give {"text": ..., "text_pair": ...}'
    Path("lines.txt").write_text("Who runs ?\n")
    status, _, [error] = command("predict", "lines.txt", "--model", pair_model)
    assert status == 1
    assert error.startswith("lines.txt: this model reads text and text_pair; give a table with the columns question")


def test_predictions_and_plots_are_kept(model, command):
    kept = ("--predictions", "kept.jsonl", "--plots", "plots")
    assert command("evaluate", "classification", "--data", table(), "--model", model, *kept)[0] == 0
    assert [row["target"] for row in objects(Path("kept.jsonl").read_text())] == [row[2] for row in ROWS]
    assert {path.name for path in Path("plots").iterdir()} == {"confusion_matrix.png", "per_class.png", "per_class.csv"}


def test_every_task_can_be_measured():
    elsewhere = {"retrieval", "code", "generation"}  # they have commands of their own
    assert set(TASKS) <= {*MEASURED, *elsewhere}


# What is wrong costs one line


def test_a_column_that_is_not_there(model, recipe, command):
    table(header=("name", "text", "about"))
    for called in (["finetune", recipe()], ["predict", "rows.csv", "--model", model]):
        status, output, [error] = command(*called)
        assert (status, output) == (1, "")
        assert error == "rows.csv: no column 'review' for text; it has name, text, about"
    status, _, [error] = command("evaluate", "classification", "--data", "rows.csv", "--model", model)
    assert (status, error) == (1, "rows.csv: no column 'review' for text; it has name, text, about")


def test_labels_unseen_in_training_count_as_wrong(model, command):
    data = table([*ROWS, ["r5", "A cat .", "cat"], ["r6", "A cat sleeps .", "cat"]])
    status, output, errors = command("evaluate", "classification", "--data", data, "--model", model, "--format", "json")
    figures = json.loads(output)
    assert status == 1
    assert errors == ["2 of 6 rows have a label that training had not (cat); they count as wrong"]
    assert (figures["labels"], figures["rows"]) == (["dog", "people", "cat"], 6)
    assert (figures["per_class"]["cat"]["support"], figures["per_class"]["cat"]["recall"]) == (2, 0)


def test_labels_unseen_in_training_are_refused_for_validation(recipe, command):
    table([["r1", "A cat .", "cat"]])
    os.rename("rows.csv", "val.csv")
    table()
    status, _, [error] = command("finetune", recipe(val="val.csv"))
    assert status == 1
    assert error == "val.csv:2: label 'cat' was not in the training rows; they had dog, people"


def test_one_class_only_cannot_be_learned(recipe, command):
    table([ROWS[0], ROWS[3]])
    status, _, [error] = command("finetune", recipe())
    assert status == 1
    assert error == "rows.csv: one class only, 'dog' in column 'about'; give rows of at least two"


def test_a_bad_row_costs_its_own_line_alone(model, command):
    data = table([ROWS[0], ["r7", " ", "dog"], ["r8", "cut off"], ROWS[2]])
    status, output, errors = command("predict", data, "--model", model, "--format", "json")
    assert status == 1
    assert [line.partition(": ")[0] for line in errors] == ["rows.csv:3", "rows.csv:4"]
    assert "empty text in review" in errors[0]
    assert ["error" in row for row in objects(output)] == [False, True, True, False]
    status, output, errors = command("evaluate", "classification", "--data", data, "--model", model, "--format", "json")
    assert (status, json.loads(output)["rows"], json.loads(output)["skipped"]) == (1, 2, 2)
    assert errors[-1] == "skipped 2 of 4 rows; the figures are of the others"


def test_mixed_encodings_cost_the_rows_that_are_not_utf_8(model, command, monkeypatch):
    lines = ["Ein Hund läuft .".encode(), "Ein Hund läuft .".encode("latin-1"), b"A dog ."]
    Path("lines.txt").write_bytes(b"\n".join(lines))
    status, output, [error] = command("predict", "lines.txt", "--model", model, "--format", "json")
    assert (status, ["error" in row for row in objects(output)]) == (1, [False, True, False])
    assert error.startswith("lines.txt:2: ")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n".join(lines))))
    status, output, [error] = command("predict", "-", "--model", model, "--format", "json")
    assert (status, ["error" in row for row in objects(output)]) == (1, [False, True, False])
    assert error.startswith("-:2: half a character")


def test_half_a_character_and_odd_text_are_written_as_json(model, command):
    rows = [{"name": "\ud83d", "review": "A dog \ud83d ."}, {"name": "\ud83d\x1b[2J", "review": "A\x00 dog \x1b[2J ."}]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    status, output, [error] = command("predict", "rows.jsonl", "--model", model, "--format", "json")
    assert (status, error.startswith("rows.jsonl:1: half a character (\\ud83d) in review")) == (1, True)
    assert objects(output)[1]["id"] == "\ud83d\x1b[2J"
    assert "\x1b" not in command("predict", "rows.jsonl", "--model", model)[1]


def test_a_text_over_the_limit_is_cut_and_says_so(model, recipe, command):
    data = table([[name, 9 * review, about] for name, review, about in ROWS[:2]] + ROWS[2:])
    said = "longer than the 48 tokens that are read, and cut; to read all, train with a larger longest or with over: "
    status, output, [line] = command("predict", data, "--model", model, "--format", "json")
    assert (status, line) == (0, f"2 rows are {said}windows")
    assert ["left_out" in row for row in objects(output)] == [True, True, False, False]
    assert command("evaluate", "classification", "--data", data, "--model", model)[2] == [f"2 rows are {said}windows"]
    begin = "rows.csv: of 3 rows looked at, "
    assert any(line.startswith(begin) for line in command("finetune", recipe(longest=48))[2])
    shutil.rmtree("run")
    assert not any(line.startswith(begin) for line in command("finetune", recipe(longest=48, over="windows"))[2])


def test_duplicate_ids_are_named(model, recipe, command):
    data = table([*ROWS, ["r2", "A dog .", "dog"]])
    due = "rows.csv:6: name 'r2' is also at rows.csv:3; give each row its own, or leave one out"
    assert command("finetune", recipe(id="name"))[::2] == (1, [due])
    status, output, errors = command("predict", data, "--model", model)
    assert (status, len(output.splitlines()), errors) == (1, 5, [due])


def test_a_backbone_that_is_none(recipe, command):
    table()
    for backbone in ("./nowhere", "recipe.yaml", "."):
        status, _, [error] = command("finetune", recipe(backbone=backbone))
        assert (status, error.startswith(f"{backbone}: ")) == (1, True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "task.json").unlink(), "give a folder that finetune wrote"),
        (lambda folder: (folder / "task.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: cannot be read"),
        (lambda folder: (folder / "backbone" / "model.safetensors").unlink(), "backbone"),
        (
            lambda folder: (folder / "task.json").write_text((folder / "task.json").read_text().replace("1", "9", 1)),
            "version 9 where 1 is due",
        ),
    ],
)
def test_a_model_folder_that_is_not_whole(spoil, message, model, command):
    folder = Path(shutil.copytree(model, "spoilt"))
    spoil(folder)
    Path("kept.txt").write_text("as it was")
    status, output, [error] = command("predict", table(), "--model", "spoilt", "--output", "kept.txt")
    assert (status, output, Path("kept.txt").read_text()) == (1, "", "as it was")
    assert error.startswith("spoilt")
    assert message in error


def test_a_task_that_is_not_the_models(model, command):
    status, _, [error] = command("evaluate", "pair", "--data", table(), "--model", model)
    assert (status, error) == (1, f"{model}: a model of classification; say mm-memgpt evaluate classification")
    status, _, [error] = command("evaluate", "retrieval", "--data", table(), "--model", model)
    assert (status, error) == (1, f"{model}: a model of classification; say mm-memgpt evaluate classification")


def test_a_table_that_is_not_there_costs_its_own_line(model, command):
    status, output, [error] = command("predict", "none.csv", table(), "--model", model)
    assert (status, len(output.splitlines()), error.startswith("none.csv: ")) == (1, 4, True)


def test_an_input_is_not_written_over(model, command):
    data = table()
    before = Path(data).read_bytes()
    status, _, [error] = command("predict", data, "--model", model, "--output", "./rows.csv")
    assert (status, error) == (1, "rows.csv: is read, so --output may not be it; give another file")
    assert Path(data).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "give INPUT or --text"), (["a.csv", "--text", "b"], "not both"), (["--text", "b", "--format", "xml"], "xml")],
)
def test_a_usage_error_is_status_2(arguments, message, command):
    status, output, errors = command("predict", *arguments, "--model", "m")
    assert (status, output, message in errors[-1]) == (2, "", True)


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(model):
    process = subprocess.Popen(
        [*COMMAND, "predict", table(), "--model", model, "--batch", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 128 + signal.SIGPIPE


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_done(model):
    process = subprocess.Popen(
        [*COMMAND, "predict", "-", "--batch", "1", "--model", model],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job is born ignoring it
    )
    process.stdin.write(b"A dog .\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"-:1: ")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert (process.returncode, output, errors) == (128 + signal.SIGINT, b"", b"")
