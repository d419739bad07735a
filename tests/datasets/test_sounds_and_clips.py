"""Sounds, clips and timed words come out of Parquet files and folders as Samples; a broken one says where it is."""

import io
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from mm_memgpt.datasets.base import read
from mm_memgpt.datasets.parquet import ParquetReader
from mm_memgpt.types import InputError

ENCODED = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def tone(pitch: float = 440.0, seconds: float = 0.5, rate: int = 8000) -> bytes:
    content = io.BytesIO()
    soundfile.write(
        content, 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate), rate, "PCM_16", format="WAV"
    )
    return content.getvalue()


def write(path: Path, **columns) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def cells(*values: bytes | None) -> pa.Array:
    return pa.array([{"bytes": value, "path": None} for value in values], ENCODED)


def refusal(attempt) -> str:
    with pytest.raises(InputError) as caught:
        attempt()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def pitch_of(samples) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * 16_000 / len(samples))


@pytest.mark.parametrize("column", ["sound", "audio"])
def test_a_sound_comes_as_samples_at_the_models_rate_with_its_class(tmp_path, column):
    path = write(
        tmp_path / "a.parquet",
        **{column: cells(tone(440), tone(1000))},
        label=pa.array([3, 4], pa.int32()),
        class_name=["rooster", "rain"],
        digit=[None, 7],
    )
    reader = read(path)
    assert isinstance(reader, ParquetReader)
    samples = list(reader)
    assert [(s.label, s.class_name, s.digit) for s in samples] == [(3, "rooster", None), (4, "rain", 7)]
    assert [len(s.sound) for s in samples] == [8000, 8000]
    assert [pitch_of(s.sound) for s in samples] == [440, 1000]
    assert (samples[1].image, samples[1].clip, samples[1].words) == (None, None, ())


def test_a_clip_stays_encoded_and_brings_its_words_with_their_times(tmp_path):
    path = write(
        tmp_path / "a.parquet",
        video=cells(b"clip 0", b"clip 1"),
        words=[["lay", "green"], None],
        word_start=pa.array([[0.25, 0.75], None], pa.list_(pa.float32())),
        word_end=pa.array([[0.75, 1.0], None], pa.list_(pa.float32())),
    )
    first, second = read(path)
    assert (first.clip, second.clip) == (b"clip 0", b"clip 1")
    assert first.words == (("lay", 0.25, 0.75), ("green", 0.75, 1.0))
    assert (second.words, first.sound, first.image) == ((), None, None)


def test_the_sound_of_a_clip_and_other_columns_are_taken_by_name(tmp_path):
    path = write(tmp_path / "a.parquet", track=[tone(500)], film=[b"a clip"], audio=cells(tone(440)))
    sample = read(path, sound="track", clip="film")[0]
    assert (pitch_of(sample.sound), sample.clip) == (500, b"a clip")
    assert refusal(lambda: read(path, sound="trick")) == (
        f"{path}: no column 'trick' for sound; it has track, film, audio"
    )


def test_words_without_times_and_columns_of_other_types_are_passed_over(tmp_path):
    path = write(tmp_path / "a.parquet", text=["a b"], words=[["a", "b"]], audio=["a.wav"], video=[7], digit=["one"])
    sample = read(path)[0]
    assert (sample.text, sample.words, sample.sound, sample.clip, sample.digit) == ("a b", (), None, None, None)
    named = {"words": "words"}
    line = f"{path}: words without word_start; name a column for each of words, word_start, word_end"
    assert refusal(lambda: ParquetReader(path, named)) == line
    form = "encoded sounds: binary, or a struct with a binary field `bytes`"
    assert refusal(lambda: read(path, sound="audio")) == (
        f"{path}: column 'audio' holds string; sound must be {form}; name another column"
    )


