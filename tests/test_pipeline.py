"""The facade captions what it is given, says how sure it is, and refuses model folders that are not whole."""

import json
import math
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import mm_memgpt
from mm_memgpt import Sources
from mm_memgpt.config import ConfidenceConfig
from mm_memgpt.models.writer import scored
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.types import InputError


@pytest.fixture(scope="module")
def model(tiny_model_folder) -> Pipeline:
    return load(tiny_model_folder, device="cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    folder, draw = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(5)]
    for path in paths:
        Image.fromarray(draw.integers(0, 256, (9, 13, 3), dtype=np.uint8)).resize((52, 36)).save(path)
    return paths


@pytest.fixture
def folder(tiny_model_folder, tmp_path) -> Path:
    """A copy of the model folder to spoil."""
    return Path(shutil.copytree(tiny_model_folder, tmp_path / "model"))


def test_a_path_an_image_and_an_array_of_one_photo_give_one_caption(model, photos):
    image = Image.open(photos[0])
    captions = [model.caption(photo) for photo in (photos[0], str(photos[0]), image, np.asarray(image))]
    assert captions == [captions[0]] * 4
    assert mm_memgpt.Caption is type(captions[0])


def test_a_list_gives_a_list_in_order_and_batches_change_nothing(model, photos):
    alone = [model.caption(path) for path in photos]
    together = model.caption(photos, batch=2)
    assert [caption.text for caption in together] == [caption.text for caption in alone]
    assert [c.confidence for c in together] == pytest.approx([c.confidence for c in alone], rel=1e-4)
    assert len({caption.confidence for caption in alone}) == 5
    assert model.caption([]) == []


def test_words_spell_the_text_and_their_probabilities_are_the_models_own(model, photos):
    caption = model.caption(photos[1], beams=3)
    assert " ".join(word.word for word in caption.words) == caption.text
    pixels = model.processor(images=[Image.open(photos[1]).convert("RGB")], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        tokens = model.model.generate(pixel_values=pixels, num_beams=3, do_sample=False)[0].tolist()
        logprobs = []
        for i in range(1, len(tokens)):
            logits = model.model(pixel_values=pixels, input_ids=torch.tensor([tokens[:i]])).logits[0, -1]
            logprobs.append(logits.log_softmax(-1)[tokens[i]].item())
    ended = tokens[-1] == model.processor.tokenizer.eos_token_id
    assert caption.confidence == pytest.approx(math.exp(sum(logprobs) / len(logprobs)), rel=1e-4)
    assert sum(word.logprob for word in caption.words) == pytest.approx(
        sum(logprobs[:-1] if ended else logprobs), rel=1e-4
    )
    assert 0 < caption.confidence < 1


@pytest.mark.parametrize("text", ["a dog runs.", "two cafés, naïve œuvres", "x"])
def test_each_token_counts_for_the_word_it_spells(model, text):
    tokenizer = model.processor.tokenizer
    tokens = tokenizer(text, add_special_tokens=False).input_ids
    first, *others = scored(tokenizer, tokens, [-1.0] * len(tokens))
    assert [first.word, *(word.word for word in others)] == text.split()
    alone = [tokenizer(f" {word}", add_special_tokens=False).input_ids for word in text.split()[1:]]
    assert [-word.logprob for word in others] == [len(word) for word in alone]
    assert -first.logprob == len(tokens) - sum(map(len, alone))


def test_a_bad_photo_keeps_its_place_and_the_others_are_captioned(model, photos, tmp_path):
    known = InputError("seen before")
    inputs = [photos[0], tmp_path / "none.jpg", known, photos[1]]
    (first, a), (_, missing), (same, passed), (last, b) = model.caption_each(inputs, batch=3)
    assert (first, last) == (photos[0], photos[1])
    assert [a.text, b.text] == [model.caption(photos[0]).text, model.caption(photos[1]).text]
    assert isinstance(missing, InputError)
    assert "none.jpg" in str(missing)
    assert passed is same is known
    with pytest.raises(InputError, match=r"none\.jpg"):
        model.caption(inputs)


def test_photos_are_opened_a_batch_at_a_time(model, photos):
    opened = []
    captions = model.caption_each((opened.append(path) or path for path in photos), batch=2)
    assert opened == []
    next(captions)
    assert opened == photos[:2]


def test_counts_below_one_are_refused(model, photos):
    with pytest.raises(InputError, match="beams 0 and batch 2 must both be at least 1; try beams=4, batch=16"):
        model.caption(photos[0], beams=0, batch=2)


def test_loading_leaves_the_verbosity_of_transformers_as_it_was(tiny_model_folder, capfd):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    mm_memgpt.load(str(tiny_model_folder), device="cpu")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


def refusal(folder: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        load(str(folder), device="cpu")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_weight_is_named(folder):
    weights = load_file(folder / "model.safetensors")
    gone = sorted(weights)[3]
    save_file({key: value for key, value in weights.items() if key != gone}, folder / "model.safetensors")
    assert f"missing {gone};" in refusal(folder)


def test_a_left_over_weight_is_named(folder):
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "left.over": torch.zeros(2)}, folder / "model.safetensors")
    assert "unknown left.over;" in refusal(folder)


def test_a_weight_of_another_size_is_named_with_both_sizes(folder):
    weights = load_file(folder / "model.safetensors")
    key = next(key for key in sorted(weights) if weights[key].ndim == 2)
    rows, columns = weights[key].shape
    save_file({**weights, key: torch.zeros(rows + 1, columns)}, folder / "model.safetensors")
    assert f"wrongly sized {key} {(rows + 1, columns)} where {(rows, columns)} is due" in refusal(folder)


def test_a_pickle_is_refused_before_it_can_run(folder):
    class Trap:
        def __reduce__(self):
            return Path.touch, (folder / "sprung",)

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    assert "holds pytorch_model.bin, a pickle" in refusal(folder)
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    assert "not a safetensors file" in refusal(folder)
    assert not (folder / "sprung").exists()


def test_a_folder_without_weights_says_what_is_looked_for(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path}: no model.safetensors in it; give a folder that save_pretrained wrote"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: "{", "not JSON"),
        (lambda values: json.dumps([values]), "model_type is None, not 'mm_memgpt'"),
        (lambda values: json.dumps(values | {"model_type": "llama"}), "model_type is 'llama', not 'mm_memgpt'"),
        (lambda values: json.dumps(values | {"widht": 3}), "unknown key 'widht'"),
        (lambda values: json.dumps(values | {"memory": {"slots": 1, "ring": 2}}), "ring 2 must be"),
        (lambda values: json.dumps(values | {"width": "wide"}), "config.json: "),
    ],
)
def test_a_broken_config_is_refused_in_one_line(folder, change, message):
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(change(values))
    assert message in refusal(folder)


