"""A mixture is the weighted sum of its parts, each on its own batch, and says what each was."""

import pytest
import torch

from mm_memgpt.objectives.mixture import OBJECTIVES, Mixture
from mm_memgpt.types import InputError


def scaled(model, batch):
    """A stand-in for an objective, whose loss is a parameter times what it is given."""
    return {"loss": model * batch, "seen": batch}


PARTS = {"masked_language": scaled, "causal_language": scaled, "captioning": scaled}
BATCH = {"masked_language": torch.tensor(3.0), "causal_language": torch.tensor(5.0)}


def test_it_is_the_weighted_sum_and_tells_every_part():
    parameter = torch.tensor(2.0, requires_grad=True)
    found = Mixture({"masked_language": 1, "causal_language": 0.1}, PARTS)(parameter, BATCH)
    found["loss"].backward()
    assert found["loss"].item() == pytest.approx(2 * 3 + 0.1 * 2 * 5)
    assert parameter.grad.item() == pytest.approx(3 + 0.1 * 5)
    assert {name: value.item() for name, value in found.items() if name != "loss"} == {
        "masked_language": 6,
        "masked_language_seen": 3,
        "causal_language": 10,
        "causal_language_seen": 5,
    }
    assert not any(value.requires_grad for name, value in found.items() if name != "loss")


def test_an_objective_without_weight_asks_for_no_batch():
    found = Mixture({"masked_language": 2, "captioning": 0}, PARTS)(torch.tensor(1.0), BATCH)
    assert found["loss"] == 6


def test_every_objective_that_is_known_can_be_mixed():
    assert set(Mixture(dict.fromkeys(OBJECTIVES, 1.0)).objectives) == set(OBJECTIVES)


@pytest.mark.parametrize(
    ("weights", "line"),
    [
        ({"masked": 1.0}, "objective 'masked' is unknown; known: masked_language, next_sentence, causal_language, "),
        ({"captioning": 0.0, "masked_language": 0}, "no objective has a weight above 0; give one, such as "),
        ({}, "no objective has a weight above 0"),
        ({"captioning": -1.0}, "weight -1.0 of captioning must be at least 0; leave the objective out"),
        ({"captioning": float("nan")}, "weight nan of captioning must be at least 0"),
        ({"captioning": "much"}, "weight 'much' of captioning must be a number, such as 1.0"),
        ({"captioning": True}, "weight True of captioning must be a number"),
    ],
)
def test_weights_that_make_no_mixture_are_refused(weights, line):
    with pytest.raises(InputError) as error:
        Mixture(weights)
    assert str(error.value).startswith(line)
