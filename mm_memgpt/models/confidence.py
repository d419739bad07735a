"""Confidence: how likely a written sentence is a good one, told from signals that cost no more than two passes over it.

Notable: the model's own probabilities say how usual a sentence is, not how good it is; so a few signals are weighed by
a logistic regression that was fitted to people's sentences (`mm-memgpt calibrate`), and what runs here is a dot product
and a sigmoid. The evidence needs a second pass, which reads an empty memory; it is made only where it is asked for.

b sentences   t tokens of the longest, the first token excluded   v vocabulary   m memory tokens   s signals
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mm_memgpt.config import ConfidenceConfig
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.types import Caption

BLIND = ("evidence", "mean_evidence")
"""Signals that need the pass without the memory."""


class Written(NamedTuple):
    """Sentences read back by the model that wrote them; 0 wherever a token is not `real`."""

    real: Tensor
    """(b, t) bool: True for the tokens it chose, the end of the sentence included, a prompt's excluded."""
    logprob: Tensor
    """(b, t) float: natural logarithm of each token's probability."""
    entropy: Tensor
    """(b, t) float: of the distribution that each token was chosen from, in nats."""
    blind: Tensor | None
    """(b, t) float: `logprob` as it is where the memory is empty."""
    similarity: Tensor | None = None
    """(b,) float: cosine of the sentence's key and the memory's."""


class Judged(NamedTuple):
    """A caption and each of its signals by name."""

    caption: Caption
    signals: dict[str, float]


SIGNAL: dict[str, Callable[[Written], Tensor]] = {
    "mean_logprob": lambda written: written.logprob.sum(1) / _length(written),
    "sum_logprob": lambda written: written.logprob.sum(1),
    "least_logprob": lambda written: written.logprob.min(1).values,
    "length": lambda written: written.real.sum(1).float(),
    "entropy": lambda written: written.entropy.sum(1) / _length(written),
    "evidence": lambda written: (written.logprob - written.blind).sum(1),
    "mean_evidence": lambda written: (written.logprob - written.blind).sum(1) / _length(written),
    "similarity": lambda written: written.similarity,
}
"""Each of `config.SIGNALS` (b,): "evidence" is log p(sentence | memory) - log p(sentence | empty memory), in nats."""


def _length(written: Written) -> Tensor:
    return written.real.sum(1).clamp(min=1)


def read_back(
    model: MMMemGPTForConditionalGeneration,
    sequences: Tensor,
    memory: Tensor,
    memory_mask: Tensor,
    given: int,
    end: int,
    signals: Iterable[str],
    logits: Tensor | None = None,
) -> tuple[Tensor, Written]:
    """What the model that wrote sentences says of them.

    Args:
        model: of whose tokens `sequences` are.
        sequences: (b, 1+t) tokens as `generate` returned them; the first is the one that every text begins with.
        memory: (b, m, d) what was read.
        memory_mask: (b, m) True where real.
        given: how many tokens behind the first are a prompt's.
        end: the token that ends a sentence.
        signals: names of those wanted.
        logits: (b, t, v) from which the tokens were chosen, where they are known; computed anew where None.

    Returns:
        log-probabilities of all tokens (b, t), the prompt's too, and what the signals are made of.
    """
    chosen = sequences[:, 1:]  # (b, t)
    behind = (chosen == end).int()
    behind[:, :given] = 0
    real = behind.cumsum(1) - behind == 0  # nothing has ended before it
    real[:, :given] = False
    if logits is None:
        logits = model.teacher_forced(sequences, memory, memory_mask)
    logits = logits.float().log_softmax(-1)  # (b, t, v)
    logprob = _of(chosen, logits)
    blind = None
    if not set(BLIND).isdisjoint(signals):
        nothing = memory_mask[:, :1].new_zeros(memory_mask[:, :1].shape)
        blind = _of(chosen, model.teacher_forced(sequences, memory[:, :1], nothing).float().log_softmax(-1)) * real
    entropy = torch.special.entr(logits.exp()).sum(-1)
    return logprob, Written(real, logprob * real, entropy * real, blind)


def _of(tokens: Tensor, logits: Tensor) -> Tensor:
    return logits.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def probability(config: ConfidenceConfig, signals: Mapping[str, float]) -> float:
    """sigmoid(bias + weights · signals), 0 to 1."""
    score = config.bias + sum(
        weight * signals[name] for name, weight in zip(config.signals, config.weights, strict=True)
    )
    return torch.tensor(score, dtype=torch.float64).sigmoid().item()