def test_a_folder_without_a_config_or_a_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").unlink()
    assert "the processor cannot be read" in refusal(folder)
    (folder / "config.json").unlink()
    assert "config.json: cannot be read (No such file or directory)" in refusal(folder)


def test_an_unknown_model_lists_the_ways_to_name_one():
    assert re.match("nona: no such model; give a folder, a hub name .*, or one that ships here: ", refusal("nona"))


def test_a_hub_name_that_cannot_be_had_is_one_line():
    assert refusal("nobody/nothing").startswith("nobody/nothing: no such folder, and not to be had from the hub (")


@pytest.mark.parametrize("device", ["abacus", "meta", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(tiny_model_folder, device):
    with pytest.raises(InputError, match=f"device '{device}' cannot be used .*; try 'cpu'"):
        load(str(tiny_model_folder), device=device)


# Step by step


def test_the_steps_one_by_one_write_the_caption(model, photos):
    features = model.encode(photos[0])
    state = model.bank.write(model.bank.empty(device=model.device), features)
    assert model.decode(model.fuse(state)) == model.caption(photos[0])


def test_photos_are_encoded_as_items_of_one_stream(model, photos):
    features = model.encode(photos[:3])
    assert features.tokens.shape[:2] == (1, 3)
    assert features.source.tolist() == [[0, 1, 2]]
    times = model.encode(photos[:2], time=[(1.79e9, 1.79e9 + 0.5), (3, 4)]).time
    assert times.tolist() == [[[1.79e9, 1.79e9 + 0.5], [3, 4]]]


def test_a_table_of_sources_outlives_a_call_and_names_what_a_slot_holds(model, photos):
    sources = Sources(["earlier"])
    one = model.encode([photos[0], Image.open(photos[1])], sources=sources)
    two = model.encode([photos[2], photos[0]], sources=sources, names=["mine", str(photos[0])])
    assert (one.source.tolist(), two.source.tolist()) == ([[1, 2]], [[3, 1]])
    assert list(sources) == ["earlier", str(photos[0]), "photo 1", "mine"]
    assert sources.name(3) == "mine"
    assert sources.name(-1) is None
    assert list(Sources(sources)) == list(sources)
    with pytest.raises(KeyError, match="no source has number 4; the table holds 4"):
        sources.name(4)
    with pytest.raises(ValueError, match="source 'a' comes twice"):
        Sources(["a", "a"])


def test_a_memory_of_two_photos_is_read_as_a_whole(model, photos):
    first, second = (model.encode(photo) for photo in photos[:2])
    both = model.bank.write(model.bank.write(model.bank.empty(), first), second)
    assert (
        model.fuse(both).tokens.shape[1] == 2 * model.fuse(model.bank.write(model.bank.empty(), first)).tokens.shape[1]
    )


def test_a_prompt_is_continued_and_counts_for_nothing_in_the_confidence(model, photos):
    fused = model.fuse(model.bank.write(model.bank.empty(), model.encode(photos[0])))
    begun = model.decode(fused, prompt="A brown dog", beams=2)
    assert begun.text.startswith("A brown dog")
    assert [word.word for word in begun.words[:2]] == ["A", "brown"]
    tokens = model.processor.tokenizer("A brown dog")["input_ids"]
    room = model.decode(fused, prompt="A brown dog", max_new_tokens=1)
    assert math.log(room.confidence) != pytest.approx(sum(word.logprob for word in room.words) / len(tokens))
    assert model.decode(fused) == model.caption(photos[0])


def test_several_memories_are_decoded_at_once(model, photos):
    features = [model.encode(photo) for photo in photos[:2]]
    batch = type(features[0])(*(torch.cat(parts) for parts in zip(*features, strict=True)))
    captions = model.decode(model.fuse(model.bank.write(model.bank.empty(2), batch)))
    assert [caption.text for caption in captions] == [str(model.caption(photo)) for photo in photos[:2]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, photo: model.encode([]), "nothing to encode; give at least one photo"),
        (lambda model, photo: model.encode([photo], names=["a", "b"]), "2 names for 1 inputs; give one an input"),
        (lambda model, photo: model.encode(photo, time=[]), "0 times for 1 inputs; give one an input"),
        (lambda model, photo: model.encode("nowhere.jpg"), "nowhere.jpg: no such file; check the path"),
        (lambda model, photo: decoded(model, photo, beams=0), "beams 0 must be at least 1; try beams=4"),
        (lambda model, photo: decoded(model, photo, prompt="x " * 90), "is too long for the 64 the model can hold"),
    ],
)
def test_a_step_that_cannot_be_taken_is_one_line(call, message, model, photos):
    with pytest.raises(InputError, match=re.escape(message)):
        call(model, photos[0])


