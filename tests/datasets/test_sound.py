"""Whatever holds a sound comes out mono, at one rate and to its resolution; what does not is refused in one line."""

import io
import os
import struct
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as parquet
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchaudio.functional import resample as resample_whole

from mm_memgpt.datasets import sound_files
from mm_memgpt.datasets.sound import SOUND_SUFFIXES, as_sound, open_sound, pieces, resample, sound_from_samples
from mm_memgpt.types import InputError

RATE = 16_000


def tone(seconds: float = 0.5, pitch: float = 440.0, rate: int = RATE, loud: float = 0.5) -> np.ndarray:
    return (loud * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(samples: np.ndarray, form: str = "WAV", subtype: str | None = None, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def muxed(path: Path, codec: str, seconds: float = 2.0, rate: int = 48_000, layout: str = "mono", **options) -> Path:
    """A tone as a container of FFmpeg's; its kind is the path's ending."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        channels = stream.codec_context.layout.nb_channels
        frame = av.AudioFrame.from_ndarray(np.tile(tone(seconds, rate=rate), (channels, 1)), "fltp", layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.codec_context.format.name, layout, rate)
        for each in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    return path


def pictures(path: Path, seconds: int = 1) -> Path:
    """A clip without sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for _ in range(5 * seconds):
            container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (32, 16), "red"))))
        container.mux(stream.encode(None))
    return path


def refusal(source: object, name: str | None = None) -> str:
    """The one line in which `as_sound` refuses."""
    with pytest.raises(InputError) as caught:
        as_sound(source, name=name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def far(heard: torch.Tensor, expected: np.ndarray) -> float:
    """Largest difference of two sounds of one length."""
    assert heard.shape == expected.shape
    return float((heard - torch.from_numpy(expected)).abs().max())


def test_a_path_bytes_an_open_file_and_samples_give_the_same_sound(tmp_path):
    path = tmp_path / "tone.wav"
    path.write_bytes(encoded(tone(), subtype="FLOAT"))
    with path.open("rb") as file:
        heard = [as_sound(path), as_sound(str(path)), as_sound(path.read_bytes()), as_sound(file)]
    heard.append(as_sound((tone(), RATE)))
    heard.append(as_sound((torch.from_numpy(tone()), RATE)))
    assert all(torch.equal(each, torch.from_numpy(tone())) for each in heard)
    assert heard[0].dtype == torch.float32


@pytest.mark.parametrize(
    ("form", "subtype", "step"),
    [
        ("WAV", "PCM_U8", 2**-7),
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-23),
        ("WAV", "PCM_32", 2**-23),
        ("WAV", "DOUBLE", 2**-23),
        ("AIFF", "PCM_24", 2**-23),
        ("FLAC", "PCM_16", 2**-15),
        ("FLAC", "PCM_24", 2**-23),
        ("CAF", "PCM_16", 2**-15),
        ("AU", "PCM_16", 2**-15),
        ("W64", "PCM_16", 2**-15),
        ("RF64", "PCM_16", 2**-15),
    ],
)
def test_a_lossless_format_is_right_to_its_resolution(form, subtype, step):
    assert far(open_sound(encoded(tone(), form, subtype)), tone()) <= step


@pytest.mark.parametrize(("form", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_a_lossy_format_sounds_the_same(form, subtype):
    heard = open_sound(encoded(tone(), form, subtype))
    assert len(heard) == len(tone())
    assert far(heard[400:-400], tone()[400:-400]) < 0.05


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.m4a", "aac"),
        ("a.mp4", "aac"),
        ("a.aac", "aac"),
        ("a.webm", "libopus"),
        ("a.mka", "pcm_s16le"),
        ("a.ac3", "ac3"),
    ],
)
def test_a_container_that_soundfile_does_not_know_is_read_to_its_end(name, codec, tmp_path):
    path = muxed(tmp_path / name, codec)
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.info(str(path))
    heard = open_sound(path)
    assert abs(len(heard) / RATE - 2) < 0.12  # what encoders add before and behind
    power = torch.fft.rfft(heard).abs()
    assert abs(power.argmax().item() * RATE / len(heard) - 440) < 1
    late = heard[round(1.8 * RATE) : round(1.95 * RATE)]
    assert 0.3 < late.abs().max() < 0.9  # the decoder was flushed: nothing is lost at the end


