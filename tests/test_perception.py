"""Photos, sounds, clips and sentences become items of one stream, each at its own time, a group at a time."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mm_memgpt import Sources, Text
from mm_memgpt.perception import GROUP
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.types import MODALITIES, Caption, InputError

IMAGE, AUDIO, TEXT = range(len(MODALITIES))
RATE = 16_000
TONE = (0.5 * np.sin(np.arange(3 * RATE) * 0.17)).astype(np.float32)  # 3 s
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (36, 52, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def model(tiny_model_folder) -> Pipeline:
    return load(tiny_model_folder, device="cpu")


@pytest.fixture(scope="module")
def deaf(tiny_model_folder) -> Pipeline:
    """The same model without ears."""
    model = load(tiny_model_folder, device="cpu")
    model.model.audio_encoder = None
    return model


def refusal(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_mixture_is_one_stream_on_one_clock(model, film, tmp_path):
    clip = film(tmp_path / "clip.mkv", shades=(40, 200))
    features = model.encode([PHOTO, (TONE, RATE), Text("a dog barks"), clip, PHOTO])
    assert features.modality[0].tolist()[:6] == [IMAGE, *[AUDIO] * 4, TEXT]
    assert features.time[0, :6].tolist() == [[0, 0], [1, 1.975], [1.975, 2.95], [2.95, 3.925], [3.925, 4], [4, 4]]
    assert features.source[0].tolist() == [0, 1, 1, 1, 1, 2, *[3] * (features.source.shape[1] - 7), 4]
    watched = features.source[0] == 3
    assert set(features.modality[0, watched].tolist()) == {IMAGE, AUDIO}
    times = features.time[0, watched]
    assert times[:, 0].min() == 5.0
    assert times[:, 1].tolist() == sorted(times[:, 1].tolist())
    assert features.time[0, -1, 0].item() == times.max().item() == pytest.approx(7.0, abs=0.1)
    assert features.key.norm(dim=-1).allclose(torch.ones(1))


def test_photos_among_other_inputs_are_what_they_are_alone(model):
    mixed = model.encode([PHOTO, Text("a dog"), PHOTO.rotate(90)])
    alone = model.encode([PHOTO, PHOTO.rotate(90)])
    assert torch.equal(mixed.tokens[:, [0, 2]], alone.tokens)
    assert torch.equal(mixed.key[:, [0, 2]], alone.key)


def test_a_start_moves_an_input_with_all_its_items(model):
    features = model.encode([(TONE, RATE), PHOTO, Text("a dog")], time=[1.79e9, (3, 4), 5])
    assert features.time[0, [0, 3, 4, 5]].tolist() == [
        [1.79e9, 1.79e9 + 0.975],
        [1.79e9 + 2.925, 1.79e9 + 3],
        [3, 4],
        [5, 5],
    ]


def test_a_path_and_its_samples_are_heard_alike(model, tmp_path):
    soundfile.write(tmp_path / "tone.wav", TONE, RATE, subtype="FLOAT")
    from_path, from_samples = model.encode(tmp_path / "tone.wav"), model.encode((TONE, RATE))
    assert torch.equal(from_path.tokens, from_samples.tokens)
    stereo = model.encode((np.stack([TONE, TONE]), RATE))
    torch.testing.assert_close(stereo.tokens, from_samples.tokens)


def test_names_are_numbers_of_the_table(model, tmp_path):
    sources = Sources()
    model.encode([PHOTO, (TONE[:100], RATE), Text("a dog")], sources=sources)
    assert list(sources) == ["photo 0", "sound 1", "text 2"]


def test_a_sentence_is_the_item_its_key_is_searched_by(model):
    features = model.encode(Text("a dog runs"))
    assert torch.equal(features.key[0], model.text_keys(["a dog runs"]))
    assert features.mask.any()


def test_a_sound_is_written_from_a_memory_of_its_items(model, tmp_path):
    state = model.bank.write(model.bank.empty(), model.encode((TONE, RATE)))
    assert state.items.sum() == 4
    by_steps = model.decode(model.fuse(state))
    assert model.caption((TONE, RATE)) == by_steps
    soundfile.write(tmp_path / "tone.flac", TONE, RATE)
    (path, caption), (_, of_photo) = model.caption_each([tmp_path / "tone.flac", PHOTO])
    assert path.name == "tone.flac"
    assert isinstance(caption, Caption)
    assert of_photo == model.caption(PHOTO)


def test_a_clip_is_read_front_to_back_into_a_bank_of_fixed_size(model, film, tmp_path, monkeypatch):
    clip = film(tmp_path / "clip.mp4", shades=range(0, 250, 12))
    written = []
    write = model.bank.write

    def noticed(state, features):
        written.append(features.key.shape[1])
        return write(state, features)

    monkeypatch.setattr(model.model.bank, "write", noticed)
    caption = model.caption(clip)
    assert isinstance(caption, Caption)
    assert written == [GROUP, GROUP, sum(written) - 2 * GROUP]
    assert sum(written) == pytest.approx(21 + 21.0 / 0.975, abs=1.5)


def test_a_model_without_ears_watches_the_pictures_alone(deaf, film, tmp_path):
    clip = film(tmp_path / "clip.mkv")
    assert deaf.encode(clip).modality.tolist() == [[IMAGE] * 3]
    assert isinstance(deaf.caption(clip), Caption)


def test_a_model_without_ears_says_so_in_one_line(deaf, film, tmp_path):
    way_out = "take one that hears (its config.json has audio), or give photos or clips with pictures"
    song = film(tmp_path / "song.mkv", shades=(), seconds=0.5)
    assert refusal(lambda: deaf.caption((TONE, RATE))) == f"sound: a sound, and this model has no ears; {way_out}"
    assert refusal(lambda: deaf.encode(song)) == f"{song}: holds no picture, and this model has no ears; {way_out}"
    (_, heard), (_, seen) = deaf.caption_each([tmp_path / "none.wav", PHOTO])
    assert isinstance(heard, InputError)
    assert isinstance(seen, Caption)


def test_what_cannot_be_used_keeps_its_place_and_the_rest_is_captioned(model, film, tmp_path):
    whole = film(tmp_path / "whole.mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:-3000])
    (tmp_path / "empty.wav").touch()
    nan = (np.full(200, np.nan, np.float32), RATE)
    results = [
        result for _, result in model.caption_each([cut, tmp_path / "empty.wav", nan, whole, (TONE[:160], RATE)])
    ]
    assert [type(result) for result in results] == [InputError] * 3 + [Caption] * 2
    assert str(results[0]).startswith(f"{cut}: cut short, ")
    assert "empty (0 bytes)" in str(results[1])
    assert "NaN" in str(results[2])


def test_silence_and_odd_lengths_are_heard(model):
    for samples in (np.zeros(RATE, np.float32), TONE[:160], np.zeros(1, np.uint8), TONE[: 3 * RATE - 1]):
        assert model.encode((samples, RATE)).tokens.isfinite().all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.encode(Text("  ")), "nothing to read; give a sentence or a few words"),
        (lambda model: model.encode([PHOTO], time=["noon"]), "time 'noon' is no second nor a pair of them"),
        (lambda model: model.encode([PHOTO], time=[(1, 2, 3)]), "time (1, 2, 3) is no second nor a pair of them"),
        (lambda model: model.encode("nowhere.wav"), "nowhere.wav: no such file; check the path"),
        (lambda model: model.encode("nowhere.mp4"), "nowhere.mp4: no such file; check the path"),
    ],
)
def test_what_cannot_be_encoded_is_one_line(call, message, model):
    assert refusal(lambda: call(model)).startswith(message)


def test_a_model_that_reads_no_text_says_so(tiny_model_folder):
    model = load(tiny_model_folder, device="cpu")
    model.model.text_encoder = None
    assert "has no text encoder, so it cannot read" in refusal(lambda: model.encode(Text("a dog")))


def test_a_model_with_ears_is_saved_and_assembled(model, tmp_path):
    import mm_memgpt

    made = mm_memgpt.assemble("tiny", device="cpu")
    assert made.model.config.audio == replace(model.model.config.audio)
    made.save(tmp_path / "model")
    again = mm_memgpt.load(tmp_path / "model", device="cpu")
    torch.testing.assert_close(again.encode((TONE, RATE)).tokens, made.encode((TONE, RATE)).tokens)


@pytest.mark.data
def test_real_clips_and_sounds_are_perceived_whole(model, data_folder):
    from pyarrow import parquet

    table = parquet.ParquetFile(data_folder / "video" / "grid_s1_test.parquet")
    row = next(table.iter_batches(1, columns=["video", "duration"])).to_pylist()[0]
    features = model.encode(row["video"]["bytes"])
    heard = features.modality[0] == AUDIO
    assert heard.sum() >= 3
    assert 1 <= (~heard).sum() <= 4  # lips move too little to be a new frame each second
    assert features.time.max().item() == pytest.approx(row["duration"], abs=0.15)
    table = parquet.ParquetFile(data_folder / "esc10" / "folds1to4.parquet")
    row = next(table.iter_batches(1, columns=["audio", "duration"])).to_pylist()[0]
    features = model.encode(row["audio"]["bytes"])
    assert (features.modality == AUDIO).all()
    assert features.time.max().item() == pytest.approx(row["duration"], abs=0.01)
