"""Sounds become what trunk and teacher hear; a recipe of them runs, and what it keeps is where the next run starts."""

import io
import json
import pickle
from dataclasses import asdict
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mm_memgpt.datasets.base import read
from mm_memgpt.datasets.pools import VALIDATION_INDEX
from mm_memgpt.datasets.templates import NUMBERS, SOUNDS
from mm_memgpt.encoders.audio import AudioEncoder, create_trunk
from mm_memgpt.knowledge.sound_teacher import SoundTeacher
from mm_memgpt.objectives.hearing import NO_LABEL, TrunkHearing
from mm_memgpt.presets import PRESETS, tiny
from mm_memgpt.training.hearing import HearingExample, KeptSounds, label_of
from mm_memgpt.training.recipe import SoundAugment, read_recipe
from mm_memgpt.training.run import train
from mm_memgpt.training.tasks import build_task
from mm_memgpt.types import InputError, Sample

RECIPE = Path(__file__).parents[2] / "recipes" / "ears.yaml"
LABELS = ["low", "high", "seven"]


def tone(number: int, seconds: float) -> bytes:
    content = io.BytesIO()
    time = np.arange(round(seconds * 16_000)) / 16_000
    soundfile.write(content, 0.3 * np.sin(time * (900, 9000, 3000)[number % 3]), 16_000, "PCM_16", format="WAV")
    return content.getvalue()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    """A folder with sounds.parquet: six tones in three folds, low, high and "seven"."""
    folder = tmp_path_factory.mktemp("sounds")
    table = {
        "audio": [{"bytes": tone(row, 0.3 + 0.5 * row), "path": None} for row in range(6)],
        "class_name": ["low", "high", None, "low", "high", None],
        "digit": [None, None, 7, None, None, 7],
        "fold": [1, 1, 1, 2, 2, 3],
    }
    pq.write_table(pa.table(table), folder / "sounds.parquet")
    return folder


@pytest.fixture
def recipe(write_recipe, sounds, data_folder, tmp_path):
    """A function that writes a recipe over the sounds; keywords change its keys."""
    if not (sounds / "yamnet.tflite").exists():
        (sounds / "yamnet.tflite").symlink_to(data_folder / "teachers" / "yamnet.tflite")
    source = {"path": "sounds.parquet"}
    data = {"root": str(sounds), "train": [source], "val": {**source, "where": {"fold": 2}}, "val_samples": 2}
    due = {"objective": "hearing", "teacher": "yamnet.tflite", "labels": LABELS, "data": data, "tokenizer": None}
    return lambda **changes: write_recipe(tmp_path, **(due | changes))


def test_nano_s_recipe_fits_its_room_and_keeps_its_validation_apart():
    recipe = read_recipe(RECIPE)
    preset = PRESETS[recipe.preset]()
    encoder = AudioEncoder(recipe.audio, preset.width, preset.key_width)
    assert sum(each.numel() for each in encoder.parameters()) < 1_400_000
    assert recipe.labels == [*sorted(SOUNDS), *NUMBERS[:10]]
    assert len(recipe.words) == 51
    assert recipe.audio.times == TrunkHearing(create_trunk(recipe.audio), recipe.audio, 1, 1, 0).places
    [learned] = [source.where["index"] for source in recipe.data.train if source.path == recipe.data.val.path]
    assert recipe.data.val.where["index"] == list(VALIDATION_INDEX)
    assert sorted([*learned, *VALIDATION_INDEX]) == list(range(5, 50))


def test_a_label_is_the_class_or_the_digit_s_word():
    assert label_of(Sample(source="a", class_name="rain")) == "rain"
    assert label_of(Sample(source="a", digit=7)) == "seven"
    assert label_of(Sample(source="a", digit=0)) == "zero"
    assert label_of(Sample(source="a")) is None


def test_sounds_are_kept_as_they_were(sounds):
    reader = read(sounds / "sounds.parquet")
    kept = KeptSounds(reader)
    for _ in range(2):
        torch.testing.assert_close(kept[3].sound, reader[3].sound, atol=2**-16, rtol=0)
    assert [sample.class_name for sample in kept] == [sample.class_name for sample in reader]
    assert len(kept) == 6
    assert len(pickle.dumps(kept)) == len(pickle.dumps(KeptSounds(reader)))  # what is kept stays


