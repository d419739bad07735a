"""A sentence becomes tokens that each belong to one word, and its words' log-probabilities are the model's own."""

import pytest
import torch

from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.explain.written import Written, logprobs, written
from mm_memgpt.pipeline import load
from mm_memgpt.types import InputError
from mm_memgpt.words import owners

SENTENCE = "A brown dog zigzags ."


@pytest.fixture(scope="module")
def model(tiny_model_folder):
    return load(tiny_model_folder, "cpu")


def test_every_token_belongs_to_the_word_it_spells(model):
    tokenizer = model.processor.tokenizer
    text = written(model.model, model.processor, SENTENCE)
    assert text.words == ("A", "brown", "dog", "zigzags", ".")
    ids = text.tokens[0, 1:].tolist()
    assert len(ids) > len(text.words)
    for place, word in enumerate(text.words):
        spelt = tokenizer.decode([i for i, owner in zip(ids, text.owner.tolist(), strict=True) if owner == place])
        assert spelt.strip() == word


def test_sums_by_word_keep_the_total_and_the_grid():
    text = Written(torch.zeros(1, 4, dtype=torch.long), ("a", "b"), torch.tensor([0, 0, 1]))
    by_token = torch.arange(2 * 3 * 5, dtype=torch.float).reshape(2, 3, 5)
    by_word = text.by_word(by_token)
    assert torch.equal(by_word, torch.stack([by_token[:, 0] + by_token[:, 1], by_token[:, 2]], dim=1))


def test_logprobs_are_those_the_pipeline_gives_with_a_caption(model):
    photo = torch.rand(33, 21, 3).numpy()
    fused = model.fuse(model.bank.write(model.bank.empty(1), model.encode(photo)))
    caption = model.decode(fused, "A brown dog", beams=1, max_new_tokens=1)
    text = written(model.model, model.processor, caption.text)
    pixels = model.processor(images=[as_photo(photo)], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        scores = logprobs(model.model, pixels.repeat(3, 1, 1, 1), text, batch=2)
    assert scores.shape == (3, len(caption.words))
    assert scores[2, :3].tolist() == pytest.approx([word.logprob for word in caption.words[:3]], rel=1e-4)


def test_words_without_tokens_do_not_occur(model):
    assert owners(model.processor.tokenizer, []) == ([], [])


def test_a_sentence_that_the_model_cannot_hold_is_refused(model):
    with pytest.raises(InputError, match=r"is too long for the .* shorten it"):
        written(model.model, model.processor, "dog " * 999)
