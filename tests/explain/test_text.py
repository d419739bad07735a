"""What explains a prediction is what it rests on: a word that decides comes first, scores add up, padding has none."""

import random
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.explain.text import METHODS, explain
from mm_memgpt.tasks.adapters import AdapterConfig
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.model import create
from mm_memgpt.tasks.pair import Pair
from mm_memgpt.tasks.regression import Regression
from mm_memgpt.types import InputError


@pytest.fixture(scope="module")
def classifier(learned, row):
    """It has learned that what has the word good is "yes"."""
    draw = random.Random(0)
    rows = [Example(Inputs(text=row(draw, number % 2)), "yes" if number % 2 else "no") for number in range(48)]
    return learned(Classification({"text": "text", "label": "label"}, ("no", "yes")), rows)


@pytest.fixture(scope="module")
def texts(row):
    draw = random.Random(1)
    return [row(draw, True, words) for words in (5, 7, 9, 11, 13, 6)]


def places_of_good(found) -> list[int]:
    """The rank of the word good by score, in each text."""
    ranks = []
    for each in found:
        [part] = each.texts
        ranked = sorted(part.words, key=lambda word: -word.score)
        ranks.append([part.text[word.begin : word.end] for word in ranked].index("good"))
    return ranks


@pytest.mark.parametrize("method", METHODS)
def test_the_word_that_decides_comes_first(classifier, texts, method):
    found = [explain(classifier, Example(Inputs(text=text)), method) for text in texts]
    assert [each.prediction.value for each in found] == ["yes"] * len(texts)
    assert places_of_good(found) == [0] * len(texts)


def test_words_by_chance_would_not_come_first(classifier, texts):
    found = [explain(classifier, Example(Inputs(text=text)), "occlusion") for text in texts]
    draw = random.Random(0)
    for number, each in enumerate(found):
        part = each.texts[0]
        words = tuple(word._replace(score=draw.random()) for word in part.words)
        found[number] = replace(each, texts=(part._replace(words=words),))
    assert sum(rank > 0 for rank in places_of_good(found)) >= 4


@pytest.mark.parametrize("method", METHODS)
def test_an_output_layer_that_knows_nothing_is_explained_by_nothing(classifier, texts, method):
    model = create(classifier.backbone, classifier.task).eval()
    torch.nn.init.zeros_(model.head.weight)
    found = explain(model, Example(Inputs(text=texts[0])), method)
    assert found.largest < 1e-6


@pytest.mark.parametrize("adapter", ["linear", "mlp", "cnn", "gru", "decoder"])
def test_integrated_gradients_add_up(classifier, texts, adapter):
    model = create(classifier.backbone, classifier.task, AdapterConfig(kind=adapter, hidden=8)).eval()
    found = explain(model, Example(Inputs(text=texts[2])))
    total = sum(word.score for word in found.texts[0].words)
    assert total == pytest.approx(found.value - found.baseline + found.delta, abs=1e-4)
    if adapter != "cnn":  # a maximum over tokens has kinks, which points miss
        assert abs(found.delta) < 0.1 * max(0.1, abs(found.value - found.baseline))