def test_a_broken_row_is_an_error_only_when_it_is_asked_for(tmp_path):
    path = write(
        tmp_path / "a.parquet",
        audio=cells(tone(), tone()[:30], None, tone()),
        words=[["a"], ["a"], ["a"], ["a", "b"]],
        word_start=[[0.0]] * 4,
        word_end=[[1.0]] * 4,
    )
    reader = read(path)
    assert len(reader[0].sound) == 8000
    assert refusal(lambda: reader[1]).startswith(f"{path}:1: ")
    assert refusal(lambda: reader[2]) == (
        f"{path}:2: no sound in this row; leave the row out, or store the sound's bytes in it"
    )
    assert refusal(lambda: reader[3]) == (f"{path}:3: 2 words, 1 starts and 1 ends; give one start and one end a word")


def test_columns_are_read_without_opening_what_the_rows_hold(tmp_path):
    one = write(tmp_path / "a.parquet", audio=cells(b"broken", None, tone()), fold=[1, 2, None], text=["a", "b", "c"])
    two = write(tmp_path / "b.parquet", text=["d"], fold=[3])
    reader = read([one, two])
    assert list(reader.values("text", "fold")) == [
        {"text": text, "fold": fold} for text, fold in [("a", 1), ("b", 2), ("c", None), ("d", 3)]
    ]
    assert refusal(lambda: list(reader.values("fold", "folt"))) == f"{one}: no column 'folt'; it has audio, fold, text"


def test_a_folder_holds_photos_sounds_and_clips_told_by_their_endings(tmp_path):
    Image.new("RGB", (5, 3), "red").save(tmp_path / "a.png")
    (tmp_path / "b.WAV").write_bytes(tone())
    (tmp_path / "c.mp4").write_bytes(b"not opened")
    (tmp_path / "metadata.csv").write_text("file_name,caption\na.png,Red\nb.WAV,A tone\nc.mp4,A film\n")
    photo, sound, clip = pickle.loads(pickle.dumps(read(tmp_path)))
    assert (photo.image.size, photo.sound, photo.clip, photo.captions) == ((5, 3), None, None, ("Red",))
    assert (sound.image, len(sound.sound), sound.captions) == (None, 8000, ("A tone",))
    assert (clip.image, clip.sound, clip.clip) == (None, None, tmp_path / "c.mp4")
    assert list(read(tmp_path).texts()) == ["Red", "A tone", "A film"]


def test_a_named_column_of_a_folder_fixes_what_its_files_are(tmp_path):
    (tmp_path / "raw.dat").write_bytes(tone())
    (tmp_path / "metadata.jsonl").write_text('{"wav": "raw.dat"}\n')
    assert len(read(tmp_path, sound="wav")[0].sound) == 8000
    assert refusal(lambda: read(tmp_path, sound="wav", image="wav")) == (
        f"{tmp_path}: both image and sound; a row names one file, so name one column"
    )


def test_a_broken_sound_in_a_folder_names_its_file(tmp_path):
    (tmp_path / "a.wav").write_bytes(tone())
    (tmp_path / "b.wav").write_bytes(b"no sound at all")
    (tmp_path / "metadata.csv").write_text("file_name\nb.wav\na.wav\n")
    reader = read(tmp_path)
    assert refusal(lambda: reader[0]).startswith(f"{tmp_path}/b.wav: no sound, or its beginning is broken (")
    assert len(reader[1].sound) == 8000


def test_a_source_without_sounds_says_so(tmp_path):
    (tmp_path / "a.tar").touch()
    assert refusal(lambda: read(tmp_path / "a.tar", sound="wav")) == (
        f"{tmp_path}/a.tar: a .tar takes no sound; leave it out"
    )


@pytest.mark.data
def test_the_projects_sounds_and_clips_are_read(data_folder):
    sounds = read(data_folder / "esc10/folds1to4.parquet")
    assert len(sounds) == 320
    assert (sounds[0].class_name is not None, 3.5 * 16_000 < len(sounds[0].sound) < 7.3 * 16_000) == (True, True)
    digits = [row["digit"] for row in read(data_folder / "fsdd/test.parquet").values("digit")]
    assert [digits.count(digit) for digit in range(10)] == [18] * 10
    clip = read(data_folder / "video/grid_s1_test.parquet")[0]
    assert " ".join(word for word, _, _ in clip.words) == clip.text
    assert all(0 <= start < end < 3.1 for _, start, end in clip.words)
    assert clip.clip[4:8] == b"ftyp"