def test_of_a_clip_the_sound_is_kept(film, tmp_path):
    path = film(tmp_path / "clip.mp4")
    table = pa.table({"video": [{"bytes": path.read_bytes(), "path": None}], "text": ["bin blue at a nine now"]})
    pq.write_table(table, tmp_path / "clips.parquet")
    [sample] = KeptSounds(read(tmp_path / "clips.parquet"))
    assert sample.clip is None
    assert len(sample.sound) == pytest.approx(3 * 16_000, abs=2000)
    assert sample.sound.abs().max() > 0.3
    silent = film(tmp_path / "silent.mp4", sound=False)
    for odd, message in (
        (Sample(source="f:3"), "has no sound; hearing needs"),
        (Sample(source="f:3", clip=silent), ""),
    ):
        with pytest.raises(InputError, match=f"^f:3: .*{message}"):
            KeptSounds([odd])[0]


@pytest.mark.data
def test_trunk_and_teacher_hear_the_same(data_folder, sounds):
    file = data_folder / "teachers" / "yamnet.tflite"
    reader, teacher = KeptSounds(read(sounds / "sounds.parquet")), SoundTeacher(file)
    example = HearingExample(file, LABELS, SoundAugment(mix=0.5, noise=0.5), [reader])
    for row, seed in ((0, 1), (1, 2), (5, 3)):
        given = example(reader[row], Random(seed))
        assert given["input_values"].shape == (15_600,)
        embedding, scores = teacher(given["input_values"].numpy())
        assert np.array_equal(given["teacher_embedding"], embedding)
        assert np.array_equal(given["teacher_scores"], scores)
        again = pickle.loads(pickle.dumps(example))(reader[row], Random(seed))
        assert torch.equal(again["input_values"], given["input_values"])
        assert not torch.equal(example(reader[row], Random(seed + 10))["input_values"], given["input_values"])
    assert [example(reader[row], Random(0))["labels"] for row in range(3)] == [0, 1, 2]


@pytest.mark.data
def test_validation_hears_the_loudest_piece_as_it_is(data_folder):
    file = data_folder / "teachers" / "yamnet.tflite"
    sound = torch.cat([0.1 * torch.ones(15_600), 0.5 * torch.ones(15_600), 0.2 * torch.ones(400)])
    heard = HearingExample(file, [])(Sample(source="a", sound=sound, class_name="rain"), Random(0))
    assert torch.equal(heard["input_values"], 0.5 * torch.ones(15_600))
    assert heard["labels"] == NO_LABEL  # where no labels are learned
    with pytest.raises(InputError, match="a: 'rain' is not among labels; add it there, or leave the rows out"):
        HearingExample(file, ["low"])(Sample(source="a", sound=sound, class_name="rain"), Random(0))


@pytest.mark.data
def test_words_are_told_where_they_are_spoken(data_folder):
    file = data_folder / "teachers" / "yamnet.tflite"
    sound = torch.cat([0.1 * torch.ones(15_600), 0.5 * torch.ones(15_600)])  # of which the second half is heard
    example = HearingExample(file, [], words=["bin", "blue"], places=5)
    spoken = Sample(source="a", sound=sound, words=(("bin", 0.0, 1.2), ("blue", 1.3, 1.6)))
    assert example(spoken, Random(0))["words"].tolist() == [1, 0, 2, 0, 0]  # middles at 1.07, 1.27, 1.46, 1.66, 1.85
    assert example(Sample(source="a", sound=sound), Random(0))["words"].tolist() == [NO_LABEL] * 5
    with pytest.raises(InputError, match="a: 'seven' is not among words; add it there, or leave the rows out"):
        example(Sample(source="a", sound=sound, digit=7), Random(0))
    digit = HearingExample(file, [], words=["seven"], places=3)
    assert digit(Sample(source="a", sound=sound[:8000], digit=7), Random(0))["words"].tolist() == [1, 1, 0]
    assert HearingExample(file, [], places=3)(spoken, Random(0))["words"].tolist() == [NO_LABEL] * 3


@pytest.mark.data
def test_a_run_learns_to_hear_and_keeps_its_trunk(recipe, tmp_path):
    figures = train(recipe(checkpoints=3, optimiser={"epochs": 18, "batch": 6, "rate": 0.01, "warmup": 0.1}))
    state = json.loads((tmp_path / "output" / "checkpoint-18" / "trainer_state.json").read_text())
    first, _, last = (row for row in state["log_history"] if "loss" in row)
    for part in ("loss", "missed", "direction", "label"):
        assert last[part] < 0.85 * first[part], part
    assert 0 < figures["eval_loss"] < 100

    trunk = load_file(tmp_path / "output" / "audio_trunk.safetensors")
    encoder = AudioEncoder(tiny().audio, 32, 12)
    encoder.trunk.load_state_dict(trunk)
    with safe_open(tmp_path / "output" / "label_head.safetensors", "pt") as file:
        assert json.loads(file.metadata()["labels"]) == LABELS
        assert file.get_tensor("weight").shape == (3, next(encoder.key.parameters()).shape[1])


