"""The seam: chosen layers of a stock language model read the memory through gated cross-attention.

Notable: the memory travels through the stock model as an ordinary keyword argument, so nothing is stored on a layer
and concurrent requests cannot mix; a family that drops the argument on the way does so silently, and is found by a run
on tensors without numbers; keys and values of the memory are computed once, as one tensor, batch first.

b batch   t text tokens   m memory tokens   d memory width   l reading layers   h heads   w head width
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from mm_memgpt.layers.gate import GatedCrossAttention


class MemoryLayer(nn.Module):
    """A stock layer that reads the memory before it works, or after: h <- h + tanh(g) CA(LN h, memory).

    Args:
        layer: the stock decoder layer.
        cross: the gated cross-attention.
        index: this layer's place in the projected memory.
        after: whether it reads when the layer has worked.
    """

    def __init__(self, layer: nn.Module, cross: GatedCrossAttention, index: int, after: bool = False) -> None:
        super().__init__()
        self.layer = layer
        self.cross = cross
        self.index = index
        self.after = after

    def __getattr__(self, name: str) -> Any:
        """Stock models read attributes of their layers (Qwen3: attention_type)."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def forward(
        self,
        hidden_states: Tensor,
        *args: Any,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """hidden_states (b, t, d); memory (b, l, 2, h, 1+m, w) as projected; memory_mask (b, m) True where real."""
        if memory is None:
            return self.layer(hidden_states, *args, **kwargs)
        memory = memory[:, self.index]
        if not self.after:
            return self.layer(self.cross(hidden_states, memory, memory_mask), *args, **kwargs)
        output = self.layer(hidden_states, *args, **kwargs)
        if isinstance(output, tuple):  # T5 hands its position biases on
            return self.cross(output[0], memory, memory_mask), *output[1:]
        return self.cross(output, memory, memory_mask)


def find_layers(model: PreTrainedModel) -> str:
    """Dotted name of the list of layers that write; in an encoder-decoder they are the decoder's.

    Raises:
        ValueError: there is not exactly one list of modules outside all others.
    """
    stack = model.get_decoder() if model.config.is_encoder_decoder else model
    start = next(name for name, module in model.named_modules() if module is stack)
    lists = [name for name, module in stack.named_modules() if isinstance(module, nn.ModuleList)]
    outermost = [name for name in lists if not any(name.startswith(f"{other}.") for other in lists)]
    if len(outermost) != 1:
        raise ValueError(
            f"{type(model).__name__} has {len(outermost)} lists of modules, so its layers cannot be told; "
            "try another decoder, such as 'llama'"
        )
    return f"{start}.{outermost[0]}".removeprefix(".")


def wrap(
    model: PreTrainedModel,
    *,
    memory_width: int,
    heads: int,
    layers: tuple[int, ...] | None = None,
    gate: float = 0.0,
    reads: str = "before",
    dropout: float = 0.0,
) -> list[int]:
    """Wraps the chosen layers of a model in place and returns their numbers.

    Args:
        model: a stock language model.
        memory_width: d.
        heads: of the cross-attention; they divide the model's own width.
        layers: which ones; None is all.
        gate: initial, before tanh.
        reads: "before" or "after" the layer's own work.
        dropout: on what the memory adds.

    Raises:
        ValueError: a chosen layer does not exist.
    """
    stack = model.get_submodule(find_layers(model))
    chosen = list(range(len(stack)) if layers is None else layers)
    if any(not 0 <= number < len(stack) for number in chosen):
        raise ValueError(f"decoder.layers {chosen} must lie in 0..{len(stack) - 1}; try layers=None for all")
    for index, number in enumerate(chosen):
        with torch.device(next(model.parameters()).device):
            cross = GatedCrossAttention(
                model.config.hidden_size, heads, context_width=memory_width, gate=gate, dropout=dropout
            )
        stack[number] = MemoryLayer(stack[number], cross, index, after=reads == "after")
    return chosen


def quieten(model: nn.Module, std: float) -> None:
    """Lets the weights through which a model adds what it reads begin with this deviation."""
    for layer in memory_layers(model):
        nn.init.normal_(layer.cross.attention.output.weight, std=std)


def memory_layers(model: nn.Module) -> list[MemoryLayer]:
    """The wrapped layers in the order of the projected memory."""
    return sorted((m for m in model.modules() if isinstance(m, MemoryLayer)), key=lambda layer: layer.index)


def reached(model: PreTrainedModel) -> set[int]:
    """Places in the projected memory of the wrapped layers that a memory given to the model's forward really reaches.

    The model is of fake tensors, so the run costs neither memory nor time; call it under their mode.
    """
    found: set[int] = set()

    def notice(layer: MemoryLayer, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        if kwargs.pop("memory", None) is not None:
            found.add(layer.index)
        return args, kwargs

    for layer in memory_layers(model):
        layer.register_forward_pre_hook(notice, with_kwargs=True)
    tokens = torch.zeros(1, 2, dtype=torch.long)
    written = {"decoder_input_ids": tokens} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        model(input_ids=tokens, memory=torch.zeros(1), use_cache=False, **written)
    return found


def stock_state(model: PreTrainedModel) -> dict[str, Tensor]:
    """The stock model's own parameters and buffers, under the names they have in the stock model."""
    path = find_layers(model)
    stack = model.get_submodule(path)
    wrapped = [f"{path}.{number}." for number, layer in enumerate(stack) if isinstance(layer, MemoryLayer)]
    state = {}
    for name, tensor in model.state_dict().items():
        prefix = next((each for each in wrapped if name.startswith(each)), None)
        if prefix is None:
            state[name] = tensor
        elif name.startswith(f"{prefix}layer."):
            state[prefix + name.removeprefix(f"{prefix}layer.")] = tensor
    return state


def project_memory(model: nn.Module, memory: Tensor, mask: Tensor | None = None) -> Tensor:
    """Keys and values of a memory for every reading layer, once for all the words written from it.

    Args:
        memory: (b, m, d) memory tokens.
        mask: (b, m) True where a token is real.

    Returns:
        (b, l, 2, h, 1+m, w), the null token first.
    """
    return torch.stack([layer.cross.project(memory, mask) for layer in memory_layers(model)], dim=1)
