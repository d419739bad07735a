"""The benchmarks are no package, so the tests put the checkout on the path; what they compare is tiny here."""

import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoTokenizer

from mm_memgpt.encoders.image import create_trunk
from mm_memgpt.presets import tiny

sys.path.append(str(Path(__file__).parents[2]))


@pytest.fixture(scope="session")
def tokenizer(tiny_model_folder):
    return AutoTokenizer.from_pretrained(tiny_model_folder)


@pytest.fixture
def size(tokenizer):
    from benchmarks.rows import Size

    return Size(preset="tiny", tokenizer=tokenizer, channels=7, cells=3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with flickr8k/{train,val,test}.parquet of eight photos, a trunk's weights, and a page."""
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "flickr8k").mkdir()
    for number, split in enumerate(("train", "val", "test")):
        photos, captions = [], []
        for row in range(8):
            pixels = np.random.default_rng(10 * number + row).integers(0, 255, (64, 64, 3), dtype=np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            photos.append({"bytes": buffer.getvalue(), "path": None})
            captions.append([f"A dog number {row} runs .", f"Dog {row} plays in the water ."])
        pq.write_table(pa.table({"image": photos, "captions": captions}), folder / "flickr8k" / f"{split}.parquet")
    save_file(create_trunk(tiny().image).state_dict(), folder / "trunk.safetensors")
    (folder / "page.md").write_text("# Page\n\n<!-- benchmark:start -->\n<!-- benchmark:end -->\n")
    return folder
