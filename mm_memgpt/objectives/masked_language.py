"""Masked language modelling: fill in the words that were taken out of a text, from those on both sides.

Notable: which tokens are taken, and what stands in their place, comes from the generator alone, and at least one is
taken of every text that has any, so that a short one teaches something, too.

b texts   t tokens   v vocabulary
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

UNTAUGHT = -100
"""The label of a token that is not to be filled in."""

MASKED, REPLACED = 0.8, 0.1
"""Shares of the taken tokens that are masked and exchanged for random ones; the others stay (arXiv:1810.04805 §3.1)."""


def mask_tokens(
    ids: Tensor,
    special: Tensor,
    generator: torch.Generator,
    vocabulary: int,
    mask_token: int,
    share: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """Texts with tokens taken out (arXiv:1810.04805 §3.1), and what they were.

    Args:
        ids: (..., t) token numbers.
        special: (..., t) True for what is never taken: begin, end and padding.
        generator: on the CPU.
        vocabulary: a random token is one of so many.
        mask_token: stands in for a taken token.
        share: of each text's tokens that are taken, rounded to whole ones, one at least.

    Returns:
        ids and labels, both (..., t); a label is UNTAUGHT where nothing was taken.
    """
    places = torch.rand(ids.shape, generator=generator).masked_fill(special, torch.inf).argsort(-1)
    count = ((~special).sum(-1, keepdim=True) * share).round().clamp_min(1)
    taken = (places.argsort(-1) < count) & ~special
    kind = torch.rand(ids.shape, generator=generator)
    other = torch.randint(vocabulary, ids.shape, generator=generator)
    hidden = torch.where(kind < MASKED, mask_token, torch.where(kind < MASKED + REPLACED, other, ids))
    return torch.where(taken, hidden, ids), ids.masked_fill(~taken, UNTAUGHT)


def masked_language_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of the tokens that were taken out; 0 where none was.

    Args:
        logits: (b, t, v).
        labels: (b, t) what the tokens were, UNTAUGHT where they are to be seen.
    """
    taught = (labels != UNTAUGHT).sum().clamp_min(1)
    total = functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=UNTAUGHT, reduction="sum"
    )
    return total / taught


class MaskedLanguage:
    """The loss of a masked language model on a batch of texts and their labels."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        texts = {name: value for name, value in batch.items() if name != "labels"}
        return {"loss": masked_language_loss(model(**texts).logits, batch["labels"])}
