"""Rows that belong together are learned from or validated on, never both."""

from mm_memgpt.training.rows import split

QUESTIONS = [f"question {row % 7}" for row in range(40)]


def test_no_question_is_on_both_sides():
    train, val = split(len(QUESTIONS), 0.3, seed=5, groups=QUESTIONS)
    assert sorted(train + val) == list(range(40))
    assert not {QUESTIONS[row] for row in train} & {QUESTIONS[row] for row in val}


def test_the_share_is_one_of_groups():
    _, val = split(len(QUESTIONS), 0.3, seed=5, groups=QUESTIONS)
    assert len({QUESTIONS[row] for row in val}) == 2


def test_without_groups_each_row_is_its_own():
    assert split(9, 0.3, seed=5) == split(9, 0.3, seed=5, groups=list(range(9)))
