import csv
import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from mm_memgpt.datasets.table import read_table
from mm_memgpt.task_pipeline import load_task
from mm_memgpt.tasks.adapters import Adapted, AdapterConfig
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.generation import Generation
from mm_memgpt.tasks.model import read_task_model
from mm_memgpt.training.finetune import finetune, predict_all
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.types import InputError

ANIMALS = ("dog", "rock")


def sentence(generator: random.Random, word: str) -> str:
    filler = generator.choice(["in the grass", "through the water", "and two children play", "a man climbs"])
    return f"A {word} {filler} ."


@pytest.fixture
def recipe(tmp_path, tiny_model_folder):
    """A recipe whose rows say "dog" or "rock": one is of class yes, the other of class no."""
    generator = random.Random(5)
    path = tmp_path / "rows.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["words", "kind", "number"])
        for index in range(60):
            word = ANIMALS[index % 2]
            rows.writerow([sentence(generator, word), ("yes", "no")[index % 2], 100 + 20 * (index % 2)])
    return FinetuneRecipe(
        task="classification",
        backbone=str(tiny_model_folder),
        train=str(path),
        output=str(tmp_path / "out"),
        text="words",
        label="kind",
        epochs=10,
        batch=8,
        rate=5e-3,
        adapter_rate=2.0,
        checkpoints=1,
    )


def said(folder, *texts, adapter=None):
    model = read_task_model(folder, adapter)
    examples = [Example(model.task.read({model.task.columns["text"]: text}, "here", None)) for text in texts]
    return predict_all(model, model.task, examples)


