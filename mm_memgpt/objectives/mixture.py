"""A mixture of objectives: the weighted sum of their losses, each on the form of the batch that it needs.

Notable: every part is told beside the sum, so a log shows which objective learns.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from mm_memgpt.objectives.captioning import Captioning
from mm_memgpt.objectives.causal_language import CausalLanguage
from mm_memgpt.objectives.masked_language import MaskedLanguage
from mm_memgpt.objectives.next_sentence import NextSentence
from mm_memgpt.objectives.sentence_contrast import SentenceContrast
from mm_memgpt.types import InputError

Objective = Callable[[nn.Module, dict[str, Any]], dict[str, Tensor]]

OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "masked_language": MaskedLanguage,
    "next_sentence": NextSentence,
    "causal_language": CausalLanguage,
    "sentence_contrast": SentenceContrast,
    "captioning": Captioning,
}
"""What can be mixed."""


def check_weights(weights: Mapping[str, float]) -> None:
    """Raises InputError for an unknown objective, a weight that is no number or below 0, or where none is above 0."""
    if unknown := sorted(name for name in weights if name not in OBJECTIVES):
        raise InputError(f"objective {unknown[0]!r} is unknown; known: {', '.join(OBJECTIVES)}")
    if odd := [name for name, weight in weights.items() if type(weight) not in (int, float)]:
        raise InputError(f"weight {weights[odd[0]]!r} of {odd[0]} must be a number, such as 1.0")
    if negative := [name for name, weight in weights.items() if not weight >= 0]:
        raise InputError(f"weight {weights[negative[0]]} of {negative[0]} must be at least 0; leave the objective out")
    if not any(weights.values()):
        raise InputError("no objective has a weight above 0; give one, such as masked_language: 1")


class Mixture:
    """sum_i w_i L_i of a model on a batch; beside it every L_i by its name, and what each tells more as name_what.

    Args:
        weights: w of each objective by name; one of weight 0 is left out.
        objectives: in place of those that their classes make by themselves.

    Raises:
        InputError: as `check_weights`.
    """

    def __init__(self, weights: Mapping[str, float], objectives: Mapping[str, Objective] | None = None) -> None:
        check_weights(weights)
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        given = {} if objectives is None else objectives
        self.objectives = {name: given[name] if name in given else OBJECTIVES[name]() for name in self.weights}

    def __call__(self, model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        parts: dict[str, Tensor] = {}
        total: Tensor | float = 0.0
        for name, objective in self.objectives.items():
            found = objective(model, batch[name])
            total = total + self.weights[name] * found["loss"]
            parts[name] = found["loss"].detach()
            parts |= {f"{name}_{what}": value.detach() for what, value in found.items() if what != "loss"}
        return {"loss": total} | parts
