"""Losses of outputs on labels: cross-entropy, negative log-likelihood and mean squared error.

b rows   o outputs
"""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor
from torch.nn import functional

IGNORED = -100
"""The label of what is not learned from, as PyTorch has it."""


def cross_entropy(outputs: Tensor, labels: Tensor, weights: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy, sum_i w_i CE_i / sum_i w_i, each CE smoothed as in arXiv:1512.00567 section 7.

    Args:
        outputs: (..., o) before the softmax.
        labels: (...) int64, IGNORED where nothing is to be learned.
        weights: (o) of each class; all alike where None.
        smoothing: share of probability spread over the classes.
    """
    flat = outputs.float().flatten(0, -2)
    return functional.cross_entropy(flat, labels.flatten(), weights, ignore_index=IGNORED, label_smoothing=smoothing)


def negative_log_likelihood(log_probabilities: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean of -log p(label), weighted as `cross_entropy`; of log-probabilities (..., o), not of raw outputs."""
    flat = log_probabilities.float().flatten(0, -2)
    return functional.nll_loss(flat, labels.flatten(), weights, ignore_index=IGNORED)


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean of (output - target)^2 over all elements."""
    return functional.mse_loss(outputs.float(), targets.float())


def brier(outputs: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean squared error of probabilities (b, o) to the one-hot labels (b), weighted by each label's class."""
    errors = (outputs.float().softmax(-1) - functional.one_hot(labels, outputs.shape[-1])).square().mean(-1)
    each = weights[labels] if weights is not None else errors.new_ones(len(errors))
    return (errors * each).sum() / each.sum()


def loss_of(name: str, weights: Tensor | None, smoothing: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of outputs and labels by its name.

    Raises:
        ValueError: an unknown name, or smoothing with a loss that knows none.
    """
    losses = {
        "cross_entropy": partial(cross_entropy, weights=weights, smoothing=smoothing),
        "negative_log_likelihood": lambda outputs, labels: negative_log_likelihood(
            outputs.float().log_softmax(-1), labels, weights
        ),
        "mean_squared_error": partial(brier, weights=weights),
    }
    if name not in losses:
        raise ValueError(f"loss {name!r} is unknown; known: {', '.join(losses)}")
    if smoothing and name != "cross_entropy":
        raise ValueError(f"loss {name!r} takes no smoothing; leave it out, or take cross_entropy")
    return losses[name]


def balanced(counts: Sequence[int]) -> list[float]:
    """Weights of classes by how often they come, n / (k * count), as scikit-learn's "balanced"."""
    return [sum(counts) / (len(counts) * count) for count in counts]
