"""Streams for the memory's tests: random items of all modalities, some of their tokens missing, some items padding."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mm_memgpt.memory.archive_rows import Shape
from mm_memgpt.memory.item import Item, new_id
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


@pytest.fixture(scope="session")
def moments() -> Callable[..., list[Item]]:
    """A function that makes items as a persistent memory keeps them, the same but for their ids for the same seed.

    Source names differ only in a number, and so do texts in a word; `of` says how many items a source has.
    """

    def make(
        count: int, p: int, d: int, k: int, *, seed: int = 0, of: int = 1, place: str = "/home/ada/holiday"
    ) -> list[Item]:
        random = np.random.default_rng(seed)
        items = []
        for number in range(count):
            key, mask = random.normal(size=k), random.random(p) < 0.7
            mask[number % p] = True
            source = seed * 1000 + number // of
            items.append(
                Item(
                    id=new_id(),
                    source=f"{place}/photo {source}.jpg",
                    modality=MODALITIES[random.integers(len(MODALITIES))],
                    start=1.79e9 + number,
                    end=1.79e9 + number + 0.5,
                    created=1.79e9,
                    key=(key / np.linalg.norm(key)).astype(np.float16),
                    tokens=random.normal(size=(p, d)).astype(np.float16),
                    mask=mask,
                    text=f"On day {source} a word{seed}x{number} was written in the sand." if number % 3 else "",
                    preview=random.bytes(90) if number % 2 else b"",
                    digest=random.bytes(8).hex(),
                )
            )
        return items

    return make


@pytest.fixture(scope="session")
def item() -> Callable[..., Item]:
    """`item(7, source="a.jpg")`: the seventh item of a stream of three sources, one a modality, unless told otherwise.

    All but its id is the same for the same number. It fits Shape(3, 4, 5), or the one given.
    """
    usual = Shape(tokens=3, width=4, key_width=5)

    def make(number: int, shape: Shape = usual, **given: object) -> Item:
        random = np.random.default_rng(number)
        key = random.standard_normal(shape.key_width)
        return Item(
            **{
                "id": new_id(),
                "source": ("/photos/dog.jpg", "/sounds/bell.wav", "note")[number % 3],
                "modality": MODALITIES[number % 3],
                "start": 1.79e9 + number,
                "end": 1.79e9 + number + 0.25,
                "created": 1.8e9 + number,
                "key": (key / np.linalg.norm(key)).astype(np.float16),
                "tokens": random.standard_normal(shape[:2]).astype(np.float16),
                "mask": np.arange(shape.tokens) <= number % 3,
                "text": f"the numbat{number} sleeps" if number % 3 == 2 else "",
                "preview": b"\xff\xd8 jpeg %d \xff\xd9" % number if number % 3 == 0 else b"",
                "digest": f"digest{number % 3}",
            }
            | given
        )

    return make
