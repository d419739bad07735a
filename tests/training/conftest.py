"""What the training tests learn from: eight small photos with sentences, a tokenizer, and recipes over them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast

from mm_memgpt.config import AudioConfig, FusionConfig
from mm_memgpt.datasets.photo_facts import SYNSETS
from mm_memgpt.datasets.pools import Heard, Photo, Pools, Row
from mm_memgpt.datasets.templates import SOUNDS
from mm_memgpt.datasets.things import facts
from mm_memgpt.encoders.audio import create_trunk
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.presets import tiny
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


THINGS = ("dog", "cat", "boat", "horse", "guitar", "umbrella", "car", "bench", "man", "woman", "snow", "train")


def tone(pitch: int, seconds: float) -> bytes:
    """A tone as a WAV file."""
    content = io.BytesIO()
    samples = 0.5 * np.sin(np.arange(round(8000 * seconds)) * (0.05 + 0.11 * pitch))
    soundfile.write(content, samples, 8000, format="WAV")
    return content.getvalue()


def shade(number: int) -> bytes:
    """A photo of one colour, and a bar by which its mirror image differs."""
    pixels = np.full((12, 12, 3), (20 * number, 255 - 20 * number, 90 * (number % 3)), np.uint8)
    pixels[:, :3] = 255
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def table(file: Path, **columns: list) -> None:
    """Writes a Parquet file; columns of bytes become those of encoded photos or sounds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    encoded = {
        name: [{"bytes": each, "path": None} if isinstance(each, bytes) else each for each in values]
        for name, values in columns.items()
    }
    pq.write_table(pa.table(encoded), file)


@pytest.fixture(scope="session")
def world(tmp_path_factory, film) -> Path:
    """A folder laid out as the project's data: photos of one thing each, tones, digits, sentences; and a tokenizer.

    Photo i of a part is of thing i, sound i of class i modulo 10 and fold 1 + i // 10, digit i is said by recording i;
    three clips of two seconds say a word in each; and of each thing it is known what it is a kind of, and a part.
    """
    folder = tmp_path_factory.mktemp("world")
    captions = [[f"A {thing} ."] * 5 for thing in THINGS]
    for part in ("train", "val"):
        table(folder / f"flickr8k/{part}.parquet", image=[shade(number) for number in range(12)], captions=captions)
        plain = [[f"{name} is here ."] for name in ("Nobody", "Somebody", "Everybody", "Anybody")]
        table(folder / f"text/flickr30k_captions/{part}.parquet", captions=plain)
    folds = [1 + number // 10 for number in range(30)]
    table(
        folder / "esc10/folds1to4.parquet",
        audio=[tone(number % 10, 1.2) for number in range(30)],
        class_name=[list(SOUNDS)[number % 10] for number in range(30)],
        fold=folds,
        duration=[1.2] * 30,
    )
    table(
        folder / "fsdd/train.parquet",
        audio=[tone(20 + number, 0.4) for number in range(10)],
        digit=list(range(10)),
        index=list(range(10)),
        duration=[0.4] * 10,
    )
    synsets = [(SYNSETS[thing], thing) for thing in THINGS]
    ends = [(f"{begin}{synset}", f"{what} {thing}") for begin, what in ENDS for synset, thing in synsets]
    table(
        folder / "knowledge/wn18rr.parquet",
        head=[synset for synset, _ in synsets] * 2,
        relation=["_hypernym"] * len(synsets) + ["_has_part"] * len(synsets),
        tail=[end for end, _ in ends],
    )
    names = [*synsets, *ends]
    table(
        folder / "knowledge/wn18rr_names.parquet",
        id=[synset for synset, _ in names],
        text=[f"{name}, something" for _, name in names],
    )
    clips = [film(folder / f"{number}.mp4", (40 * number, 200 - 40 * number), fps=12) for number in range(3)]
    table(
        folder / "video/grid_s1_train.parquet",
        video=[clip.read_bytes() for clip in clips],
        words=[["bin", "blue"], ["lay", "red"], ["bin", "red"]],
        word_start=[[0.2, 1.1]] * 3,
        word_end=[[0.9, 1.9]] * 3,
    )
    said = [f"{text} Who or what was seen, heard, said in the first, second photo? {KNOWN}" for text in SENTENCES]
    train_on([*said, *THINGS, *SOUNDS], vocab=420).save_pretrained(folder / "tokenizer")
    return folder


KNOWN = "Was a sound ever heard when it was here? How many photos showed a note that says seven? yes no one blue red"


ENDS = (("kind", "sort of"), ("part", "piece of"))
"""What facts about a thing lead to: the beginnings of an identifier and of a name."""

EARS = {"trunk": "test_efficientnet", "times": 3, "heads": 4}


@pytest.fixture(scope="session")
def deaf(world, tmp_path_factory) -> Path:
    """A saved model of preset tiny, without ears or order; beside it ears.safetensors, the weights of a trunk."""
    folder = tmp_path_factory.mktemp("deaf")
    config = tiny(vocab_size=len(PreTrainedTokenizerFast.from_pretrained(world / "tokenizer")))
    config.audio, config.motion, config.fusion = None, None, FusionConfig(heads=4)
    torch.manual_seed(5)
    MMMemGPTForConditionalGeneration(config).save_pretrained(folder)
    MMMemGPTProcessor.build(config, world / "tokenizer").save_pretrained(folder)
    save_file(create_trunk(AudioConfig(**EARS)).state_dict(), folder / "ears.safetensors")
    return folder


@pytest.fixture(scope="session")
def remembering(world, deaf, tmp_path_factory) -> Callable[..., Path]:
    """A function that writes a recipe of a few steps on memories; keywords change its keys, `mixture` those of it."""
    maps = tmp_path_factory.mktemp("maps")

    def write(folder: Path, mixture: dict | None = None, **changes) -> Path:
        recipe = {
            "objective": "remembering",
            "start": str(deaf),
            "audio": EARS,
            "audio_trunk": str(deaf / "ears.safetensors"),
            "fusion": {"heads": 4, "order": True},
            "output": str(folder / "output"),
            "captions": 2,
            "longest": 60,
            "smoothing": 0.0,
            "checkpoints": 2,
            "workers": 0,
            "data": {
                "root": str(world),
                "train": [{"path": "flickr8k/train.parquet"}],
                "val": {"path": "flickr8k/val.parquet"},
                "val_samples": 6,
            },
            "optimiser": {"epochs": 1, "batch": 6, "rate": 0.004, "warmup": 0.1},
            "remember": {"samples": 24, "slots": 8, "ring": 2, "maps": str(maps)} | (mixture or {}),
        }
        path = folder / "remember.yaml"
        path.write_text(yaml.safe_dump(recipe | changes))
        return path

    return write


@pytest.fixture(scope="session")
def scenery_pools() -> Pools:
    """Photos of one thing each, sounds of every class and digits, in files called photos, sounds and digits."""
    return Pools(
        photos=tuple(Photo(Row("photos", n), facts([f"A {THINGS[n % 12]} ."] * 5)) for n in range(24)),
        sounds=tuple(Heard(Row("sounds", n), list(SOUNDS)[n % 10], 2.0) for n in range(20)),
        digits=tuple(Heard(Row("digits", n), str(n), 0.5) for n in range(10)),
        sentences=("Nobody is here .", "Two men sing ."),
    )
