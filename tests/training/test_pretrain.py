"""A pre-training recipe is run, interrupted, resumed and kept; what cannot be pre-trained is refused in one line."""

import json
from pathlib import Path
from random import Random

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    ViTConfig,
    ViTModel,
)

from mm_memgpt.backbones.build import build as build_backbone
from mm_memgpt.commands import pretrain as command
from mm_memgpt.models.loading import read_model
from mm_memgpt.training.pretrain import build, pretrain, pretrain_file
from mm_memgpt.training.pretrain_recipe import PretrainRecipe
from mm_memgpt.training.skipped import Skipped
from mm_memgpt.training.trainer import RecipeTrainer
from mm_memgpt.training.vocabulary import train_vocabulary
from mm_memgpt.types import InputError

WHO, WHAT, WHERE = ("A dog", "A cat", "The man", "She"), ("runs", "sits", "sings"), ("home", "there", "by the sea")
BERT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


def story(number: int) -> str:
    generator = Random(number)
    who = generator.choice(WHO)
    return " ".join(f"{who} {generator.choice(WHAT)} {generator.choice(WHERE)}." for _ in range(4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """texts.csv of forty stories, and folders of a random BERT and a random GPT-2 with a tokenizer."""
    folder = tmp_path_factory.mktemp("pretrain")
    stories = [story(number) for number in range(40)]
    rows = "".join(f"{text},{WHO[number % 4]} does it\n" for number, text in enumerate(stories))
    (folder / "texts.csv").write_text("text,about\n" + rows)
    tokenizer = train_vocabulary(stories, 290)
    torch.manual_seed(3)
    sizes = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    BertForMaskedLM(BertConfig(**BERT, max_position_embeddings=64, **sizes)).save_pretrained(folder / "bert")
    decoder = GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=2, **sizes)
    GPT2LMHeadModel(decoder).save_pretrained(folder / "gpt2")
    for name in ("bert", "gpt2"):
        tokenizer.save_pretrained(folder / name)
    return folder


@pytest.fixture
def recipe(folder, tmp_path):
    """A function that gives a recipe of a few steps; keywords change its keys."""

    def make(**changes) -> dict:
        keys = {
            "objectives": {"masked_language": 1, "next_sentence": 0.5, "sentence_contrast": 0.1},
            "backbone": str(folder / "bert"),
            "train": str(folder / "texts.csv"),
            "output": str(tmp_path / "output"),
            "longest": 40,
            "batch": 8,
            "epochs": 2,
            "rate": 0.003,
            "checkpoints": 2,
        }
        return {name: value for name, value in (keys | changes).items() if value is not None}

    return make


def history(output: str) -> list[dict[str, float]]:
    """What was logged up to the newest checkpoint, less the clock's readings."""
    newest = max(Path(output).glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))
    rows = json.loads((newest / "trainer_state.json").read_text())["log_history"]
    timed = ("_runtime", "_per_second")
    return [{name: value for name, value in row.items() if not name.endswith(timed)} for row in rows]


def test_the_smallest_recipe_has_five_keys(folder, tmp_path):
    keys = {"objectives": {"masked_language": 1}, "backbone": str(folder / "bert"), "text": "text"}
    keys |= {"train": str(folder / "texts.csv"), "output": str(tmp_path / "output")}
    figures = pretrain(PretrainRecipe(**keys | {"longest": 64}))
    assert figures["eval_masked_language"] == pytest.approx(figures["eval_loss"], rel=1e-4)


def test_a_run_lowers_the_loss_of_every_objective_it_logs(recipe):
    keys = recipe(epochs=20, rate=0.01)
    pretrain(PretrainRecipe(**keys))
    rows = [row for row in history(keys["output"]) if "loss" in row]
    names = ("masked_language", "next_sentence", "sentence_contrast")
    for row in rows:
        weighted = sum(weight * row[name] for name, weight in keys["objectives"].items())
        assert row["loss"] == pytest.approx(weighted, rel=1e-3)
    assert all(rows[-1][name] < rows[0][name] for name in names)
    assert rows[-1]["masked_language"] < 0.75 * rows[0]["masked_language"]
    report = json.loads((Path(keys["output"]) / "report.json").read_text())
    assert {f"eval_{name}" for name in names} <= report.keys()