def test_the_sound_track_of_a_clip_is_heard_among_its_pictures(tmp_path):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        video, audio = (
            container.add_stream("mpeg4", rate=5),
            container.add_stream("pcm_s16le", rate=RATE, layout="mono"),
        )
        video.width, video.height, video.pix_fmt = 32, 16, "yuv420p"
        frame = av.AudioFrame.from_ndarray((tone()[None] * 2**15).astype(np.int16), "s16", "mono")
        frame.sample_rate = RATE
        container.mux(video.encode(av.VideoFrame.from_image(Image.new("RGB", (32, 16)))))
        container.mux(audio.encode(frame))
        for stream in (video, audio):
            container.mux(stream.encode(None))
    assert far(open_sound(path), tone()) <= 2**-15


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_mixed_by_their_mean(channels):
    parts = np.stack([tone(pitch=220.0 * (1 + each)) for each in range(channels)], axis=1)  # (t, c)
    expected = parts.mean(1)
    assert far(open_sound(encoded(parts, subtype="FLOAT")), expected) < 1e-6
    assert far(as_sound((parts, RATE)), expected) < 1e-6
    assert far(as_sound((parts.T, RATE)), expected) < 1e-6


def test_five_point_one_of_a_container_is_the_mean_too(tmp_path):
    heard = open_sound(muxed(tmp_path / "a.mka", "pcm_s16le", layout="5.1", rate=RATE))
    assert far(heard, tone(2.0)) <= 2**-15


def test_a_sound_is_resampled_without_aliases():
    low, high = tone(1.0, 1000.0, 48_000), tone(1.0, 11_000.0, 48_000)
    heard = open_sound(encoded(low + high, subtype="FLOAT", rate=48_000))
    inner = slice(200, -200)
    assert len(heard) == RATE
    assert far(heard[inner], tone(1.0, 1000.0)[inner]) < 0.01  # 11 kHz does not come back as 5 kHz
    assert len(as_sound((tone(1.0, rate=8000), 8000), rate=22_050)) == 22_050


@pytest.mark.parametrize(("given", "wanted"), [(22_050, 16_000), (8000, 16_000), (48_000, 16_000), (16_000, 22_050)])
def test_resampling_by_blocks_is_resampling_of_the_whole(given, wanted):
    sound = np.random.default_rng(0).standard_normal(50_003).astype(np.float32)
    cuts = [0, 1, 9001, 20_000, 20_001, 44_444, len(sound)]
    blocks = [sound[low:high] for low, high in pairwise(cuts)]
    parts = list(resample(blocks, given, wanted))
    assert len(parts) > 2
    torch.testing.assert_close(
        torch.cat(parts), resample_whole(torch.from_numpy(sound), given, wanted), atol=1e-5, rtol=1e-5
    )


def test_an_odd_rate_takes_little_memory_and_keeps_its_pitch():
    heard = as_sound((tone(1.0, rate=44_101), 44_101))
    assert abs(len(heard) - RATE) <= 1
    assert far(heard[200:15_800], tone(1.0)[200:15_800]) < 0.01


def test_a_file_is_read_in_blocks(monkeypatch):
    monkeypatch.setattr(sound_files, "BLOCK", 1000)
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (5003, 2)).astype(np.float32)
    blocks = list(sound_files.decode(io.BytesIO(encoded(samples, subtype="FLOAT")), "a"))
    assert {len(block) for _, block in blocks} == {500, 3}
    assert np.array_equal(np.concatenate([block for _, block in blocks]), samples.mean(1))


def test_a_wrong_ending_is_no_error(tmp_path):
    (tmp_path / "tone.mp3").write_bytes(encoded(tone()))
    muxed(tmp_path / "tone.m4a", "aac").rename(tmp_path / "tone.wav")
    muxed(tmp_path / "raw.m4a", "aac").rename(tmp_path / "tone.raw")  # soundfile wants sizes for that ending
    assert far(open_sound(tmp_path / "tone.mp3"), tone()) <= 2**-15
    assert len(open_sound(tmp_path / "tone.wav")) > RATE
    assert len(open_sound(tmp_path / "tone.raw")) > RATE


def test_silence_and_a_hundredth_of_a_second_are_sounds():
    assert open_sound(encoded(np.zeros(RATE))).tolist() == [0.0] * RATE
    assert far(open_sound(encoded(tone(0.01), subtype="FLOAT")), tone(0.01)) == 0
    assert len(as_sound((np.zeros(1), 48_000))) == 1


def test_the_endings_of_sounds_are_lower_case_and_dotted():
    assert {".wav", ".flac", ".ogg", ".mp3", ".m4a", ".opus"} <= SOUND_SUFFIXES
    assert all(ending == f".{ending.strip('.').lower()}" for ending in SOUND_SUFFIXES)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([0, 128, 192, 255], np.uint8), [-1, 0, 0.5, 127 / 128]),
        (np.array([-(2**15), 0, 2**14], np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        (np.array([-1.5, 0.25]), [-1, 0.25]),  # a little too loud is cut
        (torch.tensor([0.5, -0.25], dtype=torch.bfloat16).requires_grad_(), [0.5, -0.25]),
    ],
)
def test_samples_of_any_kind_count_from_minus_one_to_one(samples, expected):
    assert as_sound((samples, RATE)).tolist() == expected