def decoded(model, photo, **options):
    return model.decode(model.fuse(model.bank.write(model.bank.empty(), model.encode(photo))), **options)


def test_the_sentence_that_fits_the_photo_best_is_chosen_among_the_beams(tiny_model_folder, photos):
    model = load(tiny_model_folder, device="cpu")
    features = model.encode(photos[0])
    fused = model.fuse(model.bank.write(model.bank.empty(1), features))
    torch.testing.assert_close(fused.key, features.key[:, 0])
    every = model.decode_each(fused, beams=4, num_return_sequences=4)
    texts = [caption.text for caption in every]
    assert len(set(texts)) > 1
    model.model.config.text.rerank = 1e6  # the key alone decides
    chosen = model.caption(photos[0], beams=4)
    assert chosen == model.decode(fused, beams=4)
    memory, mask = model.model.readable(fused)
    how = {"num_beams": 4, "num_return_sequences": 4, "do_sample": False, "memory": memory, "memory_mask": mask}
    sequences = model.model.generate(model.model.begin(1), **how)
    keys = model.model.read_text(sequences, sequences != model.processor.tokenizer.pad_token_id).key.squeeze(1)
    assert chosen.text == texts[int((keys @ features.key[0, 0]).argmax())]
    model.model.config.text.rerank = 0.0
    assert model.caption(photos[0], beams=4).text == texts[0]


