"""What a model is given of a sample: the crop, the teacher's answer to that very crop, or the written captions."""

import pickle
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from mm_memgpt.encoders.image import PixelStatistics
from mm_memgpt.knowledge.teacher import ImageTeacher
from mm_memgpt.training.examples import (
    CaptionExample,
    DistillationExample,
    PadText,
    SentenceExample,
    normalise,
    sentence,
)
from mm_memgpt.training.recipe import Augment
from mm_memgpt.training.stream import crop
from mm_memgpt.types import InputError, Sample
from mm_memgpt.words import untokenised

STATISTICS = PixelStatistics(6, (0.5, 0.25, 0.0), (0.5, 0.5, 1.0))
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 44, 3), dtype=np.uint8))
CAPTIONS = (" a red ball on grass ", "the blue boat sails", "two dogs run fast")


@pytest.fixture
def tokenizer(material) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(material / "tokenizer")


def sample(captions: tuple[str, ...] = CAPTIONS) -> Sample:
    return Sample(source="photos.parquet:4", image=PHOTO, captions=captions)


def test_pixels_are_squeezed_and_normalised_channel_by_channel():
    photo = Image.new("RGB", (9, 4), (255, 0, 51))
    pixels = normalise(photo, STATISTICS)
    assert pixels.shape == (3, 6, 6)
    assert pixels.dtype == torch.float32
    torch.testing.assert_close(pixels.amax((1, 2)), torch.tensor([1.0, -0.5, 0.2]))
    torch.testing.assert_close(pixels.amin((1, 2)), torch.tensor([1.0, -0.5, 0.2]))


def test_rows_stay_rows():
    photo = Image.new("RGB", (6, 6))
    photo.paste((255, 255, 255), (0, 0, 6, 2))
    assert (normalise(photo, STATISTICS)[0, :, 3] > 0).tolist() == [True] * 2 + [False] * 4


@pytest.mark.parametrize(
    ("written", "due"),
    [
        (" a dog runs . ", "A dog runs."),
        ("two men , one  old ,\ttalk", "Two men, one old, talk."),
        ("Is it a boat ?", "Is it a boat?"),
        ("a man 's hat .", "A man's hat."),
        ("a well-formed sentence.", "A well-formed sentence."),
    ],
)
def test_captions_are_learned_as_people_write_sentences(written, due):
    assert sentence(written) == due
    assert sentence(due) == due


@pytest.mark.parametrize(
    ("apart", "due"),
    [
        ("he \u2019 s late , too .", "he's late, too."),
        ("I ' Ve tried ; what ?! don \u2019 t", "I've tried; what?! don't"),
        ('"Why ?" she asked . . .', '"Why?" she asked...'),
        ("'Tis 't other, under 't so long, at .5", "'Tis 't other, under 't so long, at .5"),
    ],
)
def test_marks_that_stand_apart_are_set_as_people_set_them(apart, due):
    assert untokenised(apart) == due
    assert untokenised(due) == due


def test_captions_begin_and_end_and_say_what_was_written(tokenizer):
    written = SentenceExample(tokenizer, 0, 3, longest=64)(sample(), Random(0))["input_ids"]
    assert all(ids[0] == 0 and ids[-1] == 1 and (ids[1:-1] > 2).all() for ids in written)
    assert {tokenizer.decode(ids[1:-1]) for ids in written} == {sentence(caption) for caption in CAPTIONS}


@pytest.mark.parametrize(("count", "least", "most"), [(2, 0, 1), (5, 1, 2), (6, 2, 2)])
def test_every_caption_is_used_before_one_comes_again(tokenizer, count, least, most):
    written = SentenceExample(tokenizer, 0, count, longest=64)(sample(), Random(1))["input_ids"]
    texts = [tokenizer.decode(ids[1:-1]) for ids in written]
    assert len(texts) == count
    counts = [texts.count(sentence(caption)) for caption in CAPTIONS]
    assert min(counts) == least
    assert max(counts) == most


