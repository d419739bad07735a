"""A clip is watched in constant memory: a sentence about each moment kept, with all before it in mind."""

import pytest
import torch

from mm_memgpt.config import ConfidenceConfig
from mm_memgpt.fusion.fuser import of_newest
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.types import InputError


@pytest.fixture(scope="module")
def model(tiny_model_folder) -> Pipeline:
    return load(tiny_model_folder, device="cpu")


def test_every_frame_kept_is_a_glimpse_in_order(model, film, tmp_path):
    clip = film(tmp_path / "clip.mkv", shades=(40, 40, 120, 200), sound=False)
    glimpses = list(model.watch(clip, beams=1))
    assert [(glimpse.start, glimpse.end) for glimpse in glimpses] == [(0, 2), (2, 3), (3, 4)]
    assert [int(glimpse.state.items.sum()) for glimpse in glimpses] == [1, 2, 3]
    assert all(glimpse.caption is not None for glimpse in glimpses)
    every = list(model.watch(clip, alike=None, beams=1))
    assert [glimpse.start for glimpse in every] == [0, 1, 2, 3]
    seldom = list(model.watch(clip, every=2.0, alike=None, beams=1))
    assert [glimpse.start for glimpse in seldom] == [0, 2]


def test_the_first_glimpse_is_what_a_photo_of_it_would_be(model, film, tmp_path):
    glimpse = next(iter(model.watch(film(tmp_path / "clip.mkv", sound=False))))
    assert glimpse.caption == model.decode(model.fuse(glimpse.state))


def test_a_later_one_is_of_the_newest_item_and_knows_what_came_before(model, film, tmp_path):
    *_, last = model.watch(film(tmp_path / "clip.mkv", sound=False))
    fused = model.fuse(last.state)
    newest = of_newest(fused, last.state)
    p = model.model.config.tokens_per_item
    assert newest.mask[0].tolist() == [False] * 2 * p + [True] * p
    assert torch.equal(newest.tokens, fused.tokens)  # messages from the others are in them
    assert torch.equal(newest.readout, fused.readout)
    features = model.encode(tmp_path / "clip.mkv")
    torch.testing.assert_close(newest.key, features.key[:, -1])
    assert last.caption == model.decode(newest)


def test_rows_of_a_batch_each_have_a_newest_of_their_own(model, film, tmp_path):
    features = model.encode(film(tmp_path / "clip.mkv", sound=False))  # three frames
    both = type(features)(*(torch.cat([part, part]) for part in features))
    both.mask[1, 2] = False  # the second row has two
    state = model.bank.write(model.bank.empty(2), both)
    newest = of_newest(model.fuse(state), state)
    assert newest.mask.unflatten(1, (3, -1)).any(-1).tolist() == [[False, False, True], [False, True, False]]
    torch.testing.assert_close(newest.key, torch.stack([features.key[0, 2], features.key[0, 1]]))


def test_of_sound_alone_there_is_a_sentence_now_and_then(model, film, tmp_path):
    glimpses = list(model.watch(film(tmp_path / "song.mkv", shades=(), seconds=6), every=2.5, beams=1))
    said = [glimpse.caption is not None for glimpse in glimpses]
    assert len(said) == 7
    assert said == [False, False, True, False, False, True, False]  # ends 2.925 and 5.85
    assert int(glimpses[-1].state.items.sum()) == 7


def test_sound_beside_frames_is_remembered_without_a_sentence(model, film, tmp_path):
    glimpses = list(model.watch(film(tmp_path / "clip.mkv"), beams=1))
    frames = [glimpse for glimpse in glimpses if glimpse.caption is not None]
    assert [round(glimpse.start) for glimpse in frames] == [0, 1, 2]
    assert len(glimpses) > 3
    assert set(glimpses[-1].state.modality[0].tolist()) >= {0, 1}


def test_however_long_it_is_the_memory_stays_as_large(model, film, tmp_path):
    glimpses = list(model.watch(film(tmp_path / "long.mkv", shades=range(0, 240, 40)), beams=1))
    assert len({tuple(part.shape for part in glimpse.state) for glimpse in glimpses}) == 1
    assert glimpses[-1].state.items.sum() == len(glimpses) > model.bank.capacity