def test_an_interrupted_and_resumed_run_is_an_unbroken_one(recipe, tmp_path, monkeypatch):
    due = recipe(output=str(tmp_path / "unbroken"))
    pretrain(PretrainRecipe(**due))
    broken, whole = PretrainRecipe(**recipe(output=str(tmp_path / "broken"))), RecipeTrainer.training_step

    def stopping(self, *args, **kwargs):
        if self.state.global_step == 6:
            raise KeyboardInterrupt
        return whole(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(RecipeTrainer, "training_step", stopping)
        with pytest.raises(KeyboardInterrupt):
            pretrain(broken)
    pretrain(broken, resume=True)
    assert history(broken.output) == history(due["output"])
    ours, theirs = (load_file(Path(output) / "model.safetensors") for output in (broken.output, due["output"]))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_what_is_kept_is_a_model_for_transformers_with_the_same_hidden_states(recipe, tmp_path):
    keys = recipe()
    task, *_ = build(PretrainRecipe(**keys), Skipped(tmp_path / "skipped.jsonl"))
    task.keep(tmp_path / "kept")
    model, tokenizer = (each.from_pretrained(tmp_path / "kept") for each in (AutoModel, AutoTokenizer))
    text = tokenizer("A cat sings by the sea.", return_tensors="pt")
    due = task.model.eval().base_model(**text).last_hidden_state
    torch.testing.assert_close(model.eval()(**text).last_hidden_state, due)
    assert not any(name.startswith("next_sentence") for name in load_file(tmp_path / "kept" / "model.safetensors"))


def test_what_is_kept_is_a_backbone(recipe):
    keys = recipe(epochs=0.5)
    pretrain(PretrainRecipe(**keys))
    backbone = build_backbone(keys["output"])
    assert backbone.width == 16


def test_a_decoder_learns_to_go_on(recipe, folder):
    keys = recipe(objectives={"causal_language": 1, "sentence_contrast": 0.1}, backbone=str(folder / "gpt2"), epochs=8)
    pretrain(PretrainRecipe(**keys | {"rate": 0.01}))
    rows = [row for row in history(keys["output"]) if "loss" in row]
    assert rows[-1]["causal_language"] < 0.75 * rows[0]["causal_language"]
    assert AutoModelForCausalLM.from_pretrained(keys["output"]).config.model_type == "gpt2"


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_a_fresh_model_of_a_family_trains_its_own_tokenizer(recipe, family):
    sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24} if family == "distilbert" else BERT
    keys = recipe(backbone=None, config={"model_type": family, **sizes}, vocabulary=280, epochs=0.5)
    pretrain(PretrainRecipe(**keys))
    model, tokenizer = (each.from_pretrained(keys["output"]) for each in (AutoModel, AutoTokenizer))
    assert (model.config.vocab_size, model.config.pad_token_id) == (len(tokenizer), tokenizer.pad_token_id)


def test_given_pairs_are_drawn_to_each_other(recipe):
    keys = recipe(objectives={"sentence_contrast": 1}, pair="about", epochs=8, rate=0.01)
    pretrain(PretrainRecipe(**keys))
    rows = [row for row in history(keys["output"]) if "loss" in row]
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_a_model_of_ours_learns_captions_and_text_by_one_decoder(recipe, tiny_model_folder, material, tmp_path):
    photos = str(material / "photos.parquet")
    keys = recipe(objectives={"captioning": 1, "causal_language": 0.5}, backbone=str(tiny_model_folder), photos=photos)
    pretrain(PretrainRecipe(**keys))
    rows = [row for row in history(keys["output"]) if "loss" in row]
    assert rows[-1]["captioning"] < rows[0]["captioning"]
    assert rows[-1]["causal_language"] < rows[0]["causal_language"]
    read_model(Path(keys["output"]))


def test_captions_alone_need_no_text(recipe, tiny_model_folder, material):
    keys = recipe(objectives={"captioning": 1}, backbone=str(tiny_model_folder), train=str(material / "photos.parquet"))
    assert pretrain(PretrainRecipe(**keys | {"val": keys["train"]}))["eval_captioning"] > 0


def test_text_alone_leaves_what_sees_as_it_was(recipe, tiny_model_folder):
    keys = recipe(objectives={"causal_language": 1}, backbone=str(tiny_model_folder), epochs=1)
    pretrain(PretrainRecipe(**keys))
    before, after = (
        dict(read_model(Path(place))[0].named_parameters()) for place in (tiny_model_folder, keys["output"])
    )
    same = {name.partition(".")[0] for name in before if torch.equal(before[name].half(), after[name].half())}
    moved = {name.partition(".")[0] for name in before if not torch.equal(before[name].half(), after[name].half())}
    assert {"image_encoder", "fuser", "text_encoder"} <= same
    assert moved == {"decoder"}


def test_the_command_runs_a_file_and_prints_its_figures(recipe, tmp_path, capsys):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe()))
    arguments = type("Arguments", (), {"recipe": str(path), "set": ["epochs=0.5"], "resume": False})
    assert command.run(arguments) == 0
    assert "eval_masked_language=" in capsys.readouterr().out
    with pytest.raises(InputError, match="output: holds checkpoints of an earlier run; add --resume or --set output="):
        pretrain_file(path)


