"""Made users and the articles they like: what the rows promise, and how ways to rank them are compared."""

from random import Random

import numpy as np
import pytest

HISTORIES = {("storm", "flood"): "rain", ("goal", "match"): "cup", ("vote",): "law"}


def made(count=43):
    from benchmarks.recommendation_rows import Article

    kinds = ("sport", "tech", "politics", "business")
    return [Article(f"{kinds[number % 4]} {number}", kinds[number % 4]) for number in range(count)]


def rows(users=2, wrong=5, seed="a"):
    from benchmarks.recommendation_rows import Size, rows_of

    return list(rows_of(made(), Size(users, wrong), Random(seed)))


def test_all_that_is_liked_is_to_ones_taste_and_nothing_else_is():
    kind = {article.text: article.category for article in made()}
    for row in rows():
        assert {kind[text] for text in row["liked"]} == {*row["tastes"]}
        assert (row["category"] in row["tastes"]) == (row["label"] == 1)
        assert kind[row["article"]] == row["category"]


def test_what_is_liked_next_was_not_liked_before_and_no_item_comes_twice():
    for row in rows():
        assert row["article"] not in row["liked"]
        assert 3 <= len({*row["liked"]}) == len(row["liked"]) <= 8


def test_every_article_is_liked_next_by_as_many_users():
    following = [row["article"] for row in rows(users=2, wrong=5) if row["label"]]
    assert sorted(following) == sorted(2 * [article.text for article in made()])
    assert len(rows(users=2, wrong=5)) == 2 * 43 * (1 + 5)


def test_the_rows_are_the_same_each_time():
    assert rows(seed="a") == rows(seed="a") != rows(seed="b")


@pytest.mark.data
def test_no_article_lies_in_two_parts(data_folder):
    from benchmarks.recommendation_rows import articles

    found = articles(data_folder)
    texts = [article.text for some in found.values() for article in some]
    assert len({*texts}) == len(texts) > 1800
    titles = [{article.text.split(". ")[0] for article in some} for some in found.values()]
    assert len(set.union(*titles)) == sum(map(len, titles))
    assert not any("\n" in text for text in texts)


def asked():
    from benchmarks.recommendation import users

    wrong = ("dog", "cat", "hen")
    table = [
        {"liked": list(liked), "article": text, "label": int(text == following)}
        for liked, following in HISTORIES.items()
        for text in (wrong[0], following, *wrong[1:])
    ]
    return users(table)


def test_rows_of_one_history_are_one_users_candidates():
    assert [(user.following, len(user.candidates)) for user in asked()] == [("rain", 4), ("cup", 4), ("law", 4)]


def test_popular_is_what_many_users_of_training_liked_and_the_unseen_ties_behind():
    from benchmarks.recommendation import by_popularity, ranks

    learned = [
        {"liked": ["rain", "cat"], "article": "law", "label": 1},
        {"liked": ["rain", "cat"], "article": "cup", "label": 0},
        {"liked": ["rain"], "article": "dog", "label": 1},
    ]
    scores = by_popularity(asked(), learned)
    assert scores[0].tolist() == [1, 2, 1, 0]  # dog, rain, cat, hen: a history counts once, however many rows it has
    assert ranks(asked(), scores).tolist() == [1, 4, 3]


def test_candidates_are_scored_as_the_task_scores_pairs(tiny_model_folder):
    from benchmarks.recommendation import COLUMNS, by_model
    from mm_memgpt.backbones.base import Inputs
    from mm_memgpt.backbones.build import build
    from mm_memgpt.tasks.base import Example
    from mm_memgpt.tasks.model import create
    from mm_memgpt.tasks.recommendation import Recommendation
    from mm_memgpt.training.finetune import predict_all

    model = create(build(tiny_model_folder), Recommendation(COLUMNS)).eval()
    pairs = [
        Example(Inputs(text="\n".join(user.liked), text_pair=text)) for user in asked() for text in user.candidates
    ]
    said = [each.value for each in predict_all(model, model.task, pairs)]
    assert np.concatenate(by_model(model, asked())) == pytest.approx(said, abs=1e-4)


def test_users_who_like_the_same_article_next_are_drawn_together():
    from benchmarks.recommendation import over_articles

    alike = 3 * asked()
    values = np.tile([[1.0], [0.0], [0.5]], (3, 1))
    few, thrice = (over_articles(some, values[: len(some)])[0] for some in (asked(), alike))
    assert few == thrice
    assert few.value == 0.5


def test_a_gain_is_that_of_the_same_users():
    from benchmarks.recommendation import UNTRAINED, report

    text, figures = report(asked(), {UNTRAINED: np.array([2, 4, 1]), "trained": np.array([1, 4, 1])})
    assert figures["trained"]["gain"].value == pytest.approx(0.5 / 3)
    assert figures["trained"]["gain"].low == 0
    assert "| trained | 0.750 (" in text
