import pytest

from mm_memgpt.datasets.table_given import GivenTable
from mm_memgpt.tasks.base import Example, Prediction
from mm_memgpt.tasks.translation import Translation
from mm_memgpt.types import InputError

ROWS = [{"en": "A dog .", "de": "Ein Hund .", "fr": "Un chien ."}, {"en": "A rock .", "de": "Ein Fels .", "fr": None}]


@pytest.fixture
def table():
    return GivenTable(ROWS, ("en", "de", "fr"), ("t:0", "t:1"))


def test_a_row_in_several_languages_is_a_row_a_pair_with_the_target_s_tag_ahead(table):
    task = Translation.learn({}, table, {"pairs": ["en-de", "en-fr", "de-en"]})
    view = task.view(table)
    examples = [task.example(view, row) for row in range(3)]
    assert [example.further.text for example in examples] == ["<2de> A dog .", "<2fr> A dog .", "<2en> Ein Hund ."]
    assert [example.target for example in examples] == ["Ein Hund .", "Un chien .", "A dog ."]
    assert len(view) == 6
    assert task.tags == ("<2de>", "<2fr>", "<2en>")


def test_a_missing_translation_costs_its_own_pair_alone(table):
    task = Translation.learn({}, table, {"pairs": ["en-de", "en-fr"]})
    view = task.view(table)
    assert task.example(view, 2).target == "Ein Fels ."
    assert task.example(view, 3).target is None


def test_saved_it_reads_texts_and_languages_as_it_did(table):
    task = Translation.learn({}, table, {"pairs": ["en-de", "en-fr"]})
    again = Translation(**task.saved())
    given = GivenTable([{"text": "A rock .", "language": "fr"}], ("text", "language"), ["input"])
    assert again.example(again.view(given), 0).further.text == "<2fr> A rock ."
    assert again.tags == task.tags


def test_a_column_may_say_the_language_of_each_row():
    rows = [{"a": "A dog .", "b": "Ein Hund .", "to": "de"}, {"a": "A dog .", "b": "Un chien .", "to": "fr"}]
    table = GivenTable(rows, ("a", "b", "to"), ("t:0", "t:1"))
    task = Translation.learn({"text": "a", "label": "b", "language": "to"}, table)
    assert task.labels == ("de", "fr")
    assert task.example(table, 1).further.text == "<2fr> A dog ."


def test_an_unknown_language_is_refused_with_those_there_are(table):
    task = Translation.learn({}, table, {"pairs": ["en-de"]})
    given = GivenTable([{"text": "A rock .", "language": "fr"}], ("text", "language"), ["row 7"])
    with pytest.raises(InputError, match="row 7: language 'fr' is unknown; this model writes de"):
        task.example(given, 0)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"text": "en", "label": "de"}, {}, "needs options.into, or pairs, or a column of languages"),
        ({}, {"pairs": ["en"]}, "pair 'en' is no pair of columns; try en-de"),
        ({"text": "en"}, {"pairs": ["en-de"]}, "pairs name the columns; leave out 'text'"),
        ({"text": "en", "label": "de"}, {"into": "german!"}, "language 'german!' is no tag of a language"),
        ({"text": "en", "label": "de"}, {"into": "de", "decoding": {"beam": 2}}, "decoding .*beam.*; known: longest"),
    ],
)
def test_what_cannot_be_learned_is_refused(table, columns, options, message):
    with pytest.raises(ValueError, match=message):
        Translation.learn(columns, table, options)


def test_figures_are_told_language_by_language(table):
    task = Translation.learn({}, table, {"pairs": ["en-de", "en-fr"]})
    view = task.view(table)
    examples: list[Example] = [task.example(view, row) for row in (0, 1, 2)]
    said = [Prediction(value="Ein Hund ."), Prediction(value="nothing"), Prediction(value="Ein Fels .")]
    scores = task.score(said, examples).values
    assert scores["exact_match"].value == pytest.approx(2 / 3)
    assert scores["chrf_de"].value == pytest.approx(100)
    assert scores["chrf_fr"].value < 20
