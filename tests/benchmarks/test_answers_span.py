"""A reader beside answers that need no reading, question by question."""

import pytest


def test_a_passage_is_cut_where_its_sentences_end():
    from benchmarks.answers_span import sentences

    assert sentences("It is big.Very nice! Is it 3.5 kg? Yes") == ["It is big.", "Very nice!", "Is it 3.5 kg?", "Yes"]
    assert sentences("") == [""]


def test_the_best_constant_may_be_no_answer():
    from benchmarks.answers_span import best_constant

    assert best_constant([["big dog"], ["dog"], [], ["dog"]]) == "dog"
    assert best_constant([["a dog"], [], []]) == ""


def test_the_most_similar_sentence_is_nearest_to_the_question(tiny_model_folder):
    from benchmarks.answers_span import most_similar
    from mm_memgpt.backbones.base import Inputs
    from mm_memgpt.backbones.build import build
    from mm_memgpt.tasks.base import Example

    example = Example(Inputs(text="A dog runs.", text_pair="Two children play. A dog runs. The water is deep."))
    assert most_similar(build(tiny_model_folder), [example]) == ["A dog runs."]


def test_the_reader_is_compared_question_by_question():
    from benchmarks.answers_span import READER, report

    gold = [["dog"], ["cat"], [], ["a hen"]] * 25
    predicted = {READER: ["dog", "cat", "", "cock"] * 25, "always no answer": [""] * 100}
    table, figures = report(predicted, gold)
    assert figures[READER]["f1"][0] == 0.75
    lead = figures["always no answer"]["lead"]
    assert lead[0] == pytest.approx(0.5)
    assert 0.35 < lead[1] < 0.5 < lead[2] < 0.65
    assert "| always no answer | 0.250 (" in table
