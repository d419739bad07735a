"""What the page says of a clip: the sentence about it all, what was kept, and what went wrong, each in its place."""

import pytest

from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.serve.clip import describe, facts, shown, so_far
from mm_memgpt.serve.watching import View, watched
from mm_memgpt.serve.words import sentence
from mm_memgpt.types import InputError


@pytest.fixture(scope="module")
def model(tiny_model_folder) -> Pipeline:
    return load(tiny_model_folder, "cpu")


@pytest.fixture(scope="module")
def clip(film, tmp_path_factory):
    return film(tmp_path_factory.mktemp("clips") / "clip.mkv")


@pytest.fixture(scope="module")
def views(model, clip) -> list[View]:
    return list(watched(model, clip, "clip"))


def test_the_sentence_sums_up_all_that_was_seen_and_heard(model, clip, views):
    html = describe(model, views[-1], "", beams=2)
    assert html.startswith(sentence(model.caption(clip, beams=2)))
    assert "3 frames kept; 4 pieces of sound heard." in html
    asked = describe(model, views[-1], "A   man", beams=2)
    assert asked.startswith(sentence(model.decode(model.fuse(views[-1].state), "A man", beams=2), prompt="A man"))


def test_frames_come_with_their_second_and_their_sentence(views):
    captions = [caption for _, caption in shown(views[-1])]
    assert captions == [f"0:0{n}.0 {frame.said}" for n, frame in enumerate(views[-1].frames)]
    assert f"0:01.0 {views[1].frames[-1].said}</p>" in so_far(views[1])


def test_what_went_wrong_stands_before_what_was_seen(model, views):
    broken = views[-1]._replace(problem=InputError("<b>.mp4: cut short"))
    html = describe(model, broken, "", beams=1)
    assert html.index("&lt;b&gt;.mp4: cut short") < html.index("mm-sentence")
    nothing = View(model.bank.empty(), problem=InputError("x.mp4: no clip"))
    assert describe(model, nothing, "", beams=1) == '<p class="mm-problem" role="alert">x.mp4: no clip</p>'


def test_a_prompt_that_is_too_long_is_one_line(model, views):
    assert describe(model, views[-1], "what " * 100, beams=1).startswith(
        '<p class="mm-problem" role="alert">prompt of '
    )


def test_the_facts_say_what_was_kept_and_why_nothing_was_heard(views):
    view = views[-1]._replace(seen=1, heard=1, loudest=0.5)
    assert facts(view, hears=True) == "1 frame kept; 1 piece of sound heard."
    assert facts(view._replace(heard=0), hears=True) == "1 frame kept; the clip has no sound."
    assert facts(view._replace(loudest=0.0), hears=True) == "1 frame kept; its sound is silent."
    assert facts(view, hears=False) == "1 frame kept; its sound was not heard."
    long = view._replace(seen=2_000, heard=3_000, stride=128)
    assert facts(long, hears=True) == "2,000 frames kept, one in 128 shown; 3,000 pieces of sound heard."
