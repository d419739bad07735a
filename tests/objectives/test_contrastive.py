"""The contrastive loss: InfoNCE both ways, in which a photo's own sentences do not push each other away."""

import math

import pytest
import torch
from torch.nn import functional

from mm_memgpt.objectives.contrastive import Contrastive, contrastive_loss

KEYS = functional.normalize(torch.randn(12, 6, generator=torch.Generator().manual_seed(0)), dim=-1)
PHOTOS, SENTENCES = KEYS[:4], KEYS[4:]  # two sentences a photo


def naive(photos, sentences, scale) -> float:
    each = len(sentences) // len(photos)
    to_photo, to_sentence = [], []
    for place, sentence in enumerate(sentences):
        own = place // each
        to_photo.append(-(scale * (photos @ sentence)).log_softmax(0)[own])
        others = [s for p, s in enumerate(sentences) if p // each != own]
        among = scale * (torch.stack([sentence, *others]) @ photos[own])
        to_sentence.append(-among.log_softmax(0)[0])
    return ((torch.stack(to_photo).mean() + torch.stack(to_sentence).mean()) / 2).item()


@pytest.mark.parametrize("scale", [1.0, 14.0])
def test_it_is_what_its_definition_says(scale):
    assert contrastive_loss(PHOTOS, SENTENCES, scale).item() == pytest.approx(naive(PHOTOS, SENTENCES, scale), rel=1e-5)


def test_with_one_sentence_a_photo_it_is_clip_s():
    sentences, target = SENTENCES[::2], torch.arange(4)
    logits = 10 * PHOTOS @ sentences.T
    due = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
    torch.testing.assert_close(contrastive_loss(PHOTOS, sentences, 10.0), due)


def test_keys_that_tell_nothing_cost_the_logarithm_of_the_choice():
    same = torch.ones(4, 6) / math.sqrt(6)
    due = (math.log(4) + math.log(1 + 3 * 2)) / 2
    assert contrastive_loss(same, same.repeat_interleave(2, 0), 20.0).item() == pytest.approx(due, rel=1e-4)


def test_an_uneven_number_of_sentences_is_refused():
    with pytest.raises(ValueError, match="7 sentences cannot belong to 4 photos evenly"):
        contrastive_loss(PHOTOS, SENTENCES[:7], 1.0)


def test_found_counts_the_sentences_whose_photo_is_nearest():
    class Keys(torch.nn.Module):
        def __init__(self, sentences):
            super().__init__()
            self.image_encoder = lambda pixels: type("Features", (), {"key": PHOTOS.unsqueeze(1)})
            self.read_text = lambda ids, mask: type("Features", (), {"key": sentences.unsqueeze(1)})
            self.text_encoder = torch.nn.Module()
            self.text_encoder.scale = torch.zeros(1)

    batch = dict.fromkeys(("pixel_values", "input_ids", "attention_mask"))
    right = PHOTOS.repeat_interleave(2, 0)
    assert Contrastive()(Keys(right), batch)["found"] == 1
    assert Contrastive()(Keys(torch.cat([right[2:4], right[2:]])), batch)["found"] == 0.75