def test_a_table_becomes_a_classifier_that_a_new_process_would_load(recipe):
    figures = finetune(recipe)
    assert figures["eval_accuracy"] == 1.0
    dog, rock = said(recipe.output, "A dog in the grass .", "two children and a rock")
    assert (dog.value, rock.value) == ("yes", "no")
    assert dog.details["probabilities"]["yes"] == pytest.approx(dog.confidence, abs=1e-6)
    assert sum(dog.details["probabilities"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlp", "cnn", "gru", "lstm", "decoder"])
def test_each_kind_of_adapter_learns(recipe, kind):
    recipe = replace(recipe, adapter=AdapterConfig(kind=kind, hidden=32), epochs=20, adapter_rate=4.0)
    assert finetune(recipe)["eval_accuracy"] == 1.0
    assert [each.value for each in said(recipe.output, "a rock", "a dog")] == ["no", "yes"]


class Loudest(nn.Module):
    """An adapter as a user may write one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = 6
        self.project = nn.Linear(width, 6)

    def forward(self, tokens, mask):
        each = self.project(tokens)
        return Adapted(each, each.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1))


def test_an_adapter_of_ones_own_passes_as_an_argument(recipe, tiny_model_folder):
    width = json.loads((tiny_model_folder / "config.json").read_text())["width"]
    assert finetune(recipe, adapter=Loudest(width))["eval_accuracy"] == 1.0
    assert [each.value for each in said(recipe.output, "a rock", adapter=Loudest(width))] == ["no"]
    with pytest.raises(InputError, match=r"was trained with an adapter of your own; give it again"):
        read_task_model(recipe.output)


def backbone_of(folder):
    return {name: value.clone() for name, value in read_task_model(folder).backbone.state_dict().items()}


@pytest.mark.parametrize("tuning", ["full", "frozen", "lora"])
def test_the_backbone_learns_as_it_is_tuned(recipe, tuning, tiny_model_folder):
    from mm_memgpt.backbones.build import build

    before = build(tiny_model_folder).state_dict()
    finetune(replace(recipe, tuning=tuning, epochs=2))
    after = backbone_of(recipe.output)
    assert after.keys() == before.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert bool(changed) == (tuning != "frozen")
    if tuning == "lora":
        assert all(before[name].ndim == 2 and "embed" not in name for name in changed)


def test_regression_says_numbers_in_the_columns_unit(recipe):
    figures = finetune(replace(recipe, task="regression", label="number", epochs=14))
    assert figures["eval_r2"] > 0.8
    dog, rock = (each.value for each in said(recipe.output, "A dog in the grass .", "A rock in the grass ."))
    assert dog == pytest.approx(100, abs=6)
    assert rock == pytest.approx(120, abs=6)


def test_a_resumed_run_is_the_unbroken_one(recipe, tmp_path):
    finetune(replace(recipe, epochs=2, checkpoints=2))
    whole = backbone_of(recipe.output)
    again = replace(recipe, epochs=2, checkpoints=2, output=str(tmp_path / "again"))
    finetune(again)
    for name in ("task.json", "model.safetensors", "report.json"):
        (tmp_path / "again" / name).unlink()
    steps = sorted((tmp_path / "again").glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for path in steps[-1].iterdir():
        path.unlink()  # the last was not written to its end
    finetune(again, resume=True)
    assert all(torch.equal(value, whole[name]) for name, value in backbone_of(again.output).items())


def test_a_broken_row_costs_itself_alone(recipe, capsys):
    path = recipe.train
    with open(path, "a", encoding="utf-8") as file:
        file.write('"   ",yes,1\nA dog .,,3\n')
    finetune(recipe)
    report = json.loads(Path(recipe.output, "report.json").read_text())
    assert [line.partition(": ")[0] for line in report["skipped"]] == [f"{path}:62", f"{path}:63"]
    assert report["eval_accuracy"] > 0.9


def test_validation_rows_may_be_given(recipe, tmp_path):
    path = tmp_path / "val.csv"
    path.write_text("words,kind\nA dog .,yes\nA rock .,no\nthe dog,yes\n")
    finetune(replace(recipe, val=str(path)))
    assert json.loads(Path(recipe.output, "report.json").read_text())["eval_accuracy"] == 1.0


def test_another_encoding_is_named(recipe, tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes(b"words,kind\n" + b"".join(b"A dog \xe9 .,yes\nA rock \xe9 .,no\n" for _ in range(9)))
    with pytest.raises(InputError, match="save the file as UTF-8, or give encoding: latin-1"):
        finetune(replace(recipe, train=str(path)))
    finetune(replace(recipe, train=str(path), encoding="latin-1", epochs=1, output=str(tmp_path / "latin")))
    assert json.loads((tmp_path / "latin" / "report.json").read_text())["skipped"] == []


def test_a_saved_dataset_says_which_parts_are_for_what(recipe, tmp_path):
    import datasets

    parts = {"train": ["A dog .", "A rock ."] * 8, "test": ["the dog", "the rock"]}
    made = {
        name: datasets.Dataset.from_dict({"words": words, "kind": ["yes", "no"] * (len(words) // 2)})
        for name, words in parts.items()
    }
    datasets.DatasetDict(made).save_to_disk(str(tmp_path / "saved"))
    saved = replace(recipe, train=str(tmp_path / "saved"), split="train", val_split="test", epochs=20)
    assert finetune(saved)["eval_accuracy"] == 1.0
    with pytest.raises(InputError, match="has the splits train, test; choose one: split"):
        finetune(replace(saved, split=None, output=str(tmp_path / "other")))


def test_of_a_pair_both_texts_are_read(tmp_path, recipe):
    """Which of the two the label is about is learned: here the second."""
    generator = random.Random(7)
    with open(tmp_path / "pairs.jsonl", "w", encoding="utf-8") as file:
        for _ in range(60):
            first, second = generator.choices(ANIMALS, k=2)
            file.write(json.dumps({"a": f"A {first} .", "b": f"the {second} .", "c": second == "dog"}) + "\n")
    pairs = replace(recipe, task="pair", train=str(tmp_path / "pairs.jsonl"), text="a", text_pair="b", label="c")
    assert finetune(pairs)["eval_accuracy"] == 1.0


def test_photos_are_classified_as_texts_are(tmp_path, recipe):
    from PIL import Image

    generator = random.Random(3)
    lines = ["photo,colour"]
    for index in range(24):
        shade = [generator.randrange(40, 90)] * 3
        shade[index % 2 * 2] = 240
        Image.new("RGB", (20, 20), tuple(shade)).save(tmp_path / f"{index}.png")
        lines.append(f"{index}.png,{('red', 'blue')[index % 2]}")
    (tmp_path / "photos.csv").write_text("\n".join(lines))
    photos = replace(recipe, train=str(tmp_path / "photos.csv"), text=None, image="photo", label="colour", epochs=8)
    assert finetune(photos)["eval_accuracy"] == 1.0


def test_sounds_are_classified_as_texts_are(tmp_path, recipe):
    """Three tones by their pitch, from files beside the table."""
    import soundfile

    generator = random.Random(4)
    lines = ["sound,pitch"]
    for index in range(24):
        pitch = (200, 800, 3200)[index % 3] * generator.uniform(0.9, 1.1)
        wave = torch.sin(torch.arange(16_000) * 2 * torch.pi * pitch / 16_000) * generator.uniform(0.2, 0.8)
        soundfile.write(tmp_path / f"{index}.wav", wave.numpy(), 16_000)
        lines.append(f"{index}.wav,{('low', 'middle', 'high')[index % 3]}")
    (tmp_path / "sounds.csv").write_text("\n".join(lines))
    sounds = replace(recipe, train=str(tmp_path / "sounds.csv"), text=None, sound="sound", label="pitch", epochs=12)
    assert finetune(sounds)["eval_accuracy"] == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "knd"}, "no column 'knd' for label; it has kind, words, number"),
        ({"task": "sorting"}, "task 'sorting' is unknown; known: classification, "),
        ({"label": None}, "task classification needs the key 'label': the name of a column"),
        ({"sound": "words", "text": None}, "10 samples in a row cannot be used; the last: .*rows.csv:.* no such file"),
        ({"image": "words", "backbone": "timm/test_resnet.r160_in1k", "pretrained": False}, "reads image, no text"),
        ({"tuning": "half"}, "tuning 'half' is unknown; known: full, frozen, lora"),
        ({"over": "tail"}, "over 'tail' is unknown; known: head, ends, windows"),
        (
            {"options": {"smooth": 0.1}},
            "task classification has no option 'smooth'; known: loss, class_weights, smooth",
        ),
        ({"options": {"class_weights": {"yes": 2}}}, "class_weights and the labels differ in 'no'"),
        ({"backbone": "pyproject.toml"}, "pyproject.toml: "),
        ({"train": "nowhere.csv"}, "nowhere.csv: no such file"),
        ({"rank": 0}, "rank 0 must be at least 1; try rank=8"),
    ],
)
def test_what_cannot_be_is_one_clear_line(recipe, changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        finetune(replace(recipe, **changes))
    assert "\n" not in str(caught.value)


def test_the_smallest_recipe_has_six_keys(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("task: classification\nbackbone: nano\ntrain: a.csv\ntext: words\nlabel: kind\noutput: out\n")
    recipe = read_recipe(path, ["epochs=5"], FinetuneRecipe)
    assert (recipe.epochs, recipe.adapter.kind, recipe.tuning) == (5.0, "linear", "full")
    path.write_text("task: classification\nbackbne: nano\n")
    with pytest.raises(InputError, match="unknown key 'backbne'"):
        read_recipe(path, None, FinetuneRecipe)


WORD = {"dog": "Hund", "rock": "Fels", "man": "Mann", "child": "Kind", "grass": "Gras"}


def test_a_fresh_translator_learns_from_the_tag_into_which_language(tmp_path):
    generator = random.Random(3)
    rows = [" ".join(generator.choices(list(WORD), k=2)) for _ in range(200)]
    with open(tmp_path / "rows.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["en", "de"])
        table.writerows([row, " ".join(WORD[word] for word in row.split())] for row in rows)
    shape = {"model_type": "mbart", "d_model": 64, "max_position_embeddings": 40, "scale_embedding": True}
    shape |= {f"{part}_layers": 1 for part in ("encoder", "decoder")}
    shape |= {f"{part}_attention_heads": 2 for part in ("encoder", "decoder")}
    shape |= {f"{part}_ffn_dim": 64 for part in ("encoder", "decoder")}
    recipe = FinetuneRecipe(
        task="translation",
        config=shape,
        vocabulary=300,
        train=str(tmp_path / "rows.csv"),
        output=str(tmp_path / "out"),
        options={"pairs": ["en-de", "en-en"], "smoothing": 0.0, "decoding": {"longest": 8}},
        epochs=60,
        rate=3e-3,
        checkpoints=1,
    )
    figures = finetune(recipe)
    assert figures["eval_exact_match"] > 0.9
    model = load_task(tmp_path / "out", device="cpu")
    said = [model.predict({"text": "dog grass", "language": into}).value for into in ("de", "en")]
    assert said == ["Hund Gras", "dog grass"]


def test_a_backbone_and_a_config_are_one_too_many(tmp_path):
    with pytest.raises(ValueError, match="name a backbone or a config, one of the two"):
        FinetuneRecipe(task="translation", train="a.csv", output="o", options={"pairs": ["en-de"]})
    with pytest.raises(ValueError, match="task classification takes no config; name a backbone"):
        FinetuneRecipe(task="classification", config={"model_type": "gpt2"}, train="a", output="o", text="t", label="l")


@pytest.fixture
def written(tmp_path, tiny_model_folder):
    """A recipe that goes on with a text; a quarter of its texts are long."""
    rows = ["A dog runs .,in the grass .", "A man climbs .,a rock .", "A child .,plays .", f"{'A dog . ' * 9},runs ."]
    (tmp_path / "rows.csv").write_text("\n".join(["asked,told", *rows * 10]) + "\n")
    return FinetuneRecipe(
        task="generation",
        backbone=str(tiny_model_folder),
        train=str(tmp_path / "rows.csv"),
        output=str(tmp_path / "out"),
        text="asked",
        label="told",
        options={"decoding": {"longest": 4}},
        longest=16,
        epochs=1,
        checkpoints=1,
    )


def test_how_many_rows_of_a_task_that_writes_are_cut_is_said_before_it_learns(written, capsys):
    finetune(written)
    said = next(line for line in capsys.readouterr().err.splitlines() if "rows looked at" in line)
    assert re.fullmatch(
        r".*rows.csv: of 36 rows looked at, \d+ are longer than the 16 tokens that are read, or the 16 that are "
        r"learned to be written, and cut; to learn from all, set a larger longest",
        said,
    )
    finetune(replace(written, longest=64, output=f"{written.output}2"))
    assert "rows looked at" not in capsys.readouterr().err


def test_of_validation_rows_as_many_are_written_as_are_asked_for(written, monkeypatch):
    wrote = []
    predict = Generation.predict
    monkeypatch.setattr(Generation, "predict", lambda *given: wrote.append(len(given[2])) or predict(*given))
    finetune(replace(written, val=written.train, val_rows=7))
    assert {*wrote} == {7}


def test_a_row_that_the_model_cannot_hold_costs_itself_alone(written, tmp_path):
    val = tmp_path / "val.csv"
    val.write_text(f"asked,told\nA dog runs .,in the grass .\n{'A dog . ' * 40},runs .\nA,{'A dog . ' * 40}\n")
    finetune(replace(written, val=str(val)))
    model = load_task(written.output)
    measured = model.measure(val)
    assert len(measured.predictions) == 1
    assert [re.sub(r"\d+ tokens", "n tokens", str(error)) for error in measured.skipped] == [
        f"{val}:3: prompt of n tokens is too long for the 64 the model can hold; shorten it",
        f"{val}:4: text of n tokens is too long for the 64 the model can hold; part it",
    ]
    results = [result for _, result in model.predict_table(read_table(val))]
    assert [isinstance(result, InputError) for result in results] == [False, True, False]
    assert str(results[1]).startswith(f"{val}:3: prompt of")
    val.write_text(f"asked,told\n{'A dog . ' * 40},runs .\n")
    with pytest.raises(InputError, match=r"val.csv: every row is longer than the model holds; give shorter ones"):
        finetune(replace(written, val=str(val), output=f"{written.output}2"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val_rows": 0}, "val_rows 0 must be at least 1; try val_rows=500"),
        ({"val_rows": 5, "task": "classification"}, "task classification writes nothing, and validates on all rows"),
    ],
)
def test_validation_rows_that_cannot_be_are_refused(written, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(written, **changes)


def test_what_writes_learns_nothing_frozen(tmp_path, tiny_model_folder):
    (tmp_path / "rows.csv").write_text("en,de\nA dog .,Ein Hund .\nA rock .,Ein Fels .\n")
    recipe = FinetuneRecipe(
        task="translation",
        backbone=str(tiny_model_folder),
        tuning="frozen",
        train=str(tmp_path / "rows.csv"),
        output=str(tmp_path / "out"),
        options={"pairs": ["en-de"]},
    )
    with pytest.raises(InputError, match="task translation learns nothing of a frozen backbone"):
        finetune(recipe)
