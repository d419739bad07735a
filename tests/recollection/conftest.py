"""A tiny model, and files to remember: photos of one pattern each, tones, a clip and a document."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.recollection.known import graph_of
from mm_memgpt.recollection.linking import LinkedFacts
from mm_memgpt.recollection.results import KnownFact
from mm_memgpt.types import Fact

RATE = 16_000


@pytest.fixture(scope="module")
def model(tiny_model_folder) -> Pipeline:
    return load(tiny_model_folder, device="cpu")


@pytest.fixture
def memory(model, tmp_path):
    with model.memory(tmp_path / "trip.memory") as memory:
        yield memory


@pytest.fixture
def photo():
    def draw(seed: int) -> Image.Image:
        pixels = np.random.default_rng(seed).integers(0, 256, (36, 52, 3), dtype=np.uint8)
        return Image.fromarray(pixels)

    return draw


@pytest.fixture
def files(tmp_path, photo) -> dict[str, Path]:
    """a.png, b.png, tone.wav of two seconds and diary.txt of three sentences."""
    folder = tmp_path / "files"
    folder.mkdir()
    for seed, name in enumerate(("a.png", "b.png")):
        photo(seed).save(folder / name)
    soundfile.write(folder / "tone.wav", 0.5 * np.sin(np.arange(2 * RATE) * 0.17), RATE)
    (folder / "diary.txt").write_text("The car is on level three. Anna has the key.\nThe dog sleeps.\n")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def linked() -> Callable[[Sequence[Fact]], LinkedFacts]:
    """Links facts as a memory does that was told them, one item each: "item 0", "item 1", ..."""

    def link(facts: Sequence[Fact]) -> LinkedFacts:
        known = [KnownFact(fact=fact, source="atlas", id=f"item {place}", time=0.0) for place, fact in enumerate(facts)]
        return LinkedFacts(known, graph_of(known))

    return link
