"""Small photos of one shade each, as files and as bytes, from which the published formats are written."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


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
