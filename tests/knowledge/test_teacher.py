"""The image teacher says what its file says, and shows the maps it says it from."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mm_memgpt.knowledge.teacher import ImageTeacher
from mm_memgpt.types import InputError

PHOTOS = Path(__file__).parents[2] / "demos" / "photos"


@pytest.fixture
def teacher_file(data_folder) -> Path:
    return data_folder / "teachers" / "tf2_mobilenet_v2_1.0_224_ptq.tflite"


def probabilities(file: Path, photo: Image.Image) -> np.ndarray:
    """What the untouched file answers."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=1)
    interpreter.allocate_tensors()
    [detail] = interpreter.get_output_details()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.asarray(photo)[None])
    interpreter.invoke()
    return interpreter.get_tensor(detail["index"])[0] * detail["quantization"][0]


@pytest.mark.data
def test_it_shows_the_map_of_every_stage_and_the_logits(teacher_file):
    teacher = ImageTeacher(teacher_file)
    assert (teacher.size, teacher.classes) == (224, 1001)
    assert teacher.map_shapes == [(24, 56, 56), (32, 28, 28), (96, 14, 14), (320, 7, 7), (1280, 7, 7)]
    maps, logits = teacher(Image.open(PHOTOS / "cat.jpg").convert("RGB"))
    assert [features.shape for features in maps] == teacher.map_shapes
    assert logits.shape == (1001,)
    assert {each.dtype for each in (*maps, logits)} == {np.dtype("float32")}
    assert maps[-1].min() == 0  # the last convolution ends in a ReLU6, the bottlenecks before it are linear
    assert maps[-1].max() <= 6.01
    assert all(features.min() < 0 for features in maps[:-1])


@pytest.mark.data
@pytest.mark.parametrize("name", ["cat.jpg", "coffee.jpg", "rocket.jpg"])
def test_its_logits_give_the_file_s_own_probabilities(teacher_file, name):
    photo = Image.open(PHOTOS / name).convert("RGB")
    _, logits = ImageTeacher(teacher_file)(photo)
    due = probabilities(teacher_file, photo.resize((224, 224), Image.Resampling.BICUBIC))
    ours = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert ours.argmax() == due.argmax()
    np.testing.assert_allclose(ours, due, atol=0.02)  # int8 logits and uint8 probabilities


@pytest.mark.data
def test_a_photo_of_its_own_size_is_seen_as_it_is(teacher_file):
    photo = Image.open(PHOTOS / "cat.jpg").convert("RGB")
    squeezed = photo.resize((224, 224), Image.Resampling.BICUBIC)
    teacher = ImageTeacher(teacher_file)
    (maps, logits), (same_maps, same_logits) = teacher(photo), teacher(squeezed)
    assert all(np.array_equal(*pair) for pair in zip(maps, same_maps, strict=True))
    assert np.array_equal(logits, same_logits)


def test_a_missing_teacher_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.tflite: no such file; teacher must name a .tflite classifier"):
        ImageTeacher(tmp_path / "none.tflite")


def test_a_file_that_is_no_model_is_named(tmp_path):
    (tmp_path / "notes.tflite").write_text("not a model")
    with pytest.raises(InputError, match=r"notes.tflite: not a TensorFlow Lite model; teacher must name"):
        ImageTeacher(tmp_path / "notes.tflite")


@pytest.mark.parametrize("package", ["ai_edge_litert", "flatbuffers"])
def test_without_its_packages_the_extra_is_named(package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    with pytest.raises(ImportError, match=r'the teacher needs LiteRT: pip install "mm-memgpt\[train\]"'):
        ImageTeacher(tmp_path / "any.tflite")
