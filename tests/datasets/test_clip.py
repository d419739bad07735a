"""A clip's frames and sound come on one clock with their true times, whatever it is kept in, and a break is told."""

import gc
import io
import math
import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from mm_memgpt.datasets import clip_source
from mm_memgpt.datasets.clip import ALIKE, CLIP_SUFFIXES, Moment, open_clip
from mm_memgpt.datasets.clip_size import stated_size
from mm_memgpt.datasets.clip_tracks import GREY, JUMP, FilmShot, Pictures, Sound
from mm_memgpt.datasets.photo import MAX_PIXELS, PHOTO_SUFFIXES
from mm_memgpt.types import InputError

WIDTH, HEIGHT, FPS, RATE, SIDE = 64, 48, 25, 44100, 12
TOP = 10
KINDS = {
    "mp4": {},
    "mov": {},
    "matroska": {},
    "webm": {"video": "libvpx", "audio": "libopus", "rate": 48000},
    "avi": {"video": "mpeg4", "audio": "mp2"},
    "mpegts": {},
}


def drawn(seconds: float, still: bool = False) -> np.ndarray:
    """A yellow square on grey, 20 pixels further to the right every second, and then from the left again."""
    pixels = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    left = 0 if still else int(seconds * 20 + 1e-6) % (WIDTH - SIDE)
    pixels[TOP : TOP + SIDE, left : left + SIDE] = (230, 200, 30)
    return pixels


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * math.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def render(
    form: str = "mp4",
    video: str | None = "libx264",
    audio: str | None = "aac",
    *,
    times: Sequence[float] | None = None,
    seconds: float = 2.4,
    rate: int = RATE,
    sound: np.ndarray | None = None,
    layout: str = "stereo",
    start: float = 0.0,
    sound_start: float = 0.0,
    still: bool = False,
    **options: str,
) -> bytes:
    """A clip of the moving square with a tone. Frames are at `times` seconds, 25 a second by default."""
    folder = tempfile.TemporaryDirectory()
    file = Path(folder.name) / "clip"  # to put the index first, FFmpeg needs a file
    container = av.open(str(file), "w", format=form, options=options)
    pictures = hears = None
    if video is not None:
        pictures = container.add_stream(video, rate=FPS)
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 1000)
        pictures.options = {"deadline": "realtime", "cpu-used": "8"} if video == "libvpx" else {}
    if audio is not None:
        hears = container.add_stream(audio, rate=rate, layout=layout)
    values, done = tone(seconds, rate) if sound is None else sound, 0
    times = [number / FPS for number in range(round(seconds * FPS))] if times is None else times
    for when in [*times, math.inf]:
        while hears is not None and done < min(values.size, when * rate):
            part = np.tile(values[done : done + 1024], (len(hears.layout.channels), 1))
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = done + round((start + sound_start) * rate)
            container.mux(hears.encode(frame))
            done += part.shape[1]
        if pictures is not None and when < math.inf:
            frame = av.VideoFrame.from_ndarray(drawn(when, still), "rgb24")
            frame.time_base, frame.pts = Fraction(1, 1000), round((start + when) * 1000)
            container.mux(pictures.encode(frame))
    for stream in filter(None, (pictures, hears)):
        container.mux(stream.encode(None))
    container.close()
    with folder:
        return file.read_bytes()


def wav(values: np.ndarray, rate: int = 16000, layout: str = "mono", codec: str = "pcm_f32le") -> bytes:
    """Samples (channels, t) as a WAV file."""
    file = io.BytesIO()
    container = av.open(file, "w", format="wav")
    stream = container.add_stream(codec, rate=rate, layout=layout)
    form = stream.codec_context.format.name
    packed = np.ascontiguousarray(values.T).reshape(1, -1)  # (1, t*channels)
    container.mux(stream.encode(sounding(packed, rate, 0, form, layout)))
    container.mux(stream.encode(None))
    container.close()
    return file.getvalue()


def sounding(packed: np.ndarray, rate: int, pts: int | None, form: str = "flt", layout: str = "mono") -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(packed, format=form, layout=layout)
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), pts
    return frame


def read(source: object, **options: object) -> tuple[list[Moment], str]:
    """All moments, and the line that ended them, or ''."""
    moments, line = [], ""
    try:
        with open_clip(source, **options) as clip:
            for moment in clip:
                moments.append(moment)
    except InputError as error:
        line = str(error)
    assert "\n" not in line
    return moments, line


