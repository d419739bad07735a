"""The layers of a model: those that stay of it, and what passes through them while it reads.

Notable: a model with fewer layers is built anew by its own library and takes its weights from those that stay, so what
a family counts or numbers in its layers is right by itself.

r items   t tokens   d width   h heads
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from mm_memgpt.models.quiet import quiet

COUNTED = {
    "encoder": ("num_hidden_layers", "num_layers", "encoder_layers", "n_layer", "n_layers"),
    "decoder": ("num_decoder_layers", "decoder_layers"),
}
"""What families call the number of their layers; of a model of one stack it is as of an encoder."""


def stacks(model: nn.Module) -> dict[str, nn.ModuleList]:
    """The lists of layers in a model, by name, but for those within a layer."""
    found: dict[str, nn.ModuleList] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, nn.ModuleList) and not inside and any(True for _ in module.parameters()):
            found[name] = module
    return found


def chosen(layers: int | Sequence[int], depth: int) -> list[int]:
    """Which of `depth` layers stay: as given, or every so-manieth of them, from the first on.

    Raises:
        ValueError: more than there are, none, or not in their order.
    """
    if isinstance(layers, int):
        if not 1 <= layers <= depth:
            raise ValueError(f"layers {layers} must be from 1 to the {depth} there are")
        return [number * depth // layers for number in range(layers)]
    kept = list(layers)
    if not kept or kept != sorted({*kept}) or not 0 <= kept[0] <= kept[-1] < depth:
        raise ValueError(f"layers {kept} must be numbers from 0 to {depth - 1}, in their order; try {[0, depth // 2]}")
    return kept


def with_layers(model: PreTrainedModel, layers: int | Sequence[int], parts: Sequence[str]) -> PreTrainedModel:
    """A model of the same family whose stacks have only some of the layers, with their weights.

    Args:
        model: of transformers.
        layers: as `chosen` takes them.
        parts: of an encoder-decoder which parts lose layers: encoder, decoder or both; another loses its only stack's.

    Raises:
        ValueError: layers that are not there, or a model whose layers cannot be told apart.
    """
    config, kept = copy.deepcopy(model.config), {}
    for name, stack in stacks(model).items():
        part = "decoder" if model.config.is_encoder_decoder and "decoder" in name.split(".") else "encoder"
        if part in parts or not model.config.is_encoder_decoder:
            kept[name] = chosen(layers, len(stack))
            _count(config, COUNTED[part], len(stack), kept[name])
    with quiet():
        fewer = type(model)(config)
    weights, found = model.state_dict(), fewer.state_dict()
    for name in found:
        source = _renumbered(name, kept)
        source = source if source in weights else name  # what only a first layer has, as T5's table of distances
        if source not in weights or weights[source].shape != found[name].shape:
            raise ValueError(f"a {config.model_type} model cannot lose layers; leave out 'layers'")
        found[name] = weights[source]
    fewer.load_state_dict(found)
    if (writing := getattr(model, "generation_config", None)) is not None:
        fewer.generation_config = writing
    return fewer.to(next(model.parameters()).dtype)


def _count(config: PreTrainedConfig, names: Sequence[str], depth: int, kept: Sequence[int]) -> None:
    """Sets how many layers there are; a model that does not say so, or says another number, cannot lose any."""
    said = [name for name in names if getattr(config, name, None) is not None]
    if not said or any(getattr(config, name) != depth for name in said):
        raise ValueError(f"a {config.model_type} model has no layers of its own to leave out; leave out 'layers'")
    if (kinds := getattr(config, "layer_types", None)) is not None:
        config.layer_types = [kinds[number] for number in kept]
    for name in said:
        setattr(config, name, len(kept))


def _renumbered(name: str, kept: Mapping[str, Sequence[int]]) -> str:
    """The old name of a weight of the model with fewer layers."""
    for stack, numbers in kept.items():
        if name.startswith(f"{stack}."):
            number, dot, rest = name.removeprefix(f"{stack}.").partition(".")
            return f"{stack}.{numbers[int(number)]}{dot}{rest}"
    return name


@dataclass
class Reading:
    """What passed through a model when it read one batch."""

    batch: Mapping[str, Tensor]
    output: Any = None
    hidden: list[list[Tensor]] = field(default_factory=list)
    """Of each stack, what went into its first layer and what came out of each, (r, t, d)."""
    attention: list[list[Tensor]] = field(default_factory=list)
    """Of each stack, the map of each layer, (r, h, t, t)."""


@contextmanager
def recorded(
    reader: nn.Module, layers: Sequence[nn.ModuleList] = (), looking: Sequence[PreTrainedModel] = ()
) -> Iterator[list[Reading]]:
    """Records each batch that a module reads, while the context lasts.

    Args:
        reader: is called with a batch.
        layers: stacks whose hidden states are kept.
        looking: models of one stack each whose attention maps are kept; they look in the plain way, which has maps.
    """
    readings: list[Reading] = []
    with ExitStack() as hooks:

        def hook(handle: Any) -> None:
            hooks.callback(handle.remove)

        def begin(_: nn.Module, given: tuple) -> None:
            readings.append(Reading(given[0], hidden=[[] for _ in layers]))

        def end(_: nn.Module, given: tuple, output: Any) -> None:
            readings[-1].output = output

        hook(reader.register_forward_pre_hook(begin))
        hook(reader.register_forward_hook(end))
        for number, stack in enumerate(layers):

            def enter(_: nn.Module, given: tuple, named: dict, number: int = number) -> None:
                readings[-1].hidden[number].append(given[0] if given else named["hidden_states"])

            def leave(_: nn.Module, given: tuple, output: Any, number: int = number) -> None:
                readings[-1].hidden[number].append(output[0] if isinstance(output, tuple) else output)

            hook(stack[0].register_forward_pre_hook(enter, with_kwargs=True))
            for layer in stack:
                hook(layer.register_forward_hook(leave))
        for model in looking:

            def look(_: nn.Module, given: tuple, output: Any) -> None:
                readings[-1].attention.append([*output.attentions])

            hook(model.register_forward_hook(look))
            hooks.enter_context(_with_maps(model))
        yield readings


@contextmanager
def _with_maps(model: PreTrainedModel) -> Iterator[None]:
    """A model that gives its attention maps, while the context lasts."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    model.config.output_attentions = True
    try:
        yield
    finally:
        model.config.output_attentions = False
        model.set_attn_implementation(before)
