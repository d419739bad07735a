"""A clip becomes a view that stays as large however long it is: a memory, a few frames, and what was odd."""

import numpy as np
import pytest
import torch

from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.serve import watching
from mm_memgpt.serve.watching import SIDE, View, watched


@pytest.fixture(scope="module")
def model(tiny_model_folder) -> Pipeline:
    return load(tiny_model_folder, "cpu")


@pytest.fixture(scope="module")
def deaf(tiny_model_folder) -> Pipeline:
    model = load(tiny_model_folder, "cpu")
    model.model.audio_encoder = None
    return model


def last(views) -> View:
    *_, view = views
    return view


def test_every_frame_is_shown_as_it_comes_with_what_watching_says_of_it(model, film, tmp_path):
    clip = film(tmp_path / "clip.mkv", shades=(40, 40, 120, 200), sound=False)
    views = list(watched(model, clip, "mine"))
    assert [len(view.frames) for view in views] == [1, 2, 3, 3]
    due, found = list(model.watch(clip, beams=1)), views[-1].frames
    assert [frame.start for frame in found] == [glimpse.start for glimpse in due] == [0, 2, 3]
    assert [frame.said for frame in found] == [glimpse.caption.text for glimpse in due]
    brightness = [np.asarray(frame.photo).mean() for frame in found]
    assert brightness == pytest.approx([0.75 * shade + 32 for shade in (40, 120, 200)], abs=15)


def test_what_is_remembered_is_what_watching_remembers(model, film, tmp_path):
    clip = film(tmp_path / "clip.mkv", shades=(40, 200))
    *_, whole = model.watch(clip, beams=1)
    view = last(watched(model, clip, "mine"))
    assert set(view.state.modality[0, view.state.items[0] > 0].tolist()) == {0, 1}
    for mine, theirs in zip(view.state, whole.state, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_of_a_long_clip_a_few_frames_stay_evenly_apart(model, film, tmp_path, monkeypatch):
    written, write = [], model.decode_each
    monkeypatch.setattr(watching, "MOST", 4)
    monkeypatch.setattr(model, "decode_each", lambda *given, **how: written.append(0) or write(*given, **how))
    views = list(watched(model, film(tmp_path / "long.mkv", shades=range(0, 242, 22), sound=False), "long"))
    assert [len(view.frames) for view in views] == [1, 2, 3, 4, 3, 4, 3, 3]
    assert (views[-1].seen, views[-1].stride) == (11, 4)
    assert [frame.start for frame in views[-1].frames] == [0, 4, 8]
    assert len(written) == 7  # frames 0 to 4, then 6 and 8


def test_a_large_frame_is_shown_small(model, tmp_path):
    import av
    from PIL import Image

    with av.open(str(tmp_path / "large.mkv"), "w") as container:
        pictures = container.add_stream("mpeg4", rate=1)
        pictures.width, pictures.height, pictures.pix_fmt = 3 * SIDE, SIDE, "yuv420p"
        frame = av.VideoFrame.from_image(Image.radial_gradient("L").convert("RGB").resize((3 * SIDE, SIDE)))
        container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
    [frame] = last(watched(model, tmp_path / "large.mkv", "large")).frames
    assert frame.photo.size == (SIDE, round(SIDE / 3))


def test_what_came_before_a_break_stays(model, film, tmp_path):
    whole = film(tmp_path / "whole.mp4", shades=range(0, 240, 20), sound=False).read_bytes()
    (tmp_path / "a1b2.mp4").write_bytes(whole[: -len(whole) // 3])
    view = last(watched(model, tmp_path / "a1b2.mp4", "mine.mp4"))
    assert str(view.problem).startswith("mine.mp4: cut short, ")
    assert 3 < view.seen < 12
    assert len(view.frames) == view.seen == int(view.state.items.sum())


def test_a_silent_sound_track_is_counted_and_the_frames_are_seen(model, tmp_path):
    clip = quiet(tmp_path / "quiet.mkv", pictures=True)
    view = last(watched(model, clip, "quiet"))
    assert view.problem is None
    assert (view.seen, view.heard, view.loudest) == (1, 3, 0)


def test_without_ears_the_pictures_are_watched_and_the_sound_is_counted(deaf, film, tmp_path):
    view = last(watched(deaf, film(tmp_path / "clip.mkv"), "clip"))
    assert (view.seen, len(view.frames), view.problem) == (3, 3, None)
    assert set(view.state.modality[0, view.state.items[0] > 0].tolist()) == {0}
    assert view.heard >= 3
    assert view.loudest == pytest.approx(0.5, abs=0.2)


def test_a_clip_with_nothing_to_perceive_is_one_line(model, deaf, film, tmp_path):
    song = film(tmp_path / "song.mkv", shades=(), seconds=2)
    view = last(watched(deaf, song, "song.mkv"))
    assert str(view.problem).startswith("song.mkv: holds no picture, and this model has no ears; take one that hears")
    assert view.frames == ()
    assert not view.state.items.any()
    assert last(watched(model, song, "song.mkv")).problem is None
    view = last(watched(model, quiet(tmp_path / "quiet.mkv", pictures=False), "quiet.mkv"))
    assert str(view.problem) == ("quiet.mkv: holds no picture, and its sound is silent; give a clip with one of them")
    assert not view.state.items.any()


def quiet(path, pictures: bool):
    """Three seconds of silence, beside one frame or none."""
    import av

    with av.open(str(path), "w") as container:
        seen = container.add_stream("mpeg4", rate=1) if pictures else None
        heard = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        if seen is not None:
            seen.width, seen.height, seen.pix_fmt = 64, 48, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")
            container.mux(seen.encode(frame))
            container.mux(seen.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 46_800), np.int16), "s16", "mono")
        frame.sample_rate = 16_000
        container.mux(heard.encode(frame))
        container.mux(heard.encode(None))
    return path
