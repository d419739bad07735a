"""The camera sees most of the photo at all times, moves smoothly, and its clips are watched as files are."""

from random import Random

import numpy as np
import pytest
from PIL import Image

from mm_memgpt.datasets.camera import SECONDS, Move, draw_move, frames, move_of, render, watched
from mm_memgpt.datasets.clip import open_clip
from mm_memgpt.datasets.clip_tracks import difference

MOVES = [draw_move(Random(f"{number}")) for number in range(200)]


def windows(move: Move, fps: int = 20) -> np.ndarray:
    """(n, 4): where the camera looks, frame by frame, from the first moment to the last."""
    count = round(fps * move.seconds)
    return np.array([move.window(number / fps) for number in range(count + 1)])


def areas(seen: np.ndarray) -> np.ndarray:
    return (seen[:, 2] - seen[:, 0]) * (seen[:, 3] - seen[:, 1])


def test_more_than_half_of_the_photo_and_nothing_else_is_seen_at_all_times():
    seen = np.concatenate([windows(move) for move in MOVES])
    assert areas(seen).min() > 0.55
    assert seen.min() >= 0
    assert seen.max() <= 1 + 1e-9
    np.testing.assert_allclose(seen[:, 2] - seen[:, 0], seen[:, 3] - seen[:, 1])  # the photo's own proportions


def test_it_pans_and_zooms_in_and_out_over_a_way_that_can_be_seen():
    kinds = {"pan": 0, "in": 0, "out": 0}
    for seen in map(windows, MOVES):
        grown = np.diff(areas(seen))
        pans = np.abs(grown).max() < 1e-9
        assert pans or grown.min() >= -1e-9 or grown.max() <= 1e-9
        kinds["pan" if pans else "in" if grown.sum() < 0 else "out"] += 1
        assert np.abs(seen[-1] - seen[0]).max() >= 0.05
    assert min(kinds.values()) > 40
    assert {move.seconds for move in MOVES} == set(SECONDS)


def test_it_starts_and_stops_gently_and_never_jumps():
    for seen in map(windows, MOVES):
        steps = np.abs(np.diff(seen, axis=0)).max(1)
        assert steps.max() < 1.6 * steps.mean()
        assert max(steps[0], steps[-1]) < 0.2 * steps.mean()


def test_the_name_of_a_sample_decides_wherever_the_data_lie():
    here, there = (move_of(f"{folder}train.parquet:17") for folder in ("", "/data/flickr8k/"))
    assert here == there
    others = {move_of("train.parquet:18"), move_of("val.parquet:17"), move_of("train.parquet:17", "again")}
    assert len({here, *others}) == 4


def test_a_frame_is_the_part_of_the_photo_in_its_window():
    across, down = np.meshgrid(np.arange(120), np.arange(81))
    photo = Image.fromarray(np.stack([2 * across, 3 * down, 0 * down], -1).astype(np.uint8))
    [seen] = frames(photo, [(0.25, 0.1, 1.0, 0.9)])
    assert seen.size == (120, 80)
    pixels = np.asarray(seen).astype(float)
    place = (np.arange(120) + 0.5) / 120
    np.testing.assert_allclose(pixels[40, :, 0], 2 * (120 * (0.25 + 0.75 * place) - 0.5), atol=1.5)
    place = (np.arange(80) + 0.5) / 80
    np.testing.assert_allclose(pixels[:, 60, 1], 3 * (81 * (0.1 + 0.8 * place) - 0.5), atol=1.5)


def scenery() -> Image.Image:
    """A photo of large soft patches."""
    pixels = np.random.default_rng(3).integers(60, 200, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((97, 72), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_frames_of_training_are_those_that_are_kept_of_the_clip_as_a_file(number):
    move = MOVES[number]
    due, found = watched(scenery(), move), list(open_clip(render(scenery(), move)))
    assert len(due) == len(found) == (3 if move.seconds <= 3 else 4)
    assert [moment.start for moment in due] == [0, 1, 2, 3][: len(due)]
    assert due[-1].end == move.seconds
    assert [moment[:2] for moment in found] == [pytest.approx(moment[:2], abs=1e-3) for moment in due]
    apart = [[difference(*map(np.asarray, (one.photo, other.photo))) for other in found] for one in due]
    assert [np.argmin(row) for row in apart] == list(range(len(due)))
    assert max(min(row) for row in apart) < 3


def test_of_a_photo_without_anything_on_it_one_frame_is_kept():
    [moment] = watched(Image.new("RGB", (40, 30), "teal"), MOVES[0])
    assert (moment.start, moment.end) == (0, MOVES[0].seconds)