def test_a_memory_without_keys_and_a_single_beam_are_not_ranked_again(tiny_model_folder, photos):
    model = load(tiny_model_folder, device="cpu")
    plain = model.caption(photos[0], beams=1)
    fused = model.fuse(model.bank.write(model.bank.empty(1), model.encode(photos[0])))
    likeliest = model.decode(fused, beams=4)
    model.model.config.text.rerank = 1e6
    assert model.caption(photos[0], beams=1) == plain
    assert model.decode(fused._replace(key=None), beams=4) == likeliest


def test_the_similarity_is_the_cosine_of_the_photos_key_and_its_captions(tiny_model_folder, photos, monkeypatch):
    model = load(tiny_model_folder, device="cpu")
    written, generate = [], model.model.generate
    monkeypatch.setattr(model.model, "generate", lambda **how: written.append(generate(**how)) or written[-1])
    judged = [judged for _, judged in model.judge_each(photos[:3], beams=1)]
    sequences = written[0].sequences
    with torch.inference_mode():
        keys = model.model.read_text(sequences, sequences != model.processor.tokenizer.pad_token_id).key.squeeze(1)
    due = (torch.stack([key for _, key in model.keys_each(photos[:3])]) * keys).sum(1).tolist()
    assert [each.signals["similarity"] for each in judged] == pytest.approx(due, abs=1e-5)
    assert len(set(due)) == 3


def test_the_similarity_is_0_where_there_are_no_keys(tiny_model_folder, photos):
    model = load(tiny_model_folder, device="cpu")
    confidence = {"signals": ("similarity",), "weights": (5.0,), "bias": 1.0}
    model.model.config.confidence = ConfidenceConfig(**confidence)
    fused = model.fuse(model.bank.write(model.bank.empty(1), model.encode(photos[0])))
    assert model.decode(fused, beams=1).confidence != pytest.approx(torch.tensor(1.0).sigmoid().item(), abs=1e-4)
    without = model.decode(fused._replace(key=None), beams=1)
    assert without.confidence == pytest.approx(torch.tensor(1.0).sigmoid().item(), abs=1e-6)


def test_what_was_written_greedily_is_not_read_again(model, photos, monkeypatch):
    read, whole = [], type(model.model).teacher_forced
    monkeypatch.setattr(type(model.model), "teacher_forced", lambda self, *given: read.append(1) or whole(self, *given))
    captions = model.caption(photos, beams=1)
    assert read == []
    monkeypatch.setattr(model._writer, "_generate", lambda key, beams, how: (model.model.generate(**how), None))
    again = model.caption(photos, beams=1)
    assert read == [1]
    assert [caption.text for caption in captions] == [caption.text for caption in again]
    for one, other in zip(captions, again, strict=True):
        assert [word.logprob for word in one.words] == pytest.approx([word.logprob for word in other.words], abs=1e-4)
        assert one.confidence == pytest.approx(other.confidence, rel=1e-4)
