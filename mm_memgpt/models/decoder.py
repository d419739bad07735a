"""The seam: chosen layers of a stock causal language model read the memory through gated cross-attention.

Notable: the memory travels through the stock model as an ordinary keyword argument, so nothing is stored on a layer
and concurrent requests cannot mix; a family that drops the argument on the way is found by a probe at construction,
because it would drop it silently; keys and values of the memory are computed once, as one tensor, batch first.

b batch   t text tokens   m memory tokens   d memory width   l reading layers   h heads   w head width
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from mm_memgpt.config import DecoderConfig
from mm_memgpt.layers.gate import GatedCrossAttention

FAMILIES = ("llama", "qwen3", "gpt2", "gpt_neox")
"""Families tested to pass the memory on; others may, and the probe tells."""


class MemoryLayer(nn.Module):
    """A stock layer that reads the memory first: h <- h + tanh(g) CA(LN h, memory), then the layer itself.

    Args:
        layer: the stock decoder layer.
        cross: the gated cross-attention.
        index: this layer's place in the projected memory.
    """

    def __init__(self, layer: nn.Module, cross: GatedCrossAttention, index: int) -> None:
        super().__init__()
        self.layer = layer
        self.cross = cross
        self.index = index

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
        if memory is not None:
            hidden_states = self.cross(hidden_states, memory[:, self.index], memory_mask)
        return self.layer(hidden_states, *args, **kwargs)


def find_layers(model: PreTrainedModel) -> tuple[nn.Module, str]:
    """The module that holds the stack of layers, and the attribute's name.

    Raises:
        ValueError: no ModuleList with as many entries as the config names layers.
    """
    depth = model.config.num_hidden_layers
    paths = [n for n, m in model.named_modules() if isinstance(m, nn.ModuleList) and len(m) == depth]
    if len(paths) != 1:
        raise ValueError(
            f"{type(model).__name__} has {len(paths)} lists of {depth} modules, so its layers cannot be told; "
            f"try a decoder of one of the families {', '.join(FAMILIES)}"
        )
    parent, _, name = paths[0].rpartition(".")
    return model.get_submodule(parent), name


def build_decoder(config: DecoderConfig, memory_width: int) -> PreTrainedModel:
    """A causal language model of the config, its chosen layers wrapped to read the memory.

    Raises:
        ValueError: the family drops the memory on its way to the layers, or a chosen layer does not exist.
    """
    language_model = config.language_model()
    model = AutoModelForCausalLM.from_config(language_model)
    with torch.device("meta"):
        twin = AutoModelForCausalLM.from_config(language_model)
    missed = wrap(twin, config, memory_width) - probe(twin)
    if missed:
        raise ValueError(
            f"{type(model).__name__} does not pass the memory to its layers {sorted(missed)}; "
            f"try a decoder of one of the families {', '.join(FAMILIES)}"
        )
    wrap(model, config, memory_width)
    return model


def wrap(model: PreTrainedModel, config: DecoderConfig, memory_width: int) -> set[int]:
    """Wraps the chosen layers of a model in place and returns their numbers."""
    holder, name = find_layers(model)
    layers = getattr(holder, name)
    chosen = range(len(layers)) if config.layers is None else config.layers
    if any(not 0 <= number < len(layers) for number in chosen):
        raise ValueError(f"decoder.layers {list(chosen)} must lie in 0..{len(layers) - 1}; try layers=None for all")
    for index, number in enumerate(chosen):
        cross = GatedCrossAttention(
            model.config.hidden_size,
            config.heads,
            context_width=memory_width,
            gate=config.gate,
            dropout=config.dropout,
        )
        layers[number] = MemoryLayer(layers[number], cross.to(next(model.parameters()).device), index)
    return set(chosen)


def memory_layers(model: nn.Module) -> list[MemoryLayer]:
    """The wrapped layers in the order of the projected memory."""
    return sorted((m for m in model.modules() if isinstance(m, MemoryLayer)), key=lambda layer: layer.index)


def probe(model: PreTrainedModel) -> set[int]:
    """The numbers of the wrapped layers that a memory given to the model's forward really reaches.

    The model is on the meta device, so the probe costs neither memory nor time.
    """
    holder, name = find_layers(model)
    reached: set[int] = set()

    def watch(number: int) -> Any:
        def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
            if kwargs.pop("memory", None) is not None:
                reached.add(number)
            return args, kwargs

        return hook

    for number, layer in enumerate(getattr(holder, name)):
        if isinstance(layer, MemoryLayer):
            layer.register_forward_pre_hook(watch(number), with_kwargs=True)
    tokens = torch.zeros(1, 2, dtype=torch.long, device="meta")
    mask = torch.ones(1, 1, 2, 2, dtype=torch.bool, device="meta")
    try:
        with torch.no_grad():
            model(input_ids=tokens, attention_mask=mask, memory=torch.zeros(1, device="meta"), use_cache=False)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"{type(model).__name__} cannot be probed for a memory ({error}); "
            f"try a decoder of one of the families {', '.join(FAMILIES)}"
        ) from error
    return reached


def project_memory(model: nn.Module, memory: Tensor, mask: Tensor | None = None) -> Tensor:
    """Keys and values of a memory for every reading layer, once for all the words written from it.

    Args:
        memory: (b, m, d) memory tokens.
        mask: (b, m) True where a token is real.

    Returns:
        (b, l, 2, h, 1+m, w), the null token first.
    """
    return torch.stack([layer.cross.project(memory, mask) for layer in memory_layers(model)], dim=1)
