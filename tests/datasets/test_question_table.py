"""The table of shares counts right, and the printed scenes are readable; on the project's data no answer is common."""

from functools import cache
from pathlib import Path

import pytest

from mm_memgpt.datasets.pools import read_pools
from mm_memgpt.datasets.question_table import Share, main, make_questions, shares, table
from mm_memgpt.datasets.questions import KINDS, Question


def question(kind: str, text: str, answer: str) -> Question:
    return Question(text, answer, kind, ())


def test_shares_count_the_most_common_answer_and_what_the_wording_gives_away():
    earlier = (
        [question("photo", "a?", "dog")] * 3 + [question("photo", "b?", "cat")] * 2 + [question("ever", "c?", "no")]
    )
    asked = [
        *[question("photo", "a?", "dog")] * 2,
        question("photo", "b?", "cat"),  # asked too seldom before, so the kind's answer is guessed
        question("ever", "c?", "yes"),
        question("note", "d?", "one"),
    ]
    assert shares(asked, earlier) == [
        Share("all", 5, 4, "dog", 2 / 5, 2 / 5),
        Share("photo", 3, 2, "dog", 2 / 3, 2 / 3),
        Share("ever", 1, 1, "yes", 1.0, 0.0),
        Share("note", 1, 1, "one", 1.0, 0.0),
    ]


def test_the_table_has_a_line_for_each_kind():
    lines = table([Share("all", 5, 4, "dog", 0.4, 0.25)]).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|") == 7
    assert lines[2] == "| all | 5 | 4 | dog | 0.400 | 0.250 |"


def test_as_many_questions_are_made_as_asked_for(pools):
    made = list(make_questions(pools, 40, "seed", held_out=True))
    assert len(made) == 40
    assert all(each.held_out for each in made)
    assert list(make_questions(pools, 5, "seed", held_out=True)) == made[:5]
    assert list(make_questions(pools, 5, "other", held_out=True)) != made[:5]


@cache
def questions_of(folder: Path, part: str, held_out: bool, seed: str = "shares") -> list[Question]:
    return list(make_questions(read_pools(folder, part), 3000, seed, held_out))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(("part", "held_out"), [("train", False), ("test", False), ("test", True)])
def test_on_the_projects_data_no_answer_is_right_more_than_a_third_of_the_time(part, held_out, data_folder):
    earlier = questions_of(data_folder, "train", False, "earlier")
    every, *kinds = shares(questions_of(data_folder, part, held_out), earlier)
    assert every.majority < 0.1
    assert every.wording < 0.35
    assert {line.kind for line in kinds} == KINDS.keys() - ({"ever", "count"} if held_out else set())
    assert {line.kind: line.majority for line in kinds if line.majority > (0.54 if line.kind == "ever" else 0.35)} == {}


@pytest.mark.data
def test_scenes_are_printed_with_their_questions(data_folder, capsys):
    main([str(data_folder), "--part", "val", "--scenes", "2", "--questions", "200"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("scene")] == ["scene 0", "scene 1"]
    assert any(line.strip().startswith("photo  ") or " s  photo  " in line for line in lines)
    assert any(line.startswith("    count: How many ") for line in lines)
    assert lines[-1].startswith("| ")
