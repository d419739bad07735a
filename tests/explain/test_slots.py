"""A slot's evidence is what a sentence loses when its item was never there, as writing the memory anew gives it."""

import numpy as np
import pytest
import torch

from mm_memgpt.explain.slots import alone, slot_evidence, used
from mm_memgpt.explain.written import written
from mm_memgpt.pipeline import load

RATE = 16_000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, round(3.9 * RATE)).astype(np.float32)  # four pieces
TEXT = "A dog runs."


@pytest.fixture(scope="module")
def model(tiny_model_folder):
    return load(tiny_model_folder, "cpu")


@pytest.fixture(scope="module")
def features(model):
    return model.encode([(NOISE, RATE)])


def remembered(model, features, keep):
    left = type(features)(*(field[:, keep] for field in features))
    return model.bank.write(model.bank.empty(), left)


def logprob(model, state, text) -> torch.Tensor:
    """Of each word, written naively: one memory, one pass."""
    with torch.inference_mode():
        logits = model.model(
            input_ids=text.tokens[:, :-1], memory=(read := model.model.read(state))[0], memory_mask=read[1]
        )
    chosen = logits.logits.log_softmax(-1)[0].gather(-1, text.tokens[0, 1:, None])[:, 0]
    return torch.stack([chosen[text.owner == word].sum() for word in range(len(text.words))])


def test_evidence_is_what_a_memory_that_never_held_the_item_says(model, features):
    text, items = written(model.model, model.processor, TEXT), range(features.key.shape[1])
    whole = remembered(model, features, list(items))
    slots = used(whole)
    assert whole.time[0, slots, 0].tolist() == features.time[0, :, 0].tolist()
    full = logprob(model, whole, text)
    for given in (0, 1):
        due = [
            (full - logprob(model, remembered(model, features, [n for n in items if n != gone]), text))[given:].sum()
            for gone in items
        ]
        found = slot_evidence(model.model, whole, slots, text, given)
        torch.testing.assert_close(found, torch.stack(due), rtol=0, atol=1e-4)
        assert found.abs().max() > 1e-3


def test_without_its_only_slot_a_memory_is_empty(model, features):
    state = remembered(model, features, [0])
    text = written(model.model, model.processor, TEXT)
    due = (logprob(model, state, text) - logprob(model, model.bank.empty(), text)).sum()
    [found] = slot_evidence(model.model, state, used(state), text)
    torch.testing.assert_close(found, due, rtol=0, atol=1e-4)


def test_each_slot_alone_is_the_memory_of_its_item(model, features):
    whole = remembered(model, features, [0, 1, 2, 3])
    apart = model.fuse(alone(whole, used(whole), model.bank.empty()))
    for place in range(4):
        due = model.fuse(remembered(model, features, [place]))
        torch.testing.assert_close(apart.readout[place], due.readout[0])
        torch.testing.assert_close(apart.key[place], due.key[0])
        assert apart.mask[place].sum() == due.mask.sum()
