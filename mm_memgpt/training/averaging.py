"""The average of models of one shape: often better than any of them (model soups, arXiv:2203.05482).

Notable: it costs nothing at run time; it helps where the models went out from one start, and is noise where they did
not.
"""

from collections.abc import Sequence

import torch

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.types import InputError


@torch.no_grad()
def average(
    models: Sequence[MMMemGPTForConditionalGeneration], shares: Sequence[float] | None = None
) -> MMMemGPTForConditionalGeneration:
    """The first model with the weighted mean of all their weights; whole numbers and the config are the first one's.

    Args:
        models: of one shape, in one dtype.
        shares: of each in the mean, made to sum to 1; equal ones where None.

    Raises:
        InputError: fewer than two models, weights that differ in name or shape, or shares that do not fit.
    """
    if len(models) < 2:
        raise InputError("an average is of at least two models; name another")
    shares = [1.0] * len(models) if shares is None else list(shares)
    if len(shares) != len(models) or min(shares) < 0 or sum(shares) == 0:
        raise InputError(f"{len(shares)} shares for {len(models)} models; give one at least 0 for each, not all 0")
    states = [model.state_dict() for model in models]
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    for number, other in enumerate(shapes[1:], start=2):
        if odd := sorted(name for name in {*shapes[0], *other} if shapes[0].get(name) != other.get(name)):
            raise InputError(f"{odd[0]} of model {number} is not as in the first; average models of one shape")
    parts = [share / sum(shares) for share in shares]
    means = {  # all before any is put in place, because tied weights have two names
        name: sum(part * state[name].double() for part, state in zip(parts, states, strict=True))
        for name, value in states[0].items()
        if value.is_floating_point()
    }
    models[0].load_state_dict(means, strict=False)
    return models[0]