@pytest.mark.parametrize(
    ("pair", "line"),
    [
        ((np.zeros((2, 3, 5)), RATE), "shape (2, 3, 5) is no sound; give (t,), (channels, t) or (t, channels)"),
        ((np.zeros((65, 70)), RATE), "shape (65, 70) is no sound; give (t,), (channels, t) or (t, channels)"),
        ((np.zeros(9, np.int64), RATE), "samples of type int64; give uint8, int16, int32, or floats from -1 to 1"),
        ((np.array([0.0, np.nan]), RATE), "holds NaN or infinite samples; replace them and save it again"),
        ((np.array([0.0, -200.0]), RATE), "samples as large as 200; scale them to lie in -1 to 1"),
        ((np.zeros(0), RATE), "holds no sample; give at least one"),
        ((np.zeros(9), 0), "a rate of 0 Hz; give 100 to 1,000,000"),
        ((np.zeros(9), 2**31), "a rate of 2,147,483,648 Hz; give 100 to 1,000,000"),
        ((np.zeros(9), "16k"), "'16k' is no rate; give the pair (samples, rate), such as (samples, 16000)"),
        ((np.zeros(9), float("nan")), "nan is no rate; give the pair (samples, rate), such as (samples, 16000)"),
    ],
)
def test_samples_that_are_no_sound_say_why(pair, line):
    assert refusal(pair) == f"samples: {line}"


def test_what_cannot_be_a_sound_says_what_can():
    known = "a path, bytes, an open file or a pair (samples, rate)"
    assert refusal(7) == f"sound: a value of type int is no sound; give {known}"
    assert refusal((RATE, np.zeros(9)), "the microphone") == (
        f"the microphone: a value of type tuple is no sound; give {known}"
    )


def test_missing_folder_and_empty_file_are_told_apart(tmp_path):
    (tmp_path / "empty.wav").touch()
    assert refusal(tmp_path / "gone.wav") == f"{tmp_path}/gone.wav: no such file; check the path"
    assert refusal(tmp_path) == f"{tmp_path}: a folder, not a file; name the files in it"
    assert refusal(tmp_path / "empty.wav") == f"{tmp_path}/empty.wav: empty (0 bytes); copy or download it again"
    assert refusal(b"", "row 3") == "row 3: empty (0 bytes); copy or download it again"
    assert refusal(encoded(np.zeros(0)), "row 4") == "row 4: holds no sample; give at least one"


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_U8"),
        ("WAV", "FLOAT"),
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("W64", "PCM_16"),
        ("RF64", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_a_sound_file_cut_short_is_refused(form, subtype, share):
    data = encoded(np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE), form, subtype)
    line = refusal(data[: round(share * len(data))], "half")
    assert line.startswith("half: cannot be read to its end (")
    assert line.endswith("); copy or download it again")


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "aac", {}),
        ("a.mp4", "aac", {"movflags": "faststart"}),
        ("a.mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.webm", "libopus", {}),
        ("a.mka", "pcm_s16le", {}),
    ],
)
def test_a_clip_cut_short_is_refused(name, codec, options, tmp_path):
    data = muxed(tmp_path / name, codec, **options).read_bytes()
    line = refusal(data[: len(data) * 6 // 10], "half")
    assert line.startswith(("half: cannot be read to its end (", "half: no sound, or its beginning is broken ("))


def test_a_wav_whose_length_was_left_open_is_no_cut(tmp_path):
    """What recorders write that cannot go back to the header."""
    data = bytearray(encoded(tone()))
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = struct.pack("<I", 0xFFFFFFFF)
    assert far(open_sound(bytes(data)), tone()) <= 2**-15


def test_a_clip_without_sound_and_a_photo_say_so(tmp_path):
    path = pictures(tmp_path / "silent.mp4")
    assert refusal(path) == f"{path}: has no sound track; give a sound, or a clip that has one"
    photo = io.BytesIO()
    Image.new("RGB", (9, 7)).save(photo, "PNG")
    assert refusal(photo.getvalue(), "x.png") == "x.png: has no sound track; give a sound, or a clip that has one"


def test_text_named_wav_is_no_sound(tmp_path):
    path = tmp_path / "note.wav"
    path.write_text("Dear diary,\ntoday I heard a dog.\n")
    assert refusal(path).startswith(f"{path}: no sound, or its beginning is broken (")
    assert refusal(path).endswith("; give a sound file, or a clip with sound")


def test_a_playlist_leads_nowhere(tmp_path):
    (tmp_path / "tone.wav").write_bytes(encoded(tone()))
    concat = f"ffconcat version 1.0\nfile '{tmp_path}/tone.wav'\n"
    stream = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2.0,\nfile://{tmp_path}/tone.wav\n#EXT-X-ENDLIST\n"
    for text in (concat, stream):
        (tmp_path / "list.m3u8").write_text(text)
        assert "no sound, or its beginning is broken" in refusal(tmp_path / "list.m3u8")


def test_a_file_with_nan_is_refused():
    samples = tone()
    samples[7] = np.nan
    line = "a.wav: holds NaN or infinite samples; replace them and save it again"
    assert refusal(encoded(samples, subtype="FLOAT"), "a.wav") == line


def test_hours_are_refused_by_their_header():
    """A second of FLAC whose header announces seven hours: it is refused for them, not for the rest that is missing."""
    header = bytearray(encoded(np.zeros(RATE), "FLAC"))
    hours = 7 * 3600 * RATE
    header[21] = (header[21] & 0xF0) | hours >> 32
    header[22:26] = struct.pack(">I", hours & 0xFFFFFFFF)  # STREAMINFO: total samples in 36 bits
    assert refusal(bytes(header), "a.flac") == "a.flac: 7.0 hours of sound, more than 6; cut it into parts first"


def test_hours_that_no_header_announces_are_refused_while_decoding(monkeypatch, tmp_path):
    monkeypatch.setattr(sound_files, "BLOCK", 2**14)
    monkeypatch.setattr(sound_files, "check_length", counting(calls := []))
    assert refusal(muxed(tmp_path / "a.aac", "aac", seconds=4)).endswith("a.aac: too long")
    assert calls[-1] < 2  # of the four seconds it did not decode the rest


def counting(calls: list[float]):
    """`check_length` that lets headers lie: only what is decoded counts."""

    def check(seconds: float, name: str) -> None:
        calls.append(seconds)
        if len(calls) > 1 and seconds > 1:
            raise InputError(f"{name}: too long")

    return check


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # libsndfile seeks before the beginning
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["WAV", "FLAC", "OGG", "MP3", "AIFF"]), st.data())
def test_a_damaged_file_gives_a_sound_or_one_line(form, data):
    damaged = bytearray(encoded(tone(0.1), form))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        outcome = open_sound(bytes(damaged[: data.draw(st.integers(1, len(damaged)))])).abs().max().item()
    except InputError as error:
        outcome = str(error)
    assert outcome <= 1 if isinstance(outcome, float) else outcome.startswith("bytes: ") and "\n" not in outcome


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    assert refusal(tmp_path / "pipe.wav").endswith("a pipe or device, not a file; save what it gives to a file first")


