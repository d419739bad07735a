"""JSON lines, lists of objects and SQuAD's nested questions are rows; each broken one costs itself alone."""

import json
import pickle

import pytest

from mm_memgpt.datasets.table import read_table
from mm_memgpt.types import InputError


def told(table) -> list:
    """Each row, or what is wrong with it."""
    rows = []
    for index in range(len(table)):
        try:
            rows.append(dict(table[index]))
        except InputError as error:
            rows.append(str(error).removeprefix(f"{table.folder}/"))
    assert not any("\n" in row for row in rows if isinstance(row, str))
    return rows


def refusal(path) -> str:
    with pytest.raises(InputError) as caught:
        read_table(path)
    return str(caught.value).removeprefix(f"{path.parent}/")


def test_a_line_is_a_row_and_what_it_lacks_is_none(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('\ufeff{"text": "好", "tags": ["a"]}\r\n\r\n{"text": "b", "id": 7}', encoding="utf-8")
    table = read_table(path)
    assert table.columns == ("text", "tags", "id")
    assert told(table) == [{"text": "好", "tags": ["a"], "id": None}, {"text": "b", "tags": None, "id": 7}]
    assert table.place(1) == f"{path}:3"


def test_a_broken_line_costs_its_own_row(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"id": 1}\n{"id": \n[1]\n{"id": "\xe9"}\n' + b"[" * 100_000 + b'\n{"id": 5}\n')
    rows = told(read_table(path))
    assert (rows[0], rows[5]) == ({"id": 1}, {"id": 5})
    assert rows[1].startswith("a.ndjson:2: not JSON (Expecting value")
    assert rows[2] == "a.ndjson:3: a list, not an object; write one object a line"
    assert rows[3].startswith("a.ndjson:4: not UTF-8 (byte 0xe9)")
    assert rows[4].startswith("a.ndjson:5: not JSON (maximum recursion depth")


def test_lines_of_which_none_is_an_object_are_refused_by_the_first(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("one\ntwo\n")
    assert refusal(path).startswith("a.jsonl:1: not JSON (")
    path.write_text("{}\n{}\n")
    assert refusal(path) == "a.jsonl: its objects are empty; give them columns"


def squad(tmp_path, **question):
    """A set of two articles; in the second, a question as given."""
    first = {"id": "a1", "question": "Wo?", "answers": [{"text": "in 东京", "answer_start": 8}] * 2}
    second = {"id": "a2", "question": "Wann?", "is_impossible": True, "answers": [], "plausible_answers": []}
    third = {"id": "a3", "question": "Wer?", "answers": [{"text": "Ann", "answer_start": 0}], **question}
    articles = [
        {"title": "Stadt", "paragraphs": [{"context": "Er wohnt in 东京.", "qas": [first, second]}]},
        {"title": "Frau", "paragraphs": [{"context": "Ann.", "qas": [third]}]},
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}))
    return path


def test_each_question_of_squad_is_a_row_named_by_its_id(tmp_path):
    path = squad(tmp_path)
    table = read_table(path)
    assert [table.place(index) for index in range(3)] == [f"{path}:a{number}" for number in (1, 2, 3)]
    assert table[0] == {
        "id": "a1",
        "title": "Stadt",
        "context": "Er wohnt in 东京.",
        "question": "Wo?",
        "answers": ["in 东京", "in 东京"],
        "answer_starts": [8, 8],
        "is_impossible": False,
    }
    assert [(row["answers"], row["is_impossible"]) for row in list(table)[1:]] == [([], True), (["Ann"], False)]
    packed = pickle.dumps(table)
    assert len(packed) < 800
    assert told(pickle.loads(packed)) == told(table)


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ({"question": None}, "a.json: article 1: a question without text; write it as question"),
        (
            {"answers": [{"text": "Ann"}]},
            "a.json:a3: an answer is not text and answer_start; give each both, as SQuAD has it",
        ),
    ],
)
def test_a_broken_question_costs_itself_alone(tmp_path, question, line):
    rows = told(read_table(squad(tmp_path, **question)))
    assert [row["id"] for row in rows[:2]] == ["a1", "a2"]
    assert rows[2] == line


def test_parts_of_squad_that_are_missing_are_named(tmp_path):
    path = tmp_path / "a.json"
    good = {"context": "c", "qas": [{"id": "q", "question": "?"}]}
    paragraphs = [good, {"context": "c"}, {"qas": [{"id": "r", "question": "?"}]}]
    path.write_text(json.dumps({"data": [{"title": "t"}, {"paragraphs": paragraphs}]}))
    rows = told(read_table(path))
    assert rows[0] == "a.json: article 0: no list of paragraphs; give it one, as SQuAD has it"
    assert (rows[1]["id"], rows[1]["title"], rows[1]["is_impossible"]) == ("q", None, True)
    assert rows[2].startswith("a.json: article 1: a paragraph without qas")
    assert rows[3] == "a.json:r: its paragraph has no context; write the passage as context"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_of_objects_is_a_table_too(tmp_path, encoding):
    path = tmp_path / "a.json"
    path.write_text('[{"text": "好"}, 5, {"text": "b", "label": 1}]', encoding=encoding)
    table = read_table(path)
    assert told(table) == [
        {"text": "好", "label": None},
        "a.json:1: a int, not an object; write one a row",
        {"text": "b", "label": 1},
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("{", "not JSON (Expecting property name"),
        ("[]", "holds no row; leave it out"),
        ('{"data": []}', "holds no row; leave it out"),
        ('{"text": "a"}', "neither questions nor rows; give a list of objects, or "),
    ],
)
def test_other_documents_are_refused(tmp_path, content, line):
    path = tmp_path / "a.json"
    path.write_text(content)
    assert refusal(path).startswith(f"a.json: {line}")
