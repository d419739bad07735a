"""Answers are compared as the script of SQuAD 2.0 does, and Chinese ones as MLQA's."""

import collections
import re
import string
import unicodedata

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_memgpt.evaluation.answers import answer_scores, exact_match, normalise_answer, token_f1

WORD = st.sampled_from(["a", "The", "an", "cat", "Cat's", "sat", "$5", "theatre", "--", "on", ""])
ANSWER = st.lists(WORD, max_size=5).map(" ".join)


def by_script(predicted: str, gold: list[str]) -> tuple[float, float]:
    """Exact match and F1 as in evaluate-v2.0.py."""

    def normalised(text):
        text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())

    def f1(answer):
        gold_tokens, tokens = normalised(answer).split(), normalised(predicted).split()
        same = sum((collections.Counter(gold_tokens) & collections.Counter(tokens)).values())
        if len(gold_tokens) == 0 or len(tokens) == 0:
            return int(gold_tokens == tokens)
        if same == 0:
            return 0
        precision, recall = same / len(tokens), same / len(gold_tokens)
        return 2 * precision * recall / (precision + recall)

    answers = [answer for answer in gold if normalised(answer)] or [""]
    return max(int(normalised(answer) == normalised(predicted)) for answer in answers), max(map(f1, answers))


@given(ANSWER, st.lists(ANSWER, max_size=3))
def test_english_is_compared_as_the_script_of_squad_does(predicted, gold):
    assert (exact_match(predicted, gold), token_f1(predicted, gold)) == pytest.approx(by_script(predicted, gold))


def by_mlqa(predicted: str, gold: str) -> tuple[float, float]:
    """Exact match and F1 of Chinese as in mlqa_evaluation_v1.py: mixed segmentation, no articles."""

    def tokens(text):
        text = "".join(letter for letter in text.lower() if not unicodedata.category(letter).startswith("P"))
        found, run = [], ""
        for letter in text:
            if re.search("[\u4e00-\u9fa5]", letter):
                found, run = [*found, *run.split(), letter], ""
            else:
                run += letter
        return [*found, *run.split()]

    given, due = tokens(predicted), tokens(gold)
    same = sum((collections.Counter(given) & collections.Counter(due)).values())
    f1 = 2 * same / (len(given) + len(due)) if same else float(given == due)
    return float(" ".join(given) == " ".join(due)), f1


@given(*[st.text("北京市。、 19x", min_size=1).filter(lambda text: re.search(r"\w", text))] * 2)
def test_chinese_is_compared_as_the_script_of_mlqa_does(predicted, gold):
    assert (exact_match(predicted, [gold]), token_f1(predicted, [gold])) == pytest.approx(by_mlqa(predicted, gold))


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("The  Quick, brown fox!", "quick brown fox"),
        ("“Año” \u2013 ¿qué?", "año qué"),
        ("在1998年\uff0c北京。", "在 1998 年 北 京"),
        ("東京タワー (Tokyo Tower)", "東 京 タ ワ ー tokyo tower"),
        ("ภาษา", "ภ า ษ า"),
        ("서울 특별시", "서울 특별시"),
        ("القاهرة، مصر", "القاهرة مصر"),
        ("an answer: theatre", "answer theatre"),
        ("?!", ""),
    ],
)
def test_an_answer_is_cut_as_its_script_is_written(answer, normal):
    assert normalise_answer(answer) == normal


def test_characters_are_the_tokens_where_words_have_no_space_between():
    assert token_f1("北京市", ["北京"]) == pytest.approx(2 * 2 / 5)
    assert exact_match("北京。", ["上海", "北京"]) == 1


def test_no_answer_is_right_only_where_there_is_none():
    assert exact_match("", []) == token_f1("", []) == 1
    assert exact_match("", ["cat"]) == token_f1("", ["cat"]) == 0
    assert exact_match("cat", []) == token_f1("cat", []) == 0


def test_the_best_gold_answer_counts():
    assert token_f1("the black cat", ["dog", "cat", "black dog"]) == pytest.approx(2 / 3)


def test_figures_of_both_kinds_of_question_come_only_where_such_are():
    scores = answer_scores(["cat", "a dog", "", "", "x"], [["the cat"], ["dog sat"], ["cat"], [], []])
    assert {name: score.value for name, score in scores.items()} == pytest.approx(
        {"exact_match": 2 / 5, "f1": (1 + 2 / 3 + 1) / 5, "has_answer_f1": (1 + 2 / 3) / 3, "no_answer_accuracy": 1 / 2}
    )
    assert all(score.low <= score.value <= score.high for score in scores.values())
    assert answer_scores(["cat"], [["cat"]], resamples=2).keys() == {"exact_match", "f1", "has_answer_f1"}
    assert answer_scores([""], [[]], resamples=2).keys() == {"exact_match", "f1", "no_answer_accuracy"}


@given(st.lists(st.tuples(ANSWER, st.lists(ANSWER, max_size=2)), min_size=1, max_size=9))
def test_figures_are_bounded_whatever_the_order_and_perfect_answers_get_1(rows):
    first, second = (answer_scores(*zip(*each, strict=True), resamples=5) for each in (rows, rows[::-1]))
    for name, score in first.items():
        assert all(-1e-12 <= bound <= 1 + 1e-12 for bound in score)
        assert second[name].value == pytest.approx(score.value)
    gold = [answers for _, answers in rows]
    perfect = answer_scores([next(filter(normalise_answer, answers), "") for answers in gold], gold, resamples=5)
    assert {score.value for score in perfect.values()} == {1.0}


def test_as_many_answers_as_questions_are_wanted():
    with pytest.raises(ValueError, match="1 answers to 2 questions: give one each, at least one"):
        answer_scores(["cat"], [["cat"], []])
    with pytest.raises(ValueError, match="0 answers to 0 questions"):
        answer_scores([], [])


@pytest.mark.data
def test_every_gold_answer_of_eight_languages_has_a_token_and_agrees_with_itself(data_folder):
    gold = pq.read_table(data_folder / "text" / "xquad" / "all.parquet")["answers"].to_pylist()
    scores = answer_scores([answers[0] for answers in gold], gold, resamples=2)
    assert {name: score.value for name, score in scores.items()} == dict.fromkeys(
        ["exact_match", "f1", "has_answer_f1"], 1.0
    )
