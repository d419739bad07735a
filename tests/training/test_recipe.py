"""A recipe is checked whole before anything runs, and one key of it can be changed from the command line."""

import re
from pathlib import Path

import pytest
import yaml

from mm_memgpt.config import AudioConfig
from mm_memgpt.training.entities_recipe import EntitiesRecipe
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.training.long_text import LongTextRecipe
from mm_memgpt.training.paths import PathsRecipe
from mm_memgpt.training.pretrain_recipe import PretrainRecipe
from mm_memgpt.training.recipe import Recipe, Source, read_recipe
from mm_memgpt.types import InputError

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))

VALUES = {
    "objective": "captioning",
    "output": "runs/x",
    "tokenizer": "runs/tokenizer",
    "data": {
        "root": "data",
        "train": [{"path": "a.parquet"}, {"path": "b.parquet", "mosaic": 3}],
        "val": {"path": "c.parquet"},
    },
    "optimiser": {"epochs": 2},
}


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(VALUES))
    return path


def refusal(file: Path, *overrides: str) -> str:
    """The message with which a recipe is refused, less the file it begins with."""
    with pytest.raises(InputError, match=f"^{re.escape(str(file))}: ") as error:
        read_recipe(file, list(overrides))
    message = str(error.value)
    assert "\n" not in message
    return message.removeprefix(f"{file}: ")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_project_s_own_recipes_are_valid(path):
    keys = yaml.safe_load(path.read_text(encoding="utf-8"))
    kinds = {
        "task": FinetuneRecipe,
        "objectives": PretrainRecipe,
        "reads": LongTextRecipe,
        "questions": PathsRecipe,
        "model": EntitiesRecipe,
    }
    kind = next((kind for key, kind in kinds.items() if key in keys), Recipe)
    recipe = read_recipe(path, None, kind)
    assert {Recipe: lambda: recipe.data.train, PathsRecipe: lambda: recipe.questions}.get(kind, lambda: recipe.train)()


def test_a_file_becomes_dataclasses_with_their_defaults(file):
    recipe = read_recipe(file)
    assert recipe.data.train == [Source(path="a.parquet"), Source(path="b.parquet", mosaic=3)]
    assert recipe.optimiser.epochs == 2
    assert recipe.optimiser.gate_rate == 10
    assert (recipe.preset, recipe.seed) == ("nano", 2026)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("seed=7", lambda recipe: recipe.seed == 7),
        ("optimiser.rate=2e-3", lambda recipe: recipe.optimiser.rate == 0.002),
        ("output=runs/a=b", lambda recipe: recipe.output == "runs/a=b"),
        ("data.train.0.where={fold: [1, 2]}", lambda recipe: recipe.data.train[0].where == {"fold": [1, 2]}),
        ("audio={}", lambda recipe: recipe.audio == AudioConfig()),
        ("sounds.snr=[3, 9]", lambda recipe: recipe.sounds.snr == (3, 9)),
        ("augment.flip=true", lambda recipe: recipe.augment.flip is True),
        ("data.train=[{path: z.parquet, share: 0.5}]", lambda recipe: recipe.data.train[0].share == 0.5),
        ("data.train.1.share=0.1", lambda recipe: [s.share for s in recipe.data.train] == [1, 0.1]),
    ],
)
def test_set_changes_one_key(file, override, value):
    assert not value(read_recipe(file))
    assert value(read_recipe(file, [override]))


