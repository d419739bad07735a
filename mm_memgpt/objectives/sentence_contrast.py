"""Contrast of sentences: two views of a sentence lie near each other, and away from the other sentences of the batch.

Notable: the second view is the same sentence under other dropout (SimCSE), or another text that belongs to it; it is
one-directional, where `contrastive` looks both ways and lets a photo have several sentences.

b sentences   t tokens   d width
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Read = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Model, input_ids (b, t) and attention_mask (b, t) to vectors (b, d)."""


def sentence_contrast_loss(first: Tensor, second: Tensor, temperature: float = 0.05) -> Tensor:
    """Mean of -log [exp(sim(h_i, h_i') / T) / sum_j exp(sim(h_i, h_j') / T)] by cosine (arXiv:2104.08821 eq. 1).

    Args:
        first, second: (b, d) two views of each sentence, of any length.
        temperature: T.
    """
    first, second = (functional.normalize(view.float(), dim=-1) for view in (first, second))
    return functional.cross_entropy(first @ second.T / temperature, torch.arange(len(first), device=first.device))


def mean_of_hidden_states(model: nn.Module, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean (b, d) of the last hidden states of the real tokens of a transformers model."""
    hidden = model.base_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    real = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * real).sum(1) / real.sum(1).clamp_min(1)


class SentenceContrast:
    """The loss of a model on a batch of sentences, and the share of those whose other view is nearest.

    The batch holds the sentences once, and then their two views differ by dropout; or twice, `paired` True, the second
    views behind the first ones. Without dropout, as in validation, a sentence alone is its own view, and the loss says
    only how far the others are.

    Args:
        temperature: T.
        read: how a sentence becomes a vector.
    """

    def __init__(self, temperature: float = 0.05, read: Read = mean_of_hidden_states, paired: bool = False) -> None:
        self.temperature, self.read, self.paired = temperature, read, paired

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        text = [batch["input_ids"], batch["attention_mask"]]
        if not self.paired:
            text = [torch.cat([each, each]) for each in text]
        first, second = self.read(model, *text).chunk(2)
        cosine = functional.normalize(first, dim=-1) @ functional.normalize(second, dim=-1).T
        nearest = cosine.argmax(1) == torch.arange(len(first), device=cosine.device)
        return {"loss": sentence_contrast_loss(first, second, self.temperature), "nearest": nearest.float().mean()}