def frames(moments: Sequence[Moment]) -> list[Moment]:
    return [moment for moment in moments if moment.photo is not None]


def pieces(moments: Sequence[Moment]) -> list[Moment]:
    return [moment for moment in moments if moment.samples is not None]


def starts(moments: Sequence[Moment]) -> list[float]:
    return [round(moment.start, 3) for moment in moments]


def left(photo: Image.Image) -> int:
    """Where the square begins."""
    return int(np.nonzero(np.asarray(photo)[TOP + SIDE // 2, :, 0] > 150)[0][0])


def refusal(source: object, **options: object) -> str:
    moments, line = read(source, **options)
    assert moments == []
    return line


@pytest.fixture(scope="module")
def clip() -> bytes:
    return render(movflags="faststart")


@pytest.mark.parametrize("form", KINDS)
def test_frames_and_sound_of_every_container_have_their_true_times(form):
    moments, line = read(render(form, **KINDS[form]), every=0.4, alike=None)
    assert line == ""
    shown, heard = frames(moments), pieces(moments)
    offset = shown[0].start  # priming of the sound, which some containers keep, comes before the first frame
    assert 0 <= offset < 0.05
    assert [moment.start - offset for moment in shown] == pytest.approx([0, 0.4, 0.8, 1.2, 1.6, 2.0], abs=2e-3)
    assert [moment.end for moment in shown[:-1]] == [moment.start for moment in shown[1:]]
    assert shown[-1].end - offset == pytest.approx(2.4, abs=0.045)
    assert [abs(left(moment.photo) - 8 * number) <= 1 for number, moment in enumerate(shown)] == [True] * 6
    assert starts(heard) == [0.0, 0.975, 1.95]
    assert heard[-1].end == pytest.approx(2.4, abs=0.08)
    assert all(moment.samples.shape == (15600,) for moment in heard)


def test_a_moment_comes_when_it_is_over(clip):
    moments, _ = read(clip, every=0, alike=None)
    assert len(moments) == 63
    assert [moment.end for moment in moments] == sorted(moment.end for moment in moments)


def test_a_path_bytes_an_open_file_and_a_stream_that_cannot_seek_are_read_alike(clip, tmp_path):
    path = tmp_path / "clip.txt"  # what it is is read, not what it is called
    path.write_bytes(clip)
    wanted = [(moment.start, moment.end) for moment in read(clip)[0]]
    assert len(wanted) == 6
    reading, writing = os.pipe()
    with path.open("rb") as file, os.fdopen(reading, "rb") as pipe:
        threading.Thread(target=lambda: [os.fdopen(writing, "wb").write(clip)]).start()
        for source in (path, str(path), file, pipe):
            moments, line = read(source)
            assert line == ""
            assert [(moment.start, moment.end) for moment in moments] == wanted
        assert not file.closed


def test_the_tone_is_heard_at_the_rate_asked_for(clip):
    for rate in (8000, 16000):
        samples = pieces(read(clip, rate=rate)[0])[1].samples
        assert samples.dtype == torch.float32
        assert samples.shape == (round(0.975 * rate),)
        loudest = torch.fft.rfft(samples).abs().argmax() / 0.975
        assert loudest == pytest.approx(440, abs=1.1)
        assert samples.abs().max() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_click_is_heard_when_it_was(rate):
    values = np.zeros((1, 2 * rate), np.float32)
    values[0, rate] = 0.9
    moments, _ = read(wav(values, rate))
    together = torch.cat([moment.samples for moment in moments])
    assert together.abs().argmax().item() / 16000 == pytest.approx(1.0, abs=1.5 / 16000)
    assert moments[-1].end == 2.0
    assert together[32000:].abs().max() == 0  # the last piece is filled up


def test_samples_of_any_kind_and_number_of_channels_are_one_channel():
    values = np.stack([tone(0.5, 16000), np.zeros(8000, np.float32)])  # (c, t)
    stereo = pieces(read(wav(values, layout="stereo"))[0])[0].samples
    assert torch.allclose(stereo[:8000], torch.from_numpy(values.mean(0)), atol=1e-4)
    for codec, step, high in (
        ("pcm_u8", np.uint8, 255),
        ("pcm_s16le", np.int16, 65535),
        ("pcm_s24le", np.int32, 65535),
    ):
        whole = np.rint(values[:1] * (high / 2) + (128 if step is np.uint8 else 0)).astype(np.int64)
        whole = whole * 65536 if step is np.int32 else whole
        got = pieces(read(wav(whole.astype(step), codec=codec))[0])[0].samples[:8000]
        assert torch.allclose(got, torch.from_numpy(values[0]), atol=2.1 / high), codec
    six = pieces(read(wav(np.tile(values[:1], (6, 1)), layout="5.1"))[0])[0].samples[:8000]
    assert torch.corrcoef(torch.stack([six, torch.from_numpy(values[0])]))[0, 1] > 0.999


def test_a_start_offset_is_taken_off_both_tracks_once():
    late = read(render(start=7.0, sound_start=0.5), every=0.4, alike=None)[0]
    shown, heard = frames(late), pieces(late)
    assert starts(shown)[:3] == [0.0, 0.4, 0.8]
    assert heard[0].start == pytest.approx(0.5, abs=0.025)  # less the priming of the coder
    early = read(render(start=7.0, sound_start=-0.5), every=0.4, alike=None)[0]
    assert pieces(early)[0].start == 0
    assert frames(early)[0].start == pytest.approx(0.5, abs=0.025)


def test_a_variable_frame_rate_is_kept():
    times = [0.0, 0.1, 0.5, 1.7, 1.8, 2.2]
    moments = frames(read(render(times=times, audio=None), every=None, alike=None)[0])
    assert starts(moments) == times
    assert [round(moment.end, 3) for moment in moments[:-1]] == times[1:]


def test_every_is_the_least_time_between_two_frames():
    times = [0.0, 0.1, 0.5, 1.7, 1.8, 2.2]
    assert starts(frames(read(render(times=times, audio=None), every=0.5, alike=None)[0])) == [0.0, 0.5, 1.7, 2.2]
    assert len(frames(read(render(audio=None, seconds=1.0), every=0, alike=None)[0])) == 25


def test_a_still_scene_gives_one_frame_and_a_moving_square_several(clip):
    [still] = frames(read(render(still=True, sound_start=0.0), every=0)[0])
    assert (still.start, round(still.end, 3)) == (0.0, 2.4)
    moving = frames(read(clip, every=0)[0])
    assert 10 < len(moving) < 60
    assert [moment.end for moment in moving[:-1]] == [moment.start for moment in moving[1:]]
    assert len(frames(read(clip, every=0, alike=None)[0])) == 60
    assert len(frames(read(clip, every=0, alike=255.0)[0])) == 1


def test_a_frame_that_is_skipped_gives_its_time_to_the_one_before():
    times = [number / 10 for number in range(20)]
    pixels = io.BytesIO()
    container = av.open(pixels, "w", format="mp4")
    stream = container.add_stream("libx264", rate=10)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    for when in times:
        container.mux(stream.encode(av.VideoFrame.from_ndarray(drawn(1.0 if when >= 1.3 else 0.0), "rgb24")))
    container.mux(stream.encode(None))
    container.close()
    moments = frames(read(pixels.getvalue(), every=0)[0])
    assert [(round(moment.start, 3), round(moment.end, 3)) for moment in moments] == [(0.0, 1.3), (1.3, 2.0)]


@pytest.mark.parametrize(("audio", "video"), [(None, "libx264"), ("aac", None)])
def test_a_missing_track_is_missing_and_no_error(audio, video):
    moments, line = read(render(audio=audio, video=video))
    assert line == ""
    assert bool(frames(moments)) == (video is not None)
    assert bool(pieces(moments)) == (audio is not None)


def test_the_cover_of_a_song_is_no_picture():
    cover = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(cover, "PNG")
    text = b"\x00image/png\x00\x03\x00" + cover.getvalue()
    frame = b"APIC" + struct.pack(">I", len(text)) + b"\x00\x00" + text
    size = bytes((len(frame) >> shift) & 127 for shift in (21, 14, 7, 0))
    song = b"ID3\x03\x00\x00" + size + frame + render("mp3", video=None, audio="mp3", seconds=1.0)
    with av.open(io.BytesIO(song)) as container:
        assert len(container.streams.video) == 1
    moments, line = read(song)
    assert line == ""
    assert frames(moments) == []
    assert len(pieces(moments)) == 2


def test_a_clip_filmed_on_its_side_is_set_upright():
    data = bytearray(render(audio=None, seconds=0.2))
    matrix = data.index(b"tkhd") + 44  # ISO/IEC 14496-12, section 8.3.2, version 0
    assert struct.unpack(">9i", data[matrix : matrix + 36])[:2] == (65536, 0)
    for turned, transpose in (
        ((0, 1, -1, 0), Image.Transpose.ROTATE_270),
        ((-1, 0, 0, -1), Image.Transpose.ROTATE_180),
    ):
        upright = Image.fromarray(drawn(0)).transpose(transpose)
        a, b, c, d = (65536 * value for value in turned)
        data[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        photo = frames(read(bytes(data))[0])[0].photo
        assert photo.size == upright.size
        assert np.abs(np.asarray(photo).astype(int) - np.asarray(upright)).mean() < 6


def test_frames_are_rgb_and_as_large_as_asked(clip):
    assert {(moment.photo.mode, moment.photo.size) for moment in frames(read(clip)[0])} == {("RGB", (64, 48))}
    assert {moment.photo.size for moment in frames(read(clip, size=32)[0])} == {(32, 24)}
    assert {moment.photo.size for moment in frames(read(clip, size=999)[0])} == {(64, 48)}


def test_a_folder_of_frames_is_a_clip(tmp_path):
    for number in range(12):
        Image.fromarray(drawn(number / 5)).save(tmp_path / f"frame_{number}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    moments, line = read(tmp_path, every=0.4, alike=None, fps=5)
    assert line == ""
    assert starts(moments) == [0.0, 0.4, 0.8, 1.2, 1.6, 2.0]
    assert [left(moment.photo) for moment in moments] == [0, 8, 16, 24, 32, 40]  # frame_10 follows frame_9
    assert moments[-1].end == 2.4
    (tmp_path / "frame_7.png").write_bytes(b"broken")
    moments, line = read(tmp_path, every=0.2, alike=None, fps=5)
    assert len(moments) == 7
    assert line.startswith(f"{tmp_path / 'frame_7.png'}: ")
    assert refusal(tmp_path).endswith("has no clock; say how many make a second, such as fps=25")
    (tmp_path / "empty").mkdir()
    assert "a folder without frames" in refusal(tmp_path / "empty", fps=5)


@pytest.mark.parametrize("form", ["mp4", "matroska", "avi"])
def test_of_a_clip_cut_short_all_that_is_there_is_given_first(form):
    whole = render(form, **KINDS[form], **({"movflags": "faststart"} if form == "mp4" else {}))
    assert stated_size(io.BytesIO(whole)) == len(whole)
    everything = [(moment.start, moment.end) for moment in read(whole, every=0.2, alike=None)[0]]
    there = len(whole) * 7 // 10
    moments, line = read(whole[:there], every=0.2, alike=None, name="holiday")
    assert line == f"holiday: cut short, {there:,} of {len(whole):,} bytes; copy or download it again"
    assert 1.0 < max(moment.end for moment in moments) < 2.4
    assert {(moment.start, moment.end) for moment in frames(moments)[:-1]} <= set(everything)
    assert len(frames(moments)) >= 6


def test_a_clip_cut_short_before_its_index_is_refused():
    whole = render()
    assert "cut short, " in refusal(whole[: len(whole) // 2])


def test_damage_in_the_middle_is_told_at_the_end(clip):
    damaged = bytearray(clip)
    middle = len(clip) // 2
    damaged[middle : middle + 400] = bytes(value ^ 0x5A for value in damaged[middle : middle + 400])
    moments, line = read(bytes(damaged))
    assert "could not be decoded; copy or download it again" in line
    assert max(moment.end for moment in moments) > 2.3


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("nowhere.mp4", "nowhere.mp4: no such file; check the path"),
        (b"", "bytes: empty (0 bytes); copy or download it again"),
        (3, "clip: a value of type int is no clip; give a path, bytes, an open file, "),
        ("ftp://host/clip.mp4", "ftp://host/clip.mp4: addresses of 'ftp' are not read; known: http, https, rtsp,"),
        (
            "/dev/video99",
            "/dev/video99: cannot be opened (No such file or directory); check that it is there and running",
        ),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "bytes: no clip, or one that is broken"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "bytes: no clip, or one that is broken"),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(source, line):
    assert refusal(source).startswith(line)


def test_settings_that_make_no_sense_are_refused(clip):
    for option in ({"every": -1}, {"piece": 0}, {"rate": 0}, {"alike": -0.1}, {"size": 0}):
        assert f"{next(iter(option))} {next(iter(option.values()))} is out of range; try " in refusal(clip, **option)


def test_samples_that_are_no_numbers_end_the_clip_in_one_line():
    values = np.zeros((1, 40000), np.float32)
    values[0, 20000] = np.nan
    moments, line = read(wav(values))
    assert starts(moments) == [0.0]
    assert line == "bytes: its sound holds NaN or infinite values; replace them and save it again"


def test_silence_and_a_hundredth_of_a_second_are_sounds():
    [silence] = read(wav(np.zeros((1, 16000), np.float32)), piece=1.0)[0]
    assert silence.samples.abs().max() == 0
    [short] = read(wav(np.full((1, 160), 0.25, np.float32)))[0]
    assert (short.start, short.end) == (0.0, 0.01)
    assert short.samples.count_nonzero() == 160


def test_a_frame_of_too_many_pixels_is_refused():
    file = io.BytesIO()
    images = [Image.fromarray(drawn(second)) for second in (0, 1)]
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=100)
    bomb = bytearray(file.getvalue())
    assert len(read(bytes(bomb), every=0)[0]) == 2
    side = math.isqrt(MAX_PIXELS) + 1
    bomb[6:10] = struct.pack("<HH", side, side)
    assert refusal(bytes(bomb)).startswith(f"bytes: frames of {side:,} x {side:,} = ")


def test_a_frame_that_grows_too_large_on_the_way_is_refused():
    side = math.isqrt(MAX_PIXELS) + 1
    with pytest.raises(InputError, match="make them smaller first"):
        FilmShot(av.VideoFrame(side, side, "gray"), "clip.ts")


def test_a_list_of_other_files_is_no_clip(clip, tmp_path):
    (tmp_path / "other.mp4").write_bytes(clip)
    for name, content in (
        ("list.mp4", "ffconcat version 1.0\nfile other.mp4\n"),
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.4,\nother.mp4\n#EXT-X-ENDLIST\n"),
    ):
        (tmp_path / name).write_text(content)
        av.open(str(tmp_path / name)).close()  # FFmpeg itself follows it
        assert "no clip, or one that is broken" in refusal(tmp_path / name)


class Drawing:
    """A frame of one shade."""

    def __init__(self, shade: int) -> None:
        self.shade = shade

    def grey(self) -> np.ndarray:
        return np.full((GREY, GREY), self.shade, np.uint8)

    def photo(self, size: int | None) -> Image.Image:
        return Image.new("RGB", (2, 2), (self.shade,) * 3)


def test_a_live_frame_is_not_held_back_for_ever():
    pictures = Pictures(every=0, alike=ALIKE, size=None, hold=3.0, name="camera")
    given = [moment for second in range(8) for moment in pictures.feed(Drawing(9), second, second + 1)]
    given += pictures.finish()
    assert [(moment.start, moment.end) for moment in given] == [(0, 3), (3, 6), (6, 8)]


def test_a_scene_that_changes_slowly_gives_a_frame_once_it_has_changed():
    pictures = Pictures(every=0, alike=2.0, size=None, hold=math.inf, name="dawn")
    given = [moment for second in range(8) for moment in pictures.feed(Drawing(50 + second), second, second + 1)]
    given += pictures.finish()
    assert [moment.start for moment in given] == [0, 2, 4, 6]


def test_a_clock_that_goes_back_a_little_is_passed_over_and_a_lot_is_told():
    pictures = Pictures(every=0, alike=None, size=None, hold=math.inf, name="camera")
    given = [moment for start in (20, 21, 20.5, 22) for moment in pictures.feed(Drawing(0), start, start + 1)]
    assert [(moment.start, moment.end) for moment in given] == [(20, 21), (21, 22)]
    with pytest.raises(InputError, match=r"^camera: its clock goes back from 22\.0 s to 3\.0 s; "):
        list(pictures.feed(Drawing(0), 3, 4))


def test_sound_after_a_gap_has_its_own_time():
    sound, rate = Sound(piece=1.0, rate=16000, name="radio"), 16000
    values, given = np.full((1, 8000), 0.5, np.float32), []
    for start in (0.0, 0.5, 1.0, 5.0, 5.5):  # nothing from 1.5 to 5
        given += sound.feed(sounding(values, rate, round(start * rate)))
    given += sound.finish()
    assert [(moment.start, moment.end) for moment in given] == [(0, 1), (1, 1.5), (5, 6)]
    assert given[1].samples[8000:].abs().max() == 0


def test_sound_that_changes_its_kind_goes_on():
    sound, given = Sound(piece=1.0, rate=16000, name="radio"), []
    given += sound.feed(sounding(np.full((1, 8000), 0.5, np.float32), 16000, 0))
    given += sound.feed(sounding(np.full((1, 16000), 0.25, np.float32), 8000, 4000, layout="stereo"))
    given += sound.finish()
    assert [(moment.start, moment.end) for moment in given] == [(0, 0.5), (0.5, 1.5)]
    assert given[0].samples[4000] == pytest.approx(0.5, abs=1e-3)
    assert given[1].samples[8000] == pytest.approx(0.25, abs=1e-3)


def serve(data: bytes, stall: float = 0.0, answer: bool = True) -> str:
    """The address of a server on loopback that sends this, waits, and hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        connection, _ = server.accept()
        with connection, server:
            connection.recv(4096)
            if answer:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n" + data)
            time.sleep(stall)

    threading.Thread(target=run, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/live"


def test_a_stream_that_ends_is_an_end():
    stream = render("mpegts")
    wanted = [(moment.start, moment.end) for moment in read(stream)[0]]
    moments, line = read(serve(stream))
    assert line == ""
    assert [(moment.start, moment.end) for moment in moments] == wanted


def test_a_stream_that_stalls_ends_in_one_line_and_keeps_what_came(monkeypatch):
    monkeypatch.setattr(clip_source, "TIMEOUT", 0.5)
    stream = render("mpegts")
    address = serve(stream[: len(stream) * 8 // 10], stall=30)
    began = time.monotonic()
    moments, line = read(address)
    assert line == f"{address}: stalled, nothing came for 0.5 s; check the stream and start again"
    assert max(moment.end for moment in moments) > 1.2
    assert time.monotonic() - began < 15
    address = serve(b"", stall=5, answer=False)
    assert refusal(address) == f"{address}: no answer within 0.5 s; check that it is running"


def open_files() -> list[str]:
    places = []
    for number in os.listdir("/proc/self/fd"):
        try:
            places.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    return places


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed on Linux only")
def test_a_clip_left_early_is_closed(clip, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    with open_clip(path) as opened:
        next(opened)
        assert str(path) in open_files()
    assert str(path) not in open_files()
    assert list(opened) == []
    list(open_clip(path))  # read to its end, it is closed by itself
    gc.collect()
    assert str(path) not in open_files()


def test_endings_of_clips_are_none_of_photos():
    assert {".mp4", ".mkv", ".webm", ".mov", ".avi"} <= CLIP_SUFFIXES
    assert not CLIP_SUFFIXES & PHOTO_SUFFIXES


def repeat(path: Path, turns: int) -> None:
    """Ten seconds of picture and sound written again and again, each time 10.04 seconds later."""
    source = render("matroska", seconds=10.0)
    with av.open(str(path), "w", format="matroska") as out:
        for turn in range(turns):
            with av.open(io.BytesIO(source)) as container:
                if turn == 0:
                    streams = [out.add_stream_from_template(stream) for stream in container.streams]
                for packet in container.demux():
                    if packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + turn * 10040, packet.dts + turn * 10040
                        packet.stream = streams[packet.stream.index]
                        out.mux(packet)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is read from /proc")
def test_ten_minutes_take_no_more_memory_than_one(tmp_path):
    repeat(tmp_path / "long.mkv", turns=60)
    sizes = []
    for moment in open_clip(tmp_path / "long.mkv"):
        if moment.samples is not None:
            sizes.append(
                (moment.end, int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
            )
    assert sizes[-1][0] == pytest.approx(602.38, abs=JUMP + 0.02)
    after_a_minute = next(size for end, size in sizes if end > 60)
    assert max(size for end, size in sizes if end > 60) - after_a_minute < 10e6


@pytest.mark.data
def test_filmed_sentences_are_read_with_their_sound(data_folder):
    table = pq.read_table(data_folder / "video" / "grid_s1_test.parquet").slice(0, 3).to_pylist()
    for row in table:
        moments, line = read(row["video"]["bytes"], every=None, alike=None)
        assert line == ""
        assert len(frames(moments)) == row["frames"]
        assert frames(moments)[-1].end == pytest.approx(row["duration"], abs=0.05)
        assert pieces(moments)[-1].end == pytest.approx(row["duration"], abs=0.1)
        assert frames(moments)[0].photo.size == (row["width"], row["height"])
