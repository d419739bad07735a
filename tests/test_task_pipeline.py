"""What ranks, from the facade; what predicts, measures and explains is under test by the command line and the pages."""

import pytest
from PIL import Image

from mm_memgpt.backbones.build import build
from mm_memgpt.task_pipeline import TaskPipeline
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.model import create
from mm_memgpt.tasks.recommendation import Recommendation
from mm_memgpt.tasks.retrieval import Retrieval
from mm_memgpt.types import InputError


def pipeline(folder, task):
    return TaskPipeline(create(build(folder), task).eval())


def test_texts_are_ranked_by_their_keys_and_a_text_is_closest_to_itself(tiny_model_folder):
    reader = pipeline(tiny_model_folder, Retrieval({"text": "q", "text_pair": "a"}))
    texts = ["A man climbs a rock .", "A brown dog runs .", "Two children play ."]
    best, *others = reader.rank("A brown dog runs .", texts)
    assert (best.place, best.score) == (1, pytest.approx(1, abs=1e-5))
    assert {each.place for each in others} == {0, 2}
    assert len(reader.rank("dog", texts, top=2)) == 2


def test_photos_are_ranked_as_themselves_or_by_path(tiny_model_folder, tmp_path):
    reader = pipeline(tiny_model_folder, Retrieval({"text": "words", "image": "photo"}))
    photos = [Image.new("RGB", (20, 20), colour) for colour in ("navy", "gold")]
    photos[0].save(tmp_path / "navy.png")
    by_path, whole = reader.rank("a dog", [str(tmp_path / "navy.png"), photos[1]]), reader.rank("a dog", photos)
    assert by_path == whole


def test_what_was_liked_is_not_recommended_again(tiny_model_folder):
    reader = pipeline(tiny_model_folder, Recommendation({"text": "liked", "text_pair": "next"}))
    found = reader.rank(["A dog", "A rock"], ["A rock", "two children", "A man"])
    assert {each.place for each in found} == {1, 2}


def test_what_cannot_be_ranked_is_one_clear_line(tiny_model_folder):
    with pytest.raises(InputError, match="a model of classification ranks nothing; take one of retrieval"):
        pipeline(tiny_model_folder, Classification({"text": "t", "label": "l"}, ("a", "b"))).rank("a", ["b"])
    reader = pipeline(tiny_model_folder, Retrieval({"text": "q", "text_pair": "a"}))
    with pytest.raises(InputError, match="candidate 1: empty text"):
        reader.rank("a dog", ["a rock", "  "])
