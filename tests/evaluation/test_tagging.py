"""Entities are conlleval's, and a tagger's figures are seqeval's."""

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval import metrics as seqeval_metrics
from seqeval.metrics.sequence_labeling import get_entities

from mm_memgpt.evaluation.tagging import METRICS, Entity, entities, per_type, tagging_scores

TAG = st.sampled_from(["O", "B-person", "I-person", "B-creative-work", "I-creative-work", "B-地点", "I-地点"])
TRUTH = [["B-person", "I-person", "O"], ["O", "B-place"], ["B-place", "I-place", "O", "B-person"], ["O"]] * 5
TAGGED = [["B-person", "O", "O"], ["O", "B-place"], ["B-place", "I-place", "O", "B-place"], ["O"]] * 5


@st.composite
def tagged_twice(draw):
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=6))
    return tuple([draw(st.lists(TAG, min_size=n, max_size=n)) for n in lengths] for _ in range(2))


def test_an_entity_ends_where_another_begins_and_may_begin_with_i():
    tags = ["B-a", "I-a", "B-a", "I-b", "I-b", "O", "I-b", "O", "B", "I"]
    expected = [("a", 0, 2), ("a", 2, 3), ("b", 3, 5), ("b", 6, 7), ("_", 8, 10)]
    assert entities(tags) == [Entity(*each) for each in expected]


@given(st.lists(TAG))
def test_entities_are_those_that_seqeval_finds(tags):
    assert entities(tags) == [Entity(kind, start, last + 1) for kind, start, last in get_entities(tags)]


@pytest.mark.filterwarnings("ignore:.*zero_division.*")
@given(tagged_twice())
def test_the_figures_are_seqevals(pair):
    truth, predicted = pair
    scores = tagging_scores(truth, predicted, resamples=2)
    assert tuple(scores) == METRICS
    for name, score in scores.items():
        due = getattr(seqeval_metrics, f"{name}_score")(truth, predicted)
        assert score.value == pytest.approx(float(due))


@pytest.mark.filterwarnings("ignore:.*zero_division.*", "ignore::RuntimeWarning:seqeval")
@given(tagged_twice().filter(lambda pair: any(map(entities, [*pair[0], *pair[1]]))))
def test_each_type_is_seqevals(pair):
    report = seqeval_metrics.classification_report(*pair, output_dict=True, zero_division=0)
    due = {
        kind: {name.removesuffix("-score"): value for name, value in figures.items()}
        for kind, figures in report.items()
        if not kind.endswith("avg")
    }
    table = per_type(*pair)
    assert table.keys() == due.keys()
    for kind, figures in table.items():
        assert figures == pytest.approx(due[kind])


@given(tagged_twice())
def test_perfect_tags_get_1_and_the_order_of_sentences_changes_nothing(pair):
    truth, predicted = pair
    values = [score.value for score in tagging_scores(truth, truth, resamples=2).values()]
    assert values == ([1.0] * 4 if any(map(entities, truth)) else [0.0] * 3 + [1.0])
    backwards = tagging_scores(truth[::-1], predicted[::-1], resamples=2)
    assert {name: score.value for name, score in backwards.items()} == {
        name: score.value for name, score in tagging_scores(truth, predicted, resamples=2).items()
    }


def test_the_intervals_hold_the_values():
    for score in tagging_scores(TRUTH, TAGGED).values():
        assert 0 <= score.low < score.value < score.high <= 1


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="1 true sentences and 2 predicted ones: give as many, at least one"):
        tagging_scores([["O"]], [["O"], ["O"]])
    with pytest.raises(ValueError, match="0 true sentences and 0 predicted ones"):
        tagging_scores([], [])
    with pytest.raises(ValueError, match="sentence 1 has 2 true tags and 3 predicted ones"):
        per_type([["O"], ["O", "O"]], [["O"], ["O", "O", "O"]])
    with pytest.raises(ValueError, match="tag 'S-person' of token 1 is none of O, B-kind and I-kind"):
        entities(["O", "S-person"])


@pytest.mark.data
def test_the_entities_of_real_sentences_are_seqevals(data_folder):
    truth = pq.read_table(data_folder / "text" / "wnut17" / "test.parquet")["tags"].to_pylist()
    cut = [[*tags[:-3], *["O"] * len(tags[-3:])] for tags in truth]
    score = tagging_scores(truth, cut)["f1"]
    assert score.value == pytest.approx(seqeval_metrics.f1_score(truth, cut))
    assert score.low < score.value < score.high
