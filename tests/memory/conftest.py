"""Streams for the memory's tests: random items of all modalities, some of their tokens missing, some items padding."""

from collections.abc import Callable

import pytest
import torch

from mm_memgpt.types import MODALITIES, Features


@pytest.fixture(scope="session")  # hypothesis draws many examples within one test
def stream() -> Callable[..., Features]:
    """A function that makes features, the same for the same seed. About a fifth of the items are padding."""

    def make(b: int, n: int, p: int, d: int, k: int, *, seed: int = 0, dtype=torch.float32, padding=0.2) -> Features:
        random = torch.Generator().manual_seed(seed)
        mask = torch.rand(b, n, p, generator=random) < 0.7
        mask[..., 0] = True
        mask &= torch.rand(b, n, 1, generator=random) >= padding
        key = torch.randn(b, n, k, generator=random, dtype=dtype)
        start = 1.79e9 + torch.arange(n, dtype=torch.float64) + torch.rand(b, n, generator=random)
        return Features(
            tokens=torch.randn(b, n, p, d, generator=random, dtype=dtype),
            mask=mask,
            key=key / key.norm(dim=-1, keepdim=True),
            time=torch.stack((start, start + 0.25), dim=-1),
            modality=torch.randint(0, len(MODALITIES), (b, n), generator=random),
            source=torch.randint(0, 4, (b, n), generator=random),
        )

    return make
