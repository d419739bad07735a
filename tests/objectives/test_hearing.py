"""The losses of a student that hears, and that all of it learns, from labelled sounds and from others."""

import pytest
import torch
from torch.nn import functional

from mm_memgpt.encoders.audio import create_trunk
from mm_memgpt.objectives.hearing import (
    NO_LABEL,
    SILENCE,
    Hearing,
    TrunkHearing,
    embedding_losses,
    label_loss,
    score_loss,
)
from mm_memgpt.presets import tiny

CONFIG = tiny().audio
PLACES = TrunkHearing(create_trunk(CONFIG), CONFIG, 1, 1, 0).places
TEACHER = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)) + torch.arange(7)


def student(labels: int = 4, words: int = 5) -> TrunkHearing:
    return TrunkHearing(create_trunk(CONFIG), CONFIG, embedding=7, classes=6, labels=labels, words=words)


def batch(labels=(2, NO_LABEL, 0)) -> dict:
    return {
        "input_values": 0.1 * torch.randn(3, CONFIG.samples),
        "teacher_embedding": torch.randn(3, 7),
        "teacher_scores": torch.rand(3, 6),
        "labels": torch.tensor(labels),
        "words": torch.tensor([[NO_LABEL] * PLACES, [SILENCE] * PLACES, [3] * PLACES]),
    }


def test_an_embedding_is_missed_by_its_share_of_the_variance_and_by_its_direction():
    assert [loss.item() for loss in embedding_losses(TEACHER, TEACHER)] == pytest.approx([0, 0], abs=1e-6)
    mean = TEACHER.mean().expand_as(TEACHER)
    missed, direction = embedding_losses(mean, TEACHER)
    assert missed.item() == pytest.approx(1)
    assert embedding_losses((mean + TEACHER) / 2, TEACHER)[0].item() == pytest.approx(1 / 4)
    assert embedding_losses(TEACHER[:1] + 1, TEACHER[:1])[0].item() == pytest.approx(1 / TEACHER[0].var(correction=0))
    due = 1 - (mean * TEACHER).sum(1) / mean.norm(dim=1) / TEACHER.norm(dim=1)
    torch.testing.assert_close(direction, due.mean())
    assert embedding_losses(3 * TEACHER, TEACHER)[1].item() == pytest.approx(0, abs=1e-6)


def test_scores_are_met_one_by_one():
    logits, scores = torch.randn(4, 6), torch.rand(4, 6)
    p, q = scores, logits.sigmoid()
    due = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(1).mean()
    torch.testing.assert_close(score_loss(logits, scores), due)
    assert score_loss(scores.logit(), scores).item() == pytest.approx(0, abs=1e-5)
    assert score_loss(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])).item() == pytest.approx(
        2 * torch.tensor(2.0).log()
    )


def test_only_a_label_that_is_there_counts():
    logits = torch.randn(3, 4)
    labels = torch.tensor([2, NO_LABEL, 0])
    due = functional.cross_entropy(logits[[0, 2]], labels[[0, 2]])
    torch.testing.assert_close(label_loss(logits, labels), due)
    assert label_loss(logits, torch.full((3,), NO_LABEL)) == 0
    along = torch.tensor([[2, NO_LABEL, 0], [NO_LABEL] * 3])
    torch.testing.assert_close(label_loss(torch.stack([logits, -logits]), along), due)


def test_the_loss_is_made_of_its_parts():
    model = student().eval()
    parts = model(**batch())
    assert list(parts) == ["loss", "missed", "direction", "scores", "label", "word", "right", "words_right"]
    due = parts["missed"] + 2.0 * parts["direction"] + 0.3 * parts["scores"] + parts["label"] + parts["word"]
    torch.testing.assert_close(parts["loss"], due)


def test_the_share_of_right_labels_is_of_those_that_are_there():
    model, given = student().eval(), batch()
    said = model.label_head(model.pooled(given["input_values"])).argmax(1)
    given["labels"] = torch.stack([said[0], torch.tensor(NO_LABEL), (said[2] + 1) % 4])
    assert model(**given)["right"] == 0.5


def test_a_word_is_told_at_its_place_alone():
    model, given = student().eval(), batch()
    said = model.word_head(model.along(given["input_values"])).argmax(2)
    assert said.shape == (3, PLACES)
    given["words"] = said.clone()
    assert model(**given)["words_right"] == 1
    given["words"][0] = NO_LABEL
    given["words"][1] = (said[1] + 1) % 6
    assert model(**given)["words_right"] == 0.5


def test_without_labels_there_is_no_head_for_them():
    model = student(labels=0, words=0)
    assert model.label_head is None
    assert model.word_head is None
    assert list(model(**batch())) == ["loss", "missed", "direction", "scores"]


def test_every_parameter_gets_a_gradient():
    model = student().train()
    for parameter in model.parameters():  # a residual block's last norm starts at zero, and would hold gradients back
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    Hearing()(model, batch())["loss"].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_it_can_learn_a_handful_of_sounds():
    model, given = student().train(), batch((2, 1, 0))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        parts = Hearing()(model, given)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        losses.append(parts["loss"].item())
    assert losses[-1] < 0.3 * losses[0]
    assert parts["right"] == 1


def test_a_sound_is_heard_as_the_encoder_hears_it():
    from mm_memgpt.encoders.audio import AudioEncoder

    encoder = AudioEncoder(CONFIG, 32, 12).eval()
    model = TrunkHearing(encoder.trunk, CONFIG, 7, 6, 0).eval()
    waveforms = 0.1 * torch.randn(2, CONFIG.samples)
    key = encoder.key(model.pooled(waveforms))
    torch.testing.assert_close(encoder(waveforms.unsqueeze(0)).key[0], functional.normalize(key, dim=-1))