def test_an_unknown_key_is_refused_with_the_known_ones(recipe, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(objective="masked_language")))
    with pytest.raises(InputError, match=r"recipe.yaml: unknown key 'objective'; known keys: accumulate, algorithm, "):
        pretrain_file(path)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"objectives": {"masking": 1}}, "objective 'masking' is unknown; known: masked_language, next_sentence, "),
        ({"objectives": {"masked_language": 0}}, "no objective has a weight above 0"),
        ({"backbone": None}, "give either a backbone or the config of a fresh one"),
        ({"pair": "about", "objectives": {"masked_language": 1}}, "pair is for sentence_contrast, which has no weight"),
        ({"objectives": {"captioning": 1, "causal_language": 1}}, "captioning beside texts needs photos of its own"),
        ({"longest": 4}, "longest 4 must be at least 8 tokens"),
        ({"rate": 0}, "optimiser.rate 0.0 must be above 0"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_at_once(recipe, tmp_path, changes, line):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(**changes)))
    with pytest.raises(InputError) as error:
        pretrain_file(path)
    assert str(error.value).startswith(f"{path}: {line}")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"backbone": "FOLDER"}, "FOLDER: no config.json, so no backbone; give a folder that save_pretrained wrote"),
        ({"backbone": "nowhere"}, "nowhere: no such model; give a folder, a hub name (owner/model), or one that ships"),
        ({"backbone": "FOLDER/vit"}, "FOLDER/vit: vit is no language model; give an encoder such as bert or a decoder"),
        ({"backbone": "FOLDER/t5"}, "FOLDER/t5: t5 is an encoder-decoder; pre-training takes an encoder or a decoder"),
        ({"backbone": "FOLDER/gpt2"}, "FOLDER/gpt2: gpt2 reads from left to right, masked_language both ways; take"),
        ({"objectives": {"causal_language": 1}}, "FOLDER/bert: bert reads both ways, causal_language from left to "),
        ({"objectives": {"captioning": 1}}, "FOLDER/bert: sees no photos, so it cannot learn captioning; take nano"),
        ({"backbone": "nano"}, "nano: cannot learn masked_language, only causal_language, captioning, sentence_contr"),
        ({"tokenizer": "FOLDER/plain"}, "FOLDER/plain: its tokenizer has no mask token, masked_language needs one;"),
        ({"tokenizer": "FOLDER/large"}, "FOLDER/bert: 290 tokens, its tokenizer 298; give the one it was trained"),
        ({"longest": 90}, "FOLDER/bert: longest 90 is more than it can read (64); set longest to less"),
        (
            {"backbone": "FOLDER/still"},
            "FOLDER/still: has no dropout, so a sentence has but one view; sentence_contrast",
        ),
        ({"text": "texts"}, "FOLDER/texts.csv: no column 'texts' for text; it has "),
        ({"train": "FOLDER/none.csv"}, "FOLDER/none.csv: no such file"),
        ({"train": "FOLDER/short.csv"}, "FOLDER/short.csv:2: one sentence, as all the others; next_sentence needs two"),
        ({"backbone": None, "config": {"model_type": "berd"}}, "config.model_type 'berd' is no family that transfor"),
        ({"backbone": None, "config": {"model_type": "bert", "width": 9}}, "config: bert has no 'width'; see the docu"),
    ],
)
def test_what_cannot_be_pretrained_is_refused_in_one_line(recipe, folder, others, changes, line):
    placed = {
        name: value.replace("FOLDER", str(folder)) if isinstance(value, str) else value
        for name, value in changes.items()
    }
    with pytest.raises(InputError) as error:
        pretrain(PretrainRecipe(**recipe(**placed)))
    assert str(error.value).startswith(line.replace("FOLDER", str(folder)))
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def others(folder) -> None:
    """Folders of models and tokenizers that do not fit, and a file of short texts."""
    ViTModel(ViTConfig(**BERT, image_size=8, patch_size=4)).save_pretrained(folder / "vit")
    T5Config().save_pretrained(folder / "t5")
    (folder / "short.csv").write_text("text\n" + "".join(f"Only number {n}\n" for n in range(30)))
    large = train_vocabulary([story(number) for number in range(80)], 300)
    large.save_pretrained(folder / "large")
    still = BertConfig.from_pretrained(folder / "bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    BertForMaskedLM(still).save_pretrained(folder / "still")
    large.mask_token = None
    large.save_pretrained(folder / "plain")
    AutoTokenizer.from_pretrained(folder / "bert").save_pretrained(folder / "still")
