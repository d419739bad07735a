"""Next-sentence prediction: does the second text follow the first, or come from another document?

Notable: the head is the one of BERT, so its weights can be exchanged with those of transformers' own.

b pairs   t tokens   d width
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def next_sentence_loss(logits: Tensor, is_next: Tensor) -> Tensor:
    """Mean cross-entropy of the two answers (arXiv:1810.04805 §3.1, task 2).

    Args:
        logits: (b, 2) for "it follows", then for "it does not", BERT's order.
        is_next: (b) bool.
    """
    return functional.cross_entropy(logits.float(), (~is_next).long())


class NextSentenceHead(nn.Module):
    """From the first token's hidden state (b, d) to the two answers (b, 2): W_2 tanh(W_1 h), BERT's pooler and head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.answer = nn.Linear(width, 2)

    def forward(self, first: Tensor) -> Tensor:
        return self.answer(torch.tanh(self.dense(first)))


class NextSentence:
    """The loss of a model with a `next_sentence` head on a batch of pairs, and the share of right answers."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        pairs = {name: value for name, value in batch.items() if name != "is_next"}
        logits = model.next_sentence(model.base_model(**pairs).last_hidden_state[:, 0])
        right = (logits.argmax(1) == 0) == batch["is_next"]
        return {"loss": next_sentence_loss(logits, batch["is_next"]), "right": right.float().mean()}
