"""A backbone, a task adapter and an output layer as one model, and the folder that holds them.

Notable: a folder is whole: task.json says what it is, `backbone/` is a folder that its own library reads, and
model.safetensors holds the adapter and the output layer; nothing is asked of a network.

b rows   n items   p tokens per item   d width   w width of the adapter   o outputs
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path

import torch
from einops import rearrange
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mm_memgpt.backbones.base import Backbone, Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.backbones.tokens import Fit
from mm_memgpt.config import build as build_config
from mm_memgpt.tasks.adapters import Adapted, AdapterConfig, build_adapter
from mm_memgpt.tasks.base import Task
from mm_memgpt.tasks.folder import TASK_FILE, read_said, write_said
from mm_memgpt.tasks.known import TASKS
from mm_memgpt.types import InputError


class TaskModel(nn.Module):
    """Reads with a backbone, adapts what it read, and gives a task's outputs.

    Args:
        backbone: reads.
        adapter: an adapter of `mm_memgpt.tasks.adapters`, or any module of that contract.
        task: says what the outputs are.
        config: of the adapter, to build it again; None of a module of your own.
    """

    def __init__(self, backbone: Backbone, adapter: nn.Module, task: Task, config: AdapterConfig | None) -> None:
        super().__init__()
        self.backbone, self.adapter, self.task, self.adapter_config = backbone, adapter, task, config
        self.head = task.head(adapter.width)

    def train(self, mode: bool = True) -> "TaskModel":
        """As any module's, but a backbone that is frozen as a whole drops nothing out: what is read stays the same."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.backbone.parameters()):
            self.backbone.eval()
        return self

    def read(self, batch: Mapping[str, Tensor]) -> Adapted:
        """The adapted tokens (b, n * p, w) and their pooled (b, w) of a batch, as the processor made it."""
        features = self.backbone(batch)
        return self.adapter(
            rearrange(features.tokens, "b n p d -> b (n p) d"), rearrange(features.mask, "b n p -> b (n p)")
        )

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The outputs (b, o), or (b, n * p, o) of a task that says something of tokens."""
        return self.task.forward(self, batch)

    def prepare(self, inputs: Sequence[Inputs]) -> dict[str, Tensor]:
        """Rows as a batch on the model's device."""
        return self.placed(self.task.prepare(self.backbone.processor, inputs))

    def placed(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A batch on the model's device."""
        device = next(self.parameters()).device
        return {name: value.to(device) for name, value in batch.items()}

    def save(self, folder: str | PathLike) -> None:
        """Writes the whole model into a folder."""
        folder = Path(folder)
        (folder / "backbone").mkdir(parents=True, exist_ok=True)
        self.backbone.save(folder / "backbone")
        own = {name: value for name, value in self.state_dict().items() if not name.startswith("backbone.")}
        save_file({name: value.contiguous() for name, value in own.items()}, folder / "model.safetensors")
        fit = self.backbone.processor.fit
        said = {
            "task": self.task.name,
            **self.task.saved(),
            "adapter": None if self.adapter_config is None else asdict(self.adapter_config),
            "reads": list(self.backbone.reads),
            "texts": {"longest": fit.longest, "over": fit.over, "stride": fit.stride},
        }
        write_said(folder, said)


def create(backbone: Backbone, task: Task, adapter: AdapterConfig | nn.Module | None = None) -> TaskModel:
    """A model with a fresh adapter and output layer; an nn.Module is taken as it is.

    Raises:
        ValueError: a module without `width`.
    """
    if isinstance(adapter, nn.Module):
        if not isinstance(getattr(adapter, "width", None), int):
            raise ValueError(
                f"adapter {type(adapter).__name__} says not how wide it is; set self.width, a whole number"
            )
        return TaskModel(backbone, adapter, task, None)
    config = adapter or AdapterConfig()
    return TaskModel(backbone, build_adapter(config, backbone.width, backbone.pooling), task, config)


def read_task_model(folder: str | PathLike, adapter: nn.Module | None = None) -> TaskModel:
    """The model that `TaskModel.save` wrote, in evaluation mode on the CPU.

    Args:
        folder: where it lies.
        adapter: the module of your own that it was trained with, of the same shapes; None of the package's.

    Raises:
        InputError: no such folder, or one that is not whole.
    """
    folder = Path(folder)
    said = read_said(folder)
    try:
        task = TASKS[said["task"]](said["columns"], said["labels"], said["options"])
        config = None if said["adapter"] is None else build_config(AdapterConfig, said["adapter"])
        texts = build_config(Fit, said["texts"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / TASK_FILE}: {error}; give a folder that finetune wrote") from None
    backbone = build(folder / "backbone", longest=texts.longest, over=texts.over, stride=texts.stride)
    backbone.reads = tuple(said["reads"])
    if config is None and adapter is None:
        raise InputError(f"{folder}: was trained with an adapter of your own; give it again: adapter=MyAdapter(...)")
    model = create(backbone, task, config if adapter is None else adapter)
    _load(model, folder / "model.safetensors")
    return model.eval()


def _load(model: TaskModel, path: Path) -> None:
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a folder that finetune wrote") from None
    due = {name: value.shape for name, value in model.state_dict().items() if not name.startswith("backbone.")}
    here = {name: value.shape for name, value in weights.items()}
    if odd := sorted(name for name in {*here, *due} if here.get(name) != due.get(name)):
        raise InputError(f"{path}: {odd[0]} is not as {TASK_FILE} says; the two are not of one model")
    with torch.no_grad():
        model.load_state_dict(weights, strict=False)