def test_pieces_cover_a_sound_and_end_where_it_ends():
    samples = torch.arange(1, 24, dtype=torch.float32)
    items, times = pieces(samples, rate=10, seconds=0.7, start=5.0)
    assert items.shape == (4, 7)
    assert torch.equal(items.flatten()[:23], samples)
    assert items[3].tolist() == [22, 23, 0, 0, 0, 0, 0]
    assert times.dtype == torch.float64
    torch.testing.assert_close(
        times, torch.tensor([[5.0, 5.7], [5.7, 6.4], [6.4, 7.1], [7.1, 7.3]], dtype=torch.float64)
    )


def test_a_whole_number_of_items_has_no_empty_one_behind():
    items, times = pieces(torch.ones(14), rate=10, seconds=0.7)
    assert items.shape == (2, 7)
    assert times[-1].tolist() == [0.7, 1.4]


def test_a_sound_shorter_than_an_item_is_one_item():
    items, times = pieces(torch.ones(160), rate=RATE)
    assert items.shape == (1, 15_600)
    assert items.sum() == 160
    assert times.tolist() == [[0.0, 0.01]]


def test_pieces_of_channels_are_refused():
    with pytest.raises(ValueError, match=r"samples \(2, 9\) in items of 15600: give \(t,\)"):
        pieces(torch.zeros(2, 9))


def test_times_stay_exact_in_unix_time():
    _, times = pieces(torch.zeros(10 * RATE), start=1.79e9)
    assert times[-1, 1].item() == 1.79e9 + 10
    assert torch.equal(times[1:, 0], times[:-1, 1])


def test_the_rate_of_a_pair_is_kept():
    assert far(sound_from_samples(tone(rate=8000), 8000, rate=8000), tone(rate=8000)) == 0


@pytest.mark.data
def test_the_projects_sounds_are_as_long_as_their_tables_say(data_folder):
    for file, column in (("esc10/folds1to4", "audio"), ("fsdd/test", "audio"), ("video/grid_s1_test", "video")):
        table = parquet.read_table(data_folder / f"{file}.parquet", columns=[column, "duration"]).slice(0, 25)
        for row in table.to_pylist():
            heard = as_sound(row[column]["bytes"])
            assert abs(len(heard) / RATE - row["duration"]) < 0.15
            assert heard.abs().max() > 0.01