def test_the_last_of_two_changes_counts(file):
    assert read_recipe(file, ["seed=7", "seed=8"]).seed == 8


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set 'seed' must look like a.b=c"),
        ("seed=[1", "--set 'seed=[1': not YAML ("),
        ("seed=many", "seed must be a whole number, got 'many'"),
        ("sed=1", "unknown key 'sed'; known keys: audio, audio_trunk, augment, captions, checkpoints, data,"),
        ("optimiser.rat=1", "unknown key 'rat' in optimiser; known keys: accumulate, batch,"),
        (
            "data.train.1.shares=1",
            "unknown key 'shares' in data.train[1]; known keys: buffer, columns, images, "
            "mosaic, path, samples, share, spare, spared, split",
        ),
        ("data.train.2.share=1", "--set 'data.train.2.share=1': there is no place '2' to set"),
        ("output.a=1", "--set 'output.a=1': there is no place 'a' to set"),
        ("optimiser={rate: 0.1}", "missing key 'epochs' in optimiser"),
        ("data.train=[]", "data.train must list at least one source"),
        ("data.train.0.share=0", "share 0.0 of a.parquet must be above 0; leave the source out"),
        ("data.train.0.streaming=true", "a.parquet is streamed, so say how many samples an epoch takes of it: samples"),
        (
            "data.train.0={path: a.tar, streaming: true, samples: 5, share: 0.5}",
            "a.tar is streamed, so share and mosaic must stay 1; take fewer samples instead",
        ),
        (
            "data.train.0={path: a.tar, streaming: true, samples: 5}",
            "data.train must be streamed as a whole or not at all",
        ),
        ("data.train.0.buffer=0", "buffer 0 of a.parquet must be at least 1; try buffer=1000"),
        (
            "data.val={path: a.tar, streaming: true, samples: 5}",
            "data.val cannot be streamed; give a source that is here",
        ),
        ("data.train.0.mosaic=0", "mosaic 0 of a.parquet must be at least 1; try mosaic=1"),
        ("data.val_samples=0", "data.val_samples 0 must be at least 1"),
        ("augment.area=0", "augment.area 0.0 must be above 0 and at most 1; try area=0.5"),
        ("augment.aspect=-1", "augment.aspect -1.0 must be at least 0; try aspect=0.3"),
        ("optimiser.precision=fp8", "optimiser.precision 'fp8' is unknown; known: fp32, bf16"),
        ("optimiser.warmup=1.5", "optimiser.warmup 1.5 must lie in 0..1; try warmup=0.05"),
        ("optimiser.epochs=0", "optimiser.epochs 0.0 must be above 0"),
        ("optimiser.batch=0", "optimiser.batch 0 must be at least 1"),
        ("optimiser.gate_rate=-1", "optimiser.gate_rate -1.0 must be at least 0"),
        ("preset=giant", "preset 'giant' is unknown; known: tiny, nano, small, base"),
        ("objective=painting", "objective 'painting' is unknown; known: distillation, hearing, language, captioning"),
        ("objective=distillation", "objective distillation needs the key 'teacher'"),
        ("objective=hearing", "objective hearing needs the key 'teacher'"),
        ("audio={bin: 64}", "unknown key 'bin' in audio; known keys: bands, bins, heads, key,"),
        (
            "data.train.0={path: a.tar, streaming: true, samples: 5, where: {fold: 1}}",
            "a.tar is streamed, so no rows can be chosen; leave out where, spare, spared",
        ),
        ("tokenizer=null", "objective captioning needs the key 'tokenizer' or 'start'"),
        ("start=nano", "start 'nano' brings its own tokenizer; leave out 'tokenizer'"),
        ("checkpoints=0", "checkpoints 0 must be at least 1"),
        ("smoothing=1", "smoothing 1.0 must be at least 0 and below 1; try 0.1"),
        ("workers=-1", "workers -1 must be at least 0; try workers=1"),
    ],
)
def test_what_cannot_run_is_refused_in_one_line(file, override, message):
    assert refusal(file, override).startswith(message)


def test_a_missing_key_is_named(file):
    file.write_text(yaml.safe_dump({key: value for key, value in VALUES.items() if key != "output"}))
    assert refusal(file) == "missing key 'output'"


def test_a_file_that_is_no_recipe_is_named(file):
    file.write_text("- a\n- b\n")
    assert refusal(file) == "a recipe is a mapping of keys"
    file.write_text("a: [1\nb: 2\n")
    assert refusal(file).startswith("not YAML (")
    file.write_bytes(b"\xff\xfe\xfa")
    assert refusal(file).startswith("not YAML (")
    file.unlink()
    assert refusal(file) == "cannot be read (No such file or directory); give the path of a recipe"