def test_what_came_before_a_break_is_seen_first(model, film, tmp_path):
    whole = film(tmp_path / "whole.mp4", shades=range(0, 240, 20), sound=False).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: -len(whole) // 3])
    seen = []
    with pytest.raises(InputError, match=r"cut\.mp4: cut short, "):
        seen.extend(glimpse.start for glimpse in model.watch(cut, beams=1))
    # extend keeps what came before the error
    assert seen == sorted(seen)
    assert len(seen) > 3


def test_what_cannot_be_opened_is_one_line(model):
    with pytest.raises(InputError, match=r"^nowhere\.mp4: no such file; check the path$"):
        next(model.watch("nowhere.mp4"))
    with pytest.raises(InputError, match="beams 0"):
        model.watch("nowhere.mp4", beams=0)


def test_looked_at_closely_a_glimpse_is_a_stretch_of_frames_at_the_models_own_pace(model, film, tmp_path):
    clip = film(tmp_path / "clip.mkv", shades=(40, 120), sound=False, fps=25)
    glimpses = list(model.watch(clip, region=(0.25, 0.5, 0.75, 1.0), beams=1))
    motion = model.model.config.motion  # four frames, 0.08 seconds apart: of 25 a second, every other one
    ends = [glimpse.end for glimpse in glimpses]
    assert ends == pytest.approx([motion.seconds * (number + 1) for number in range(6)] + [2.0], abs=0.05)
    assert {int(glimpse.state.items.sum()) for glimpse in glimpses} == set(range(1, 8))
    moving = list(model.watch(clip, region="motion", every=5.0, alike=200.0, beams=1))
    assert [glimpse.end for glimpse in moving] == ends  # every and alike are for whole frames


def test_an_answer_is_without_its_question(model, film, tmp_path):
    fused = model.fuse(model.bank.write(model.bank.empty(), model.encode(film(tmp_path / "clip.mkv"))))
    question = "what is said ?"
    [answer] = model.answer_each(fused, question)
    whole = model.decode(fused, question, beams=1)
    assert question + answer.text == whole.text  # this one goes on without a space
    assert " ".join(word.word for word in answer.words) == answer.text
    assert 0 < answer.confidence <= 1
    with pytest.raises(InputError, match="nothing is asked; give a question"):
        model.answer_each(fused, "  ")


def test_answers_are_as_sure_as_their_words_whatever_captions_were_calibrated_to(tiny_model_folder, film, tmp_path):
    model = load(tiny_model_folder, device="cpu")
    fused = model.fuse(model.bank.write(model.bank.empty(), model.encode(film(tmp_path / "clip.mkv"))))
    plain = [model.answer_each(fused, "what is said ?", beams)[0] for beams in (1, 4)]
    model.model.config.confidence = ConfidenceConfig(signals=("length",), weights=(0.0,), bias=-3.0)
    model.model.config.text.rerank = 100.0
    assert [model.answer_each(fused, "what is said ?", beams)[0] for beams in (1, 4)] == plain


def test_a_model_without_motion_cannot_look_closely(tiny_model_folder, film, tmp_path):
    model = load(tiny_model_folder, device="cpu")
    model.model.motion_encoder = None
    clip = film(tmp_path / "clip.mkv")
    with pytest.raises(
        InputError, match=r"clip\.mkv: this model cannot look closely at a region; leave the region out"
    ):
        next(model.watch(clip, region="motion"))
    assert len(list(model.watch(clip, beams=1))) > 2


def test_a_memory_is_summed_up_by_the_question_that_was_taught_for_that(model, film, tmp_path, monkeypatch):
    state = model.bank.write(model.bank.empty(), model.encode(film(tmp_path / "clip.mkv", sound=False)))
    assert model.summarize(state, beams=1) == model.decode(model.fuse(state), beams=1)
    monkeypatch.setattr(model.model.config, "summary", "a dog")
    summed = model.summarize(state, beams=1)
    asked = model.answer_each(model.fuse(state), "a dog")[0]
    assert summed.text.startswith(asked.text)  # which ends after the few tokens of a caption
    assert len(summed.text) > len(asked.text)
