"""The one training loop: Hugging Face's Trainer, with gates in a group of their own and their values in the log.

Notable: the order of the data is the stream's, so the sampler is sequential, and a resumed run skips what it has seen;
validation leaves no trace in the random numbers; all that is shown on the way goes to standard error.
"""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import SequentialSampler
from transformers import PreTrainedModel, ProgressCallback, Trainer

from mm_memgpt.layers.gate import Gate
from mm_memgpt.training.recipe import Optimiser

Objective = Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]
"""Model and batch to a dict with "loss"; whatever else is in it is a scalar to log."""


def parameter_groups(model: nn.Module, settings: Optimiser) -> list[dict[str, Any]]:
    """Every trainable parameter once: gates, trunk or backbone, and the rest; only matrices with weight decay.

    Args:
        model: what lies in its `trunk`s, and in its `backbone`, is what was trained before.
        settings: rates and weight decay.
    """
    gates = {id(m.alpha) for m in model.modules() if isinstance(m, Gate)}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        gate, trunk = id(parameter) in gates, any(part in f".{name}" for part in (".trunk.", ".backbone."))
        rate = settings.gate_rate if gate else settings.trunk_rate if trunk else 1.0
        decay = settings.weight_decay if parameter.ndim > 1 and not gate else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": settings.rate * rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


class Progress(ProgressCallback):
    """The progress bar, with the logged figures above it; the library prints those to standard output."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        with redirect_stdout(sys.stderr):
            super().on_log(*args, **kwargs)


class RecipeTrainer(Trainer):
    """Trainer over a SampleStream, by an objective and the recipe's optimiser."""

    def __init__(
        self,
        *args: Any,
        objective: Objective,
        settings: Optimiser,
        measure: Callable[[], dict[str, float]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.remove_callback(ProgressCallback)
        self.add_callback(Progress)
        self.objective = objective
        self.settings = settings
        self.measure = measure
        self.parts: dict[str, list[Tensor]] = {}

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            groups = parameter_groups(self.model if model is None else model, self.settings)
            settings = self.settings
            if settings.name == "sgd":
                self.optimizer = torch.optim.SGD(groups, lr=settings.rate, momentum=settings.momentum)
            else:
                self.optimizer = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98))
        return self.optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(self.train_dataset if train_dataset is None else train_dataset)

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        outputs = self.objective(model, inputs)
        if model.training:
            for name, value in outputs.items():
                if name != "loss":
                    self.parts.setdefault(name, []).append(value.detach())
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """As the library's, but the random numbers stay as they were: starting a loader draws one, at times."""
        with torch.random.fork_rng():
            figures = super().evaluate(*args, **kwargs)
            if self.measure is not None:
                measured = {f"eval_{name}": value for name, value in self.measure().items()}
                self.log(measured)
                figures |= measured
            return figures

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        """Weights leave in the plain memory layout, because safetensors takes no other, and tied ones once."""
        state_dict = self.model.state_dict() if state_dict is None else state_dict
        again = set() if isinstance(self.model, PreTrainedModel) else tied(state_dict)
        kept = {name: value.contiguous() for name, value in state_dict.items() if name not in again}
        super()._save(output_dir, kept)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """What is tied was loaded under its other name."""
        again = tied(self.model.state_dict())
        missing = [name for name in load_result.missing_keys if name not in again]
        if missing or load_result.unexpected_keys or isinstance(self.model, PreTrainedModel):
            super()._issue_warnings_after_load(load_result)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        if "loss" in logs:
            logs |= {name: torch.stack(values).mean().item() for name, values in self.parts.items()}
            self.parts.clear()
            gates = [m.alpha.item() for m in self.model.modules() if isinstance(m, Gate)]
            logs |= {f"gate_{i}": round(torch.tanh(torch.tensor(g)).item(), 4) for i, g in enumerate(gates)}
        super().log(logs, *args, **kwargs)


def tied(state_dict: dict[str, Tensor]) -> set[str]:
    """The names of tensors that an earlier name has already."""
    seen, again = set(), set()
    for name, value in state_dict.items():
        place = (value.data_ptr(), value.shape)
        if value.numel() > 0 and place in seen:
            again.add(name)
        seen.add(place)
    return again
