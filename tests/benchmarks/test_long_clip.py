"""A long clip is rendered without a seam, and watching it takes no more memory later than in its first minute."""

import json
from pathlib import Path

import numpy as np
import pytest

from mm_memgpt.datasets.clip import open_clip

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from Linux")


def test_scenes_follow_each_other_without_a_seam(tmp_path):
    from benchmarks.long_clip import FPS, SECONDS, render

    render(tmp_path / "long.mp4", minutes=0.35, scenes=1)
    with open_clip(tmp_path / "long.mp4", every=0, alike=None, size=16) as clip:
        moments = list(clip)
    shown = [moment for moment in moments if moment.photo is not None]
    heard = [moment for moment in moments if moment.samples is not None]
    assert len(shown) == 2 * SECONDS * FPS
    assert [moment.start for moment in shown] == pytest.approx([n / FPS for n in range(len(shown))], abs=2e-3)
    assert [moment.start for moment in heard[1:]] == pytest.approx([moment.end for moment in heard[:-1]], abs=1e-6)
    assert heard[-1].end == pytest.approx(2 * SECONDS, abs=0.05)


def test_some_scenes_move_and_some_stand_still():
    from benchmarks.long_clip import scene

    (still, _), (moving, _) = scene(0), scene(1)
    assert np.array_equal(still[0], still[-1])
    assert not np.array_equal(moving[0], moving[-1])


def test_a_model_that_is_not_there_is_one_line(capsys):
    from benchmarks.long_clip import main

    assert main(["--model", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("error: nowhere: no such model; ")


@pytest.mark.slow
def test_a_later_minute_takes_no_more_memory_than_the_first(tiny_model_folder, tmp_path, capsys):
    from benchmarks.long_clip import HEAD, main

    output = tmp_path / "found.json"
    given = ["--model", str(tiny_model_folder), "--beams", "1", "--scenes", "3", "--output", str(output)]
    assert main(["--minutes", "2.5", *given]) == 0
    found = json.loads(output.read_text())
    first, *later = found["peaks"]
    assert len(later) == 2
    assert max(later) - first < 50
    assert found["items"]["audio"] == pytest.approx(found["length"] / 0.975, abs=2)
    assert found["items"]["image"] > 60
    assert found["slots"] == 6  # all that the tiny bank has
    assert len(capsys.readouterr().out.splitlines()) == len(HEAD) + 1