def test_occlusion_is_what_a_naive_replacement_costs(classifier, texts):
    found = explain(classifier, Example(Inputs(text=texts[1])), "occlusion")
    words = texts[1].split()
    for place, word in enumerate(found.texts[0].words):
        other = " ".join([*words[:place], "[UNK]", *words[place + 1 :]])
        batch = classifier.prepare([Inputs(text=other)])
        without = classifier.task.confidence(classifier(batch), batch, [found.prediction]).item()
        assert word.score == pytest.approx(found.value - without, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_of_a_pair_both_texts_are_explained(learned, row, method):
    draw = random.Random(2)
    rows = []
    for number in range(64):
        first, second = number % 2, number // 2 % 2
        inputs = Inputs(text=row(draw, first, 5), text_pair=row(draw, second, 4))
        rows.append(Example(inputs, "yes" if second else "no"))
    task = Pair({"text": "text", "text_pair": "pair", "label": "label"}, ("no", "yes"))
    model = learned(task, rows)
    found = explain(model, Example(Inputs(text="film good story", text_pair="old good music . long")), method)
    assert [part.role for part in found.texts] == ["text", "text_pair"]
    first, second = ({part.text[w.begin : w.end]: w.score for w in part.words} for part in found.texts)
    assert [*first], [*second] == (["film", "good", "story"], ["old", "good", "music", ".", "long"])
    assert found.prediction.value == "yes"
    assert max(second, key=second.get) == "good"
    assert second["good"] > first["good"]


@pytest.mark.parametrize("method", METHODS)
def test_a_number_is_explained_in_its_own_unit(learned, row, method):
    draw = random.Random(3)
    rows = [Example(Inputs(text=row(draw, number % 2)), 30.0 if number % 2 else 10.0) for number in range(48)]
    task = Regression({"text": "text", "label": "label"}, (), {"mean": 20.0, "deviation": 10.0})
    found = explain(learned(task, rows), Example(Inputs(text="old good film .")), method)
    scores = {found.texts[0].text[w.begin : w.end]: w.score for w in found.texts[0].words}
    assert max(scores, key=scores.get) == "good"
    assert 10 < scores["good"] < 40


@pytest.mark.parametrize("method", METHODS)
def test_in_windows_every_word_is_read_and_at_the_head_the_others_are_marked(bert, classifier, method):
    text = " ".join([*["film"] * 12, "good", *["story"] * 12])
    for over, unread in (("windows", 0), ("head", 25 - 8)):
        model = create(build(bert, longest=10, over=over), classifier.task).eval()
        model.load_state_dict(classifier.state_dict())
        found = explain(model, Example(Inputs(text=text)), method)
        assert (len(found.texts[0].words), found.unread) == (25, unread)
        if not unread:
            for_yes = 1 if found.prediction.value == "yes" else -1
            best = max(found.texts[0].words, key=lambda word: for_yes * word.score)
            assert text[best.begin : best.end] == "good"


def test_more_words_than_readings_are_left_out_together(classifier, monkeypatch):
    monkeypatch.setattr("mm_memgpt.explain.leaving_out.MOST", 3)
    found = explain(classifier, Example(Inputs(text="film old blue good long story scene")), "occlusion")
    scores = [word.score for word in found.texts[0].words]
    assert scores[0] == scores[1] == scores[2]
    assert scores[3] == scores[4] == scores[5] > scores[6]


@pytest.mark.parametrize("method", METHODS)
def test_photos_and_sounds_are_explained_by_cells_and_segments(tiny_model_folder, method):
    columns = {"text": "text", "image": "image", "sound": "sound", "label": "label"}
    model = create(build(tiny_model_folder), Classification(columns, ("a", "b"))).eval()
    photo = Image.effect_noise((60, 44), 80).convert("RGB")
    sound = torch.sin(torch.arange(24_000) * 0.2)
    found = explain(model, Example(Inputs(text="A brown dog .", image=photo, sound=sound)), method)
    assert (len(found.image), len(found.image[0]), len(found.sound)) == (8, 8, 6)
    assert found.sound[-1].end == pytest.approx(1.5)
    assert all(abs(score) > 0 for grid in found.image for score in grid)
    if method == "integrated_gradients":
        words = sum(word.score for word in found.texts[0].words)
        total = words + sum(map(sum, found.image)) + sum(piece.score for piece in found.sound)
        assert total == pytest.approx(found.value - found.baseline + found.delta, abs=1e-4)
    assert "Photo:" in found.to_ansi()
    assert "Sound:" in found.to_html()


def test_the_model_stays_in_the_mode_it_was_in_and_is_read_in_evaluation(classifier, texts):
    due = explain(classifier, Example(Inputs(text=texts[0])))
    classifier.train()
    found = explain(classifier, Example(Inputs(text=texts[0])))
    assert classifier.training
    classifier.eval()
    assert found.to_json() == due.to_json()


def test_a_method_that_is_none_names_those_there_are(classifier):
    with pytest.raises(InputError, match="method 'lime' is unknown; known: integrated_gradients, occlusion"):
        explain(classifier, Example(Inputs(text="film")), "lime")


def test_without_captum_it_names_the_extra_and_occlusion_works(classifier, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ImportError, match=r'pip install "mm-memgpt\[explain\]"'):
        explain(classifier, Example(Inputs(text="film")))
    explain(classifier, Example(Inputs(text="film")), "occlusion")