@pytest.mark.data
def test_only_the_chosen_rows_are_heard(recipe, tmp_path):
    task = build_task(read_recipe(recipe(), ["data.train.0.where={fold: [1, 3]}"]))
    [reader] = task.readers
    assert [sample.source.rpartition(":")[2] for sample in reader] == ["0", "1", "2", "5"]
    assert task.transform(read_recipe(recipe()).augment).others == task.readers  # what is heard beneath, too


def test_what_was_kept_is_where_a_model_s_ears_start(write_recipe, tmp_path, monkeypatch):
    def deaf(vocab_size):
        config = tiny(vocab_size)
        config.audio = None
        return config

    monkeypatch.setitem(PRESETS, "deaf", deaf)

    def model(**changes):
        return build_task(read_recipe(write_recipe(tmp_path, **changes))).model

    trunk, path = create_trunk(tiny().audio), str(tmp_path / "audio_trunk.safetensors")
    save_file(trunk.state_dict(), path)
    ours = model(audio_trunk=path).audio_encoder.trunk.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in trunk.state_dict().items())

    other = model(audio={"trunk": "lcnet_035", "bands": 2, "times": 4, "heads": 4}).config.audio
    assert (other.trunk, other.tokens) == ("lcnet_035", 8)
    with pytest.raises(InputError, match=r"is not as in the preset's audio_trunk; distil one of the same preset$"):
        model(audio={"trunk": "lcnet_035", "heads": 4}, audio_trunk=path)
    with pytest.raises(
        InputError, match=r"no such file; audio_trunk must name the audio_trunk.safetensors of a hearing"
    ):
        model(audio_trunk=str(tmp_path / "none.safetensors"))
    with pytest.raises(InputError, match=r"the model hears nothing; add the key 'audio', \{\} for its defaults$"):
        model(preset="deaf", audio_trunk=path)


def test_a_trained_model_is_given_the_ears_that_were_kept(write_recipe, deaf, tmp_path):
    trunk = create_trunk(tiny().audio)
    save_file(trunk.state_dict(), tmp_path / "audio_trunk.safetensors")
    ears = {"audio": asdict(tiny().audio), "audio_trunk": str(tmp_path / "audio_trunk.safetensors")}
    file = write_recipe(tmp_path, start=str(deaf), tokenizer=None, **ears)
    weights = build_task(read_recipe(file)).model.state_dict()
    for before, prefix in ((load_file(deaf / "model.safetensors"), ""), (trunk.state_dict(), "audio_encoder.trunk.")):
        assert all(torch.equal(weights[prefix + name], value) for name, value in before.items())
    with pytest.raises(
        InputError, match=r"^.*: audio\.heads 5 does not divide width 32.*; change audio, motion or fusion$"
    ):
        build_task(read_recipe(file, ["audio.heads=5"]))


@pytest.mark.data
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("preset=nano", "preset nano hears nothing; add the key 'audio', {} for its defaults"),
        (
            "audio={seconds: 1}",
            ".*yamnet.tflite: the trunk hears 16000 samples at 16000 Hz, the teacher 15600 at 16000",
        ),
        ("audio={trunk: nothing}", "audio: timm has no trunk 'nothing'; "),
        ("audio={bands: 0}", ".*: grid 0x4 must be at least 1x1; try 1x4"),
        ("teacher=none.tflite", ".*none.tflite: no such file; teacher must name YAMNet's .tflite file"),
        ("data.train.0.mosaic=2", "sounds.parquet: sounds are neither streamed nor laid into mosaics; leave out"),
        ("data.train.0.where={fold: 9}", ".*sounds.parquet: no row is chosen by where fold: 9; give values that"),
        ("data.train.0.where={folds: 1}", ".*sounds.parquet: no column 'folds'; it has audio, class_name, digit, fold"),
        ("labels=[low, low]", ".*: labels: low is listed twice; list each once"),
        ("sounds.snr=[3]", r".*: sounds.snr \[3.0\] must be two numbers, the smaller first; try \[0, 25\]"),
        ("sounds.mix=0.9", ".*: sounds.mix 0.9 and sounds.noise 0.2 must be shares of 1; try 0.3 and 0.2"),
        ("sounds.gain=-1", ".*: sounds.gain -1.0 must be at least 0; try gain=12"),
    ],
)
def test_what_cannot_be_heard_is_refused_in_one_line(recipe, override, message):
    with pytest.raises(InputError, match=f"^{message}") as caught:
        build_task(read_recipe(recipe(), [override]))
    assert "\n" not in str(caught.value)
