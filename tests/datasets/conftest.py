"""Small photos of one shade each, from which published formats are written; and pools from which scenes are made."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mm_memgpt.datasets.pools import Heard, Photo, Pools, Row
from mm_memgpt.datasets.templates import SOUNDS
from mm_memgpt.datasets.things import facts


def encoded(shade: int, form: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full((3, 5), shade, np.uint8)).save(content, form)
    return content.getvalue()


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder with b.jpg, a.jpg and c.jpg, darker to brighter."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, name in enumerate(["b.jpg", "a.jpg", "c.jpg"]):
        (folder / name).write_bytes(encoded(100 * number, "JPEG"))
    return folder


SHOWN = ("dog", "man", "woman", "beach", "guitar", "umbrella", "horse", "tree")


@pytest.fixture(scope="session")
def pools() -> Pools:
    """Six photos of each of eight things, two with two things, three sounds of each class, two of each digit."""
    written = [[f"A {thing} , way {way} ." for way in range(5)] for thing in SHOWN for _ in range(6)]
    written += [["A man and a dog ."] * 5, ["A person with an umbrella ."] * 5]
    return Pools(
        photos=tuple(Photo(Row("photos", number), facts(captions)) for number, captions in enumerate(written)),
        sounds=tuple(Heard(Row("sounds", n), kind, 4.5 + n / 8) for n, kind in enumerate(3 * list(SOUNDS))),
        digits=tuple(Heard(Row("digits", n), str(n % 10), 0.25 + n / 64) for n in range(20)),
        sentences=("Two dogs run .", "A man sings .", "Nobody is here ."),
    )
