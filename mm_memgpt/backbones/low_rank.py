"""LoRA: small matrices beside a backbone's layers, which learn in their place and are added to them in the end.

Notable: the matrices are PEFT's (arXiv:2106.09685); merged, the model has its own shape again, and costs what it cost.
"""

from torch import nn
from transformers.pytorch_utils import Conv1D


def adapt(model: nn.Module, rank: int) -> None:
    """Puts matrices of a rank beside all linear layers of a model, in place, and freezes all else.

    Raises:
        ImportError: PEFT is not installed; the message names the extra.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError('tuning lora needs PEFT: pip install "mm-memgpt[lora]"') from error
    layers = {name: module for name, module in model.named_modules() if isinstance(module, (nn.Linear, Conv1D))}
    model.requires_grad_(False)
    turned = any(
        isinstance(module, Conv1D) for module in layers.values()
    )  # GPT-2 keeps its matrices the other way round
    settings = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules=list(layers), fan_in_fan_out=turned
    )
    inject_adapter_in_model(settings, model)
    model.train(model.training)  # what was put in begins in training


def merge(model: nn.Module) -> None:
    """Adds what the matrices learned to their layers, in place, and removes them."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            model.set_submodule(name, module.get_base_layer())
