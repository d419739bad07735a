"""What the training tests learn from: eight small photos with sentences, a tokenizer, and recipes over them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from mm_memgpt.training.run import train
from mm_memgpt.training.tokenizer import train_on
from mm_memgpt.training.trainer import RecipeTrainer

SENTENCES = ["a red ball on grass", "the blue boat sails", "two dogs run fast", "a man sits", "one cat , asleep"]


def encoded(number: int) -> bytes:
    """A small photo of its own size and colours, as PNG."""
    pixels = np.random.default_rng(number).integers(0, 256, (5 + number, 9, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).resize((40, 30 + number)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="session")
def encoded_photo() -> Callable[[int], bytes]:
    """A function that gives the bytes of a small photo by its number."""
    return encoded


@pytest.fixture(scope="session")
def interrupt() -> Callable[[int, Path], None]:
    """A function that runs a recipe until Ctrl-C in the middle of the update after a step."""

    def interrupted(step: int, recipe: Path) -> None:
        whole = RecipeTrainer.training_step

        def stopping(self, *args, **kwargs):
            if self.state.global_step == step:
                raise KeyboardInterrupt
            return whole(self, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RecipeTrainer, "training_step", stopping)
            with pytest.raises(KeyboardInterrupt):
                train(recipe)

    return interrupted


@pytest.fixture(scope="session")
def write_photos() -> Callable[..., None]:
    """A function that writes photos and sentences in the Parquet schema; `broken` rows hold no photo."""

    def write(file: Path, rows: int, broken: tuple[int, ...] = ()) -> None:
        photos = [b"no photo" if row in broken else encoded(row) for row in range(rows)]
        captions = [[f"{SENTENCES[(row + k) % 5]} ." for k in range(1 + row % 3)] for row in range(rows)]
        columns = {"image": [{"bytes": photo, "path": None} for photo in photos], "captions": captions}
        kinds = {"bytes": pa.binary(), "path": pa.string()}
        schema = pa.schema({"image": pa.struct(kinds), "captions": pa.list_(pa.string())})
        pq.write_table(pa.table(columns, schema=schema), file)

    return write


@pytest.fixture(scope="session")
def material(tmp_path_factory, write_photos) -> Path:
    """A folder with photos.parquet and the folder of a tokenizer."""
    folder = tmp_path_factory.mktemp("material")
    write_photos(folder / "photos.parquet", rows=8)
    train_on(SENTENCES, vocab=300).save_pretrained(folder / "tokenizer")
    return folder


@pytest.fixture(scope="session")
def write_recipe(material) -> Callable[..., Path]:
    """A function that writes a recipe of six updates over the eight photos; keywords change its keys."""

    def write(folder: Path, **changes) -> Path:
        recipe = {
            "objective": "captioning",
            "preset": "tiny",
            "output": str(folder / "output"),
            "tokenizer": str(material / "tokenizer"),
            "captions": 2,
            "smoothing": 0.0,
            "checkpoints": 6,
            "workers": 0,
            "data": {
                "root": str(material),
                "train": [{"path": "photos.parquet"}],
                "val": {"path": "photos.parquet"},
                "val_samples": 3,
            },
            "optimiser": {"epochs": 3, "batch": 2, "accumulate": 2, "rate": 0.003, "warmup": 0.2},
        }
        path = folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(recipe | changes))
        return path

    return write
