"""Which device a model runs on."""

import torch

from mm_memgpt.types import InputError


def choose_device(device: str | None) -> torch.device:
    """The device of that name, or the GPU where there is one. Raises InputError where it cannot be used."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"device {device!r} cannot be used ({error}); try 'cpu'") from error
    return torch.device(device)
