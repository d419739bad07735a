"""The sound teacher says what its file says, and how it knows; another file is named."""

import csv
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from mm_memgpt.datasets.base import read
from mm_memgpt.knowledge.sound_teacher import RATE, SoundTeacher
from mm_memgpt.types import InputError


@pytest.fixture
def teacher_file(data_folder) -> Path:
    return data_folder / "teachers" / "yamnet.tflite"


def untouched(file: Path, waveform: np.ndarray) -> np.ndarray:
    """The scores that the file itself gives."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, waveform[None])
    interpreter.invoke()
    return interpreter.get_tensor(123)[0]


@pytest.mark.data
def test_it_says_what_its_file_says(teacher_file):
    teacher = SoundTeacher(teacher_file)
    assert (teacher.samples, teacher.width, teacher.classes) == (15_600, 1024, 521)
    assert teacher.samples / RATE == 0.975
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, 15_600).astype(np.float32)
    embedding, scores = teacher(waveform)
    assert (embedding.shape, scores.shape) == ((1024,), (521,))
    assert {embedding.dtype, scores.dtype} == {np.dtype("float32")}
    np.testing.assert_allclose(scores, untouched(teacher_file, waveform), atol=1e-6)
    assert embedding.min() == 0  # the mean of a map that ends in a ReLU
    assert embedding.max() > 0


@pytest.mark.data
def test_it_knows_a_dog_loud_or_quiet(teacher_file, data_folder):
    with open(teacher_file.with_name("yamnet_class_map.csv"), encoding="utf-8") as file:
        names = [row["display_name"] for row in csv.DictReader(file)]
    bark = read(data_folder / "esc10" / "folds1to4.parquet", where={"class_name": "dog_bark"})[0].sound.numpy()[:15_600]
    teacher = SoundTeacher(teacher_file)
    (embedding, scores), (quieter, _) = teacher(bark), teacher(0.25 * bark)
    assert {names[each] for each in scores.argsort()[-4:]} & {"Dog", "Bark"}
    cosine = embedding @ quieter / np.linalg.norm(embedding) / np.linalg.norm(quieter)
    assert 0.5 < cosine < 0.9999  # it hears loudness, but as one thing among others


@pytest.mark.data
def test_it_can_be_sent_to_another_process(teacher_file):
    teacher = SoundTeacher(teacher_file)
    copy = pickle.loads(pickle.dumps(teacher))
    waveform = np.sin(np.arange(15_600, dtype=np.float32))
    assert all(np.array_equal(*pair) for pair in zip(teacher(waveform), copy(waveform), strict=True))
    assert len(pickle.dumps(teacher)) < 1000  # the path alone


@pytest.mark.data
def test_another_length_is_refused(teacher_file):
    with pytest.raises(ValueError, match=r"waveform \(16000,\) must be \(15600,\): 0.975 seconds"):
        SoundTeacher(teacher_file)(np.zeros(16_000, np.float32))


@pytest.mark.data
def test_a_teacher_of_something_else_is_named(teacher_file, tmp_path):
    photos = teacher_file.with_name("tf2_mobilenet_v2_1.0_224_ptq.tflite")
    with pytest.raises(InputError, match=r"ptq.tflite: .* teacher must name YAMNet's .tflite file$") as caught:
        SoundTeacher(photos)
    assert "\n" not in str(caught.value)
    (tmp_path / "half.tflite").write_bytes(teacher_file.read_bytes()[:200_000])
    with pytest.raises(
        InputError, match=r"half.tflite: broken, or another network \(.*\); teacher must name"
    ) as caught:
        SoundTeacher(tmp_path / "half.tflite")
    assert "\n" not in str(caught.value)


def test_a_missing_or_foreign_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.tflite: no such file; teacher must name YAMNet's .tflite file"):
        SoundTeacher(tmp_path / "none.tflite")
    (tmp_path / "notes.tflite").write_text("not a model")
    with pytest.raises(InputError, match=r"notes.tflite: not a TensorFlow Lite model; teacher must name YAMNet's"):
        SoundTeacher(tmp_path / "notes.tflite")


@pytest.mark.parametrize("package", ["ai_edge_litert", "flatbuffers"])
def test_without_its_packages_the_extra_is_named(package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    with pytest.raises(ImportError, match=r'the teacher needs LiteRT: pip install "mm-memgpt\[train\]"'):
        SoundTeacher(tmp_path / "any.tflite")
