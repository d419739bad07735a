"""The part of a clip that is given is where it moves most, whatever the rest shows, and order is kept."""

import io
from itertools import pairwise

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mm_memgpt.datasets.clip import open_clip
from mm_memgpt.datasets.clip_region import CELLS, SETTLE, SHARE, Region, check_region, crop, liveliest, motion, small
from mm_memgpt.datasets.clip_tracks import Pictures
from mm_memgpt.types import InputError

FPS, WIDTH, HEIGHT = 10, 80, 48
EYES, MOUTH = (20, 8), (44, 36)
"""Columns and rows of what moves: above, the louder but briefer; below, what moves all the time."""


class Drawn:
    """A frame that is drawn when asked for, as a shot of a clip."""

    def __init__(self, number: int, eyes: int = 0, mouth: int = 0) -> None:
        rng = np.random.default_rng(number)
        self.pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        for (column, row), strength in ((EYES, eyes), (MOUTH, mouth)):
            lighter = rng.integers(0, strength + 1, (6, 10, 1), np.uint8)
            self.pixels[row - 3 : row + 3, column - 5 : column + 5] += lighter

    def grey(self) -> np.ndarray:
        raise AssertionError("no frame is left out here")

    def photo(self, size: int | None) -> Image.Image:
        return Image.fromarray(self.pixels)


def track(region, shots) -> tuple[Region, list]:
    """A track that was fed one shot after another, and its moments, each with the clock at which it came."""
    given = Region(Pictures(0.0, None, None, float("inf"), "drawn"), region)
    moments = []
    for number, shot in enumerate(shots):
        moments += [(moment, given.clock) for moment in given.feed(shot, number / FPS, (number + 1) / FPS)]
    moments += [(moment, given.clock) for moment in given.finish()]
    return given, moments


def holds(window, place) -> bool:
    left, top, right, bottom = window
    return left <= place[0] / WIDTH <= right and top <= place[1] / HEIGHT <= bottom


def moved(**cells: float) -> np.ndarray:
    """Motion (h, w) of 1.5 everywhere, and in blocks of 8 x 8 cells whose names say row and column, r8c20."""
    values = np.full((CELLS, CELLS), 1.5, np.float32)
    for name, value in cells.items():
        row, column = map(int, name[1:].split("c"))
        values[row : row + 8, column : column + 8] = value
    return values


def middle(window) -> tuple[float, float]:
    return (window[0] + window[2]) / 2 * CELLS, (window[1] + window[3]) / 2 * CELLS


def test_motion_is_the_mean_change_from_frame_to_frame():
    greys = np.array([[[0, 10]], [[200, 10]], [[0, 40]]], np.uint8)
    assert motion(greys).tolist() == [[200.0, 15.0]]  # unsigned differences would wrap


def test_the_window_lies_on_what_moves_below_the_middle_of_all_motion_even_where_more_moves_above():
    window = liveliest(moved(r8c10=30, r8c24=30, r26c17=25))
    assert middle(window) == (pytest.approx(21), pytest.approx(30))
    assert window[2] - window[0] == pytest.approx(SHARE)


@pytest.mark.parametrize("name", ["r0c0", "r32c32", "r0c32", "r32c0"])
def test_a_window_at_the_edge_stays_whole_and_inside(name):
    left, top, right, bottom = liveliest(moved(**{name: 20.0}))
    assert min(left, top) >= 0
    assert max(right, bottom) <= 1
    assert (right - left, bottom - top) == (pytest.approx(SHARE), pytest.approx(SHARE))


def test_noise_that_is_everywhere_is_no_motion():
    noise = np.random.default_rng(0).uniform(1.0, 1.9, (CELLS, CELLS))
    assert liveliest(noise) is None
    assert liveliest(np.zeros((CELLS, CELLS))) is None