def test_a_sentence_is_cut_with_its_end_and_text_stands_in_for_captions(tokenizer):
    whole, cut = (
        SentenceExample(tokenizer, 0, 1, longest)(Sample(source="poem:1", text="the blue boat sails"), Random(0))
        for longest in (64, 4)
    )
    assert tokenizer.decode(whole["input_ids"][0][1:-1]) == "The blue boat sails."
    assert cut["input_ids"][0].tolist() == whole["input_ids"][0][:4].tolist()


def test_the_generator_decides_crop_and_captions(tokenizer):
    example = CaptionExample(SentenceExample(tokenizer, 0, 2, longest=64), STATISTICS, Augment(area=0.3))
    first, again, other = (example(sample(), Random(seed)) for seed in (0, 0, 5))
    assert torch.equal(first["pixel_values"], again["pixel_values"])
    assert all(map(torch.equal, first["input_ids"], again["input_ids"]))
    assert not torch.equal(first["pixel_values"], other["pixel_values"])


def test_sentences_are_padded_on_the_right_and_stay_with_their_photo():
    examples = [
        {"pixel_values": torch.full((3, 4, 5), number), "input_ids": [torch.tensor(ids) for ids in texts]}
        for number, texts in [(7.0, ([0, 5, 1], [0, 6, 8, 9, 1])), (8.0, ([0, 3, 1], [0, 1]))]
    ]
    batch = PadText(pad=2)(examples)
    assert batch["pixel_values"].shape == (2, 3, 4, 5)
    assert batch["pixel_values"][:, 0, 0, 0].tolist() == [7, 8]
    assert batch["input_ids"].tolist() == [[0, 5, 1, 2, 2], [0, 6, 8, 9, 1], [0, 3, 1, 2, 2], [0, 1, 2, 2, 2]]
    assert batch["attention_mask"].sum(1).tolist() == [3, 5, 3, 2]
    assert (batch["input_ids"][batch["attention_mask"] == 0] == 2).all()
    texts = [{"input_ids": example["input_ids"]} for example in examples]
    assert PadText(pad=2)(texts).keys() == {"input_ids", "attention_mask"}


def test_a_sample_without_words_or_photo_is_named(tokenizer):
    example = CaptionExample(SentenceExample(tokenizer, 0, 2, longest=64), STATISTICS, None)
    due = r"^photos.parquet:4: has no caption; name the column of captions, or that of text$"
    with pytest.raises(InputError, match=due):
        example(sample(captions=()), Random(0))
    with pytest.raises(InputError, match=r"^poem:1: has no photo; training needs a column of photos$"):
        example(Sample(source="poem:1", captions=("x",)), Random(0))


@pytest.mark.data
@pytest.mark.parametrize("augment", [None, Augment(area=0.3, flip=True)])
def test_student_and_teacher_see_the_same_crop(data_folder, augment):
    file = data_folder / "teachers" / "tf2_mobilenet_v2_1.0_224_ptq.tflite"
    grids = [(9, 9), (5, 6), (4, 4), (2, 2), (1, 3)]
    example = DistillationExample(file, STATISTICS, grids, augment)
    seen = example(sample(), Random(8))
    photo = PHOTO if augment is None else crop(PHOTO, augment, 224, Random(8))
    torch.testing.assert_close(seen["pixel_values"], normalise(photo, STATISTICS))
    maps, logits = ImageTeacher(file)(photo)
    torch.testing.assert_close(seen["teacher_logits"], torch.from_numpy(logits))
    for features, due, grid in zip(seen["teacher_maps"], maps, grids, strict=True):
        assert features.shape == (len(due), *grid)
        torch.testing.assert_close(features, functional.adaptive_avg_pool2d(torch.from_numpy(due), grid).half())
    again = pickle.loads(pickle.dumps(example))  # the teacher itself cannot travel; it is opened anew
    assert torch.equal(again(sample(), Random(8))["teacher_logits"], seen["teacher_logits"])
