"""The captioning loss: the cross-entropy its paper says, over real tokens only."""

from math import log
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers.trainer_pt_utils import LabelSmoother

from mm_memgpt.objectives.captioning import Captioning, caption_loss

TEXT = torch.tensor([[0, 5, 3, 6, 1], [0, 4, 1, 2, 2]])  # b t; 2 is padding
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
LOGITS = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))  # b t v


class Table(nn.Module):
    """A model that looks up its next-token logits."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Embedding(7, 7)

    def forward(self, input_ids, attention_mask):
        return SimpleNamespace(logits=self.logits(input_ids))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_it_is_the_loss_of_the_library_s_label_smoother(smoothing):
    labels = TEXT.masked_fill(MASK == 0, -100)
    due = LabelSmoother(epsilon=smoothing)({"logits": LOGITS}, labels, shift_labels=True)
    torch.testing.assert_close(caption_loss(LOGITS, TEXT, MASK, smoothing), due)


def test_a_model_that_knows_nothing_pays_the_logarithm_of_the_vocabulary():
    assert caption_loss(torch.zeros(2, 5, 7), TEXT, MASK).item() == pytest.approx(log(7))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_padding_changes_nothing(smoothing):
    loss = caption_loss(LOGITS, TEXT, MASK, smoothing)
    longer = torch.cat([LOGITS, 9 * torch.randn(2, 3, 7)], dim=1)
    text, mask = (torch.cat([each, each.new_zeros(2, 3)], dim=1) for each in (TEXT, MASK))
    torch.testing.assert_close(caption_loss(longer, text, mask, smoothing), loss)


def test_smoothing_is_for_training_and_the_plain_loss_is_shown_beside_it():
    model, batch = Table(), {"input_ids": TEXT, "attention_mask": MASK}
    plain = caption_loss(model.logits(TEXT), TEXT, MASK)
    learned = Captioning(0.1)(model.train(), batch)
    torch.testing.assert_close(learned["loss"], caption_loss(model.logits(TEXT), TEXT, MASK, 0.1))
    torch.testing.assert_close(learned["cross_entropy"], plain)
    assert not learned["cross_entropy"].requires_grad
    assert Captioning(0.1)(model.eval(), batch) == {"loss": plain}