def test_a_fixed_window_is_cropped_at_once():
    given, moments = track((0.25, 0.5, 0.75, 1.0), [Drawn(number, mouth=100) for number in range(3)])
    assert [moment.photo.size for moment, _ in moments] == [(WIDTH // 2, HEIGHT // 2)] * 3
    assert np.array_equal(np.asarray(moments[0][0].photo), Drawn(0, mouth=100).pixels[24:, 20:60])
    assert given.first == 0.0


def test_a_window_smaller_than_a_pixel_holds_one():
    assert crop(Image.new("RGB", (3, 2)), (0.5, 0.5, 0.51, 0.51)).size == (1, 1)


def test_frames_follow_what_moves_and_keep_their_times():
    calm = [Drawn(number, mouth=100) for number in range(40)]
    moments = [moment for moment, _ in track("motion", calm)[1]]
    assert [(moment.start, moment.end) for moment in moments] == [(n / FPS, (n + 1) / FPS) for n in range(40)]
    given = np.asarray(moments[5].photo).astype(int)
    assert given.shape == (round(HEIGHT * SHARE), round(WIDTH * SHARE), 3)
    shown = Drawn(5, mouth=100).pixels[MOUTH[1] - 3 : MOUTH[1] + 3, MOUTH[0] - 5 : MOUTH[0] + 5]
    assert np.isin(shown, given).all()
    assert (given != 90).any(-1).sum() >= 0.9 * (shown != 90).any(-1).sum()


def test_the_window_moves_on_with_what_moves_and_stays_where_nothing_does():
    stretch = round(SETTLE * FPS)
    shots = [Drawn(n, mouth=100) for n in range(stretch)]
    shots += [Drawn(0)] * stretch + [Drawn(n, eyes=100) for n in range(3 * stretch)]
    given, moments = track("motion", shots[: 2 * stretch])
    assert holds(given._window, MOUTH)
    given, moments = track("motion", shots)
    assert holds(given._window, EYES)
    assert len(moments) == len(shots)


def test_a_still_clip_is_given_whole():
    _, moments = track("motion", [Drawn(0)] * 5)
    assert {moment.photo.size for moment, _ in moments} == {(WIDTH, HEIGHT)}


def test_the_clock_never_runs_ahead_of_a_frame_that_still_waits():
    _, moments = track("motion", [Drawn(number, mouth=100) for number in range(75)])
    ends = [moment.end for moment, _ in moments]
    assert all(clock <= later for (_, clock), later in zip(moments, ends[1:], strict=False))
    assert moments[-1][1] == float("inf")


def test_large_frames_wait_for_a_shorter_time(monkeypatch):
    monkeypatch.setattr("mm_memgpt.datasets.clip_region.WAITING", 4 * WIDTH * HEIGHT)
    given = Region(Pictures(0.0, None, None, float("inf"), "drawn"), "motion")
    waiting = []
    for number in range(20):
        list(given.feed(Drawn(number, mouth=100), number / FPS, (number + 1) / FPS))
        waiting.append(len(given._waiting))
    assert max(waiting) == 3


def clip_with_sound(seconds: float = 4.0) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        pictures = container.add_stream("libx264", rate=FPS)
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        heard = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for number in range(round(seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(Drawn(number, mouth=120).pixels, "rgb24")
            frame.pts = number
            container.mux(pictures.encode(frame))
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000 // FPS), np.int16), "s16", "mono")
            sound.sample_rate, sound.pts = 8000, number * 8000 // FPS
            container.mux(heard.encode(sound))
        for stream in (pictures, heard):
            container.mux(stream.encode(None))
    return file.getvalue()


def test_a_clip_keeps_its_order_times_and_sound_when_only_a_part_is_given():
    content = clip_with_sound()
    options = {"every": None, "alike": None, "piece": 0.5}
    whole = list(open_clip(content, **options))
    part = list(open_clip(content, region="motion", **options))
    assert [moment[:2] for moment in part] == [moment[:2] for moment in whole]
    assert all(one.end <= other.end for one, other in pairwise(part))
    assert {moment.photo.size for moment in part if moment.photo} == {(22, 13)}


@pytest.mark.parametrize("region", ["mouth", (0.5, 0.0, 0.5, 1.0), (0, 0, 1), (0.0, -0.1, 1.0, 1.0), (0, 0, 1, 1.2)])
def test_a_region_that_is_none_is_refused_with_the_way_out(region):
    with pytest.raises(InputError, match=r"clip: region .* is no part of a picture; give .motion., or shares") as error:
        check_region(region, "clip")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="region"):
        open_clip(b"", region=region)


@pytest.mark.data
def test_the_mouth_of_a_talker_is_found(data_folder):
    file = pq.ParquetFile(data_folder / "video/grid_s1_train.parquet")
    rows = next(file.iter_batches(8, columns=["video"])).to_pylist()
    for row in rows:
        with open_clip(row["video"]["bytes"], 0.08, alike=None) as clip:
            greys = np.stack([small(moment.photo) for moment in clip if moment.photo is not None])
        left, top, right, bottom = liveliest(motion(greys))
        assert abs((left + right) / 2 - 0.42) < 0.07  # where the lips are, by eye, in frames of 160 x 128
        assert abs((top + bottom) / 2 - 0.76) < 0.09
