"""A confidence is made of what the model says of its own sentence, word by word, and nothing beside the sentence."""

import json
import math

import pytest
import torch

from mm_memgpt.config import SIGNALS, ConfidenceConfig, MMMemGPTConfig
from mm_memgpt.models.confidence import BLIND, SIGNAL, probability, read_back
from mm_memgpt.presets import tiny

END = 1
WORD_BY_WORD = tuple(
    name for name in SIGNALS if name != "similarity"
)  # which is told from keys (tests/test_pipeline.py)


def read(model, sequences, memory, given=0, signals=SIGNALS):
    mask = torch.ones(memory.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        return read_back(model, torch.tensor(sequences), memory, mask, given, END, signals)[1]


def naive(model, tokens, memory, given):
    """Signals of one sentence, a word at a time; `memory` None is none at all."""
    found = {"logprob": [], "blind": [], "entropy": []}
    for place in range(1 + given, len(tokens)):
        with torch.no_grad():
            text = torch.tensor([tokens[:place]])
            seen = model(input_ids=text, memory=memory).logits[0, -1].log_softmax(-1)
            nothing = torch.zeros(1, memory.shape[1], dtype=torch.bool)
            blind = model(input_ids=text, memory=memory, memory_mask=nothing).logits[0, -1].log_softmax(-1)
        found["logprob"].append(seen[tokens[place]].item())
        found["blind"].append(blind[tokens[place]].item())
        found["entropy"].append(-sum(p.exp() * p for p in seen).item())
    total, count = sum(found["logprob"]), len(found["logprob"])
    evidence = total - sum(found["blind"])
    return {
        "mean_logprob": total / count,
        "sum_logprob": total,
        "least_logprob": min(found["logprob"]),
        "length": count,
        "entropy": sum(found["entropy"]) / count,
        "evidence": evidence,
        "mean_evidence": evidence / count,
    }


@pytest.mark.parametrize("given", [0, 2])
def test_each_signal_is_that_of_a_sentence_read_word_by_word(given, build, memory):
    model = build("llama")
    written = read(model, [[0, 9, 17, 4, END, 2], [0, 9, 17, 33, 8, 52]], memory, given)
    for row, tokens in enumerate([[0, 9, 17, 4, END], [0, 9, 17, 33, 8, 52]]):
        due = naive(model, tokens, memory[row : row + 1], given)
        found = {name: SIGNAL[name](written)[row].item() for name in WORD_BY_WORD}
        assert found == pytest.approx(due, rel=1e-4, abs=1e-5)
        assert due["evidence"] != pytest.approx(0, abs=1e-3)


def test_what_follows_the_end_changes_nothing(build, memory):
    model = build("llama")
    short = read(model, [[0, 9, END], [0, 33, END]], memory)
    long = read(model, [[0, 9, END, 2, 2, END], [0, 33, END, 40, 7, 7]], memory)
    for name in WORD_BY_WORD:
        assert torch.allclose(SIGNAL[name](short), SIGNAL[name](long), rtol=1e-4, atol=1e-5), name


def test_every_signal_of_the_config_is_there_in_its_order():
    assert tuple(SIGNAL) == SIGNALS
    assert set(BLIND) < set(SIGNALS)


def test_the_pass_without_a_memory_is_made_only_where_it_is_asked_for(build, memory):
    model = build("llama")
    assert read(model, [[0, 9, END]] * 2, memory, signals=("mean_logprob", "entropy")).blind is None
    assert read(model, [[0, 9, END]] * 2, memory, signals=("mean_evidence",)).blind is not None


def test_the_probability_is_the_sigmoid_of_the_weighted_sum():
    config = ConfidenceConfig(signals=("length", "evidence"), weights=(-0.5, 2), bias=0.25)
    signals = {"evidence": 1.5, "length": 4.0, "entropy": 9.0}
    assert probability(config, signals) == pytest.approx(1 / (1 + math.exp(-(0.25 - 2 + 3))))
    assert probability(ConfidenceConfig(signals=("length",), weights=(1e6,), bias=0), {"length": -1.0}) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"signals": ["length", "luck"], "weights": [1, 2], "bias": 0}, "confidence signal 'luck' is unknown; known: "),
        ({"signals": ["length"], "weights": [1, 2], "bias": 0}, "confidence has 2 weights for 1 signals; give one a"),
        ({"signals": ["length"] * 2, "weights": [1, 2], "bias": 0}, "confidence has 2 weights for 1 signals; give one"),
        ({"signals": ["length"], "weights": [1]}, "missing key 'bias' in confidence"),
    ],
)
def test_a_confidence_that_cannot_be_is_refused(values, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        MMMemGPTConfig(confidence=values)


def test_a_folder_gives_the_confidence_back_and_an_old_one_has_none(tmp_path):
    config = tiny(vocab_size=301)
    config.confidence = ConfidenceConfig(signals=("length",), weights=(0.1,), bias=-1.0)
    config.save_pretrained(tmp_path)
    assert MMMemGPTConfig.from_pretrained(tmp_path).confidence == config.confidence
    values = json.loads((tmp_path / "config.json").read_text())
    del values["confidence"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert MMMemGPTConfig.from_pretrained(tmp_path).confidence is None
