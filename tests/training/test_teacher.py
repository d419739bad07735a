"""A student beside its teacher, on models in miniature: any task, widths, depths and tokenizers."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
)

from mm_memgpt.backbones.build import build
from mm_memgpt.backbones.layers import with_layers
from mm_memgpt.datasets.table import read_table
from mm_memgpt.models.language_writer import read_language_writer
from mm_memgpt.objectives.imitation import TeacherConfig
from mm_memgpt.tasks.base import Example, Inputs
from mm_memgpt.tasks.known import TASKS
from mm_memgpt.tasks.model import create
from mm_memgpt.tasks.saved import read_saved
from mm_memgpt.tasks.writing_model import WritingModel
from mm_memgpt.training.finetune import finetune, predict_all
from mm_memgpt.training.finetune_recipe import FinetuneRecipe
from mm_memgpt.training.teacher import alike, number_of, taught_by
from mm_memgpt.training.tokenizer import train_on
from mm_memgpt.types import InputError

TEXTS = ("A brown dog runs .", "Two children play .", "A man climbs a rock .", "The dog runs .")
READING = {
    "classification": {"text": TEXTS, "label": ("x", "y", "y", "x")},
    "pair": {"text": TEXTS, "text_pair": TEXTS[::-1], "label": ("x", "y", "y", "x")},
    "regression": {"text": TEXTS, "label": (1.0, 2.5, 3.0, 1.5)},
    "tagging": {"text": [t.split() for t in TEXTS], "tags": [["B-x", *["O"] * (len(t.split()) - 1)] for t in TEXTS]},
    "span": {"text": TEXTS, "text_pair": TEXTS, "label": [[t.split()[1]] for t in TEXTS]},
    "retrieval": {"text": TEXTS, "text_pair": TEXTS[::-1]},
    "summarization": {"text": [f"{t} The rain falls ." for t in TEXTS], "label": TEXTS},
    "recommendation": {"text": [[t, "A rock ."] for t in TEXTS], "text_pair": TEXTS[::-1]},
}
"""Columns by role."""
WRITING = {
    "answering": {"text": TEXTS, "text_pair": TEXTS[::-1], "label": [[t] for t in TEXTS]},
    "dialogue": {"text": TEXTS, "label": TEXTS[::-1]},
    "summary_writing": {"text": TEXTS, "label": TEXTS[::-1]},
    "translation": {"text": TEXTS, "label": TEXTS[::-1], "language": ("de", "fr", "de", "fr")},
    "code": {"text": TEXTS, "label": TEXTS[::-1]},
    "generation": {"text": TEXTS},
}
"""The same of tasks that write."""


def bert(folder, width, layers, heads, vocab):
    """The folder of a random BERT with a tokenizer of so many byte pairs."""
    tokenizer = train_on([*TEXTS, "rain falls"], vocab=vocab)
    tokenizer.add_special_tokens({"cls_token": "[CLS]", "sep_token": "[SEP]"})
    tokenizer.model_max_length = 64
    torch.manual_seed(width)
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    config = BertConfig(vocab_size=len(tokenizer), **sizes, intermediate_size=24, max_position_embeddings=64)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory, tiny_model_folder):
    """Folders: small and large read the same tokens, other reads its own, and own is a model of this package."""
    folder = tmp_path_factory.mktemp("bases")
    return {
        "small": bert(folder / "small", 16, 2, 2, 280),
        "large": bert(folder / "large", 24, 3, 4, 280),
        "other": bert(folder / "other", 20, 3, 2, 300),
        "own": tiny_model_folder,
    }


@pytest.fixture(scope="module")
def writers(tmp_path_factory):
    """Folders of models that write: a causal one, an encoder-decoder of the same tokens, and a causal one of others."""
    folder, tokenizer = tmp_path_factory.mktemp("writers"), train_on(TEXTS, vocab=280)
    torch.manual_seed(3)
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0}
    causal = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=16, n_layer=3, n_head=2, **ends)
    both = BartConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        d_model=24,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        decoder_start_token_id=tokenizer.bos_token_id,
        forced_eos_token_id=None,
        **ends,
    )
    GPT2LMHeadModel(causal).save_pretrained(folder / "causal")
    BartForConditionalGeneration(both).save_pretrained(folder / "both")
    for name in ("causal", "both"):
        tokenizer.save_pretrained(folder / name)
    others = train_on([*TEXTS, "rain falls"], vocab=300)
    GPT2LMHeadModel(GPT2Config.from_dict(causal.to_dict() | {"vocab_size": len(others)})).save_pretrained(
        folder / "others"
    )
    others.save_pretrained(folder / "others")
    return {name: folder / name for name in ("causal", "both", "others")}


def rows(path, columns):
    lines = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.fixture
def learned(bases, tmp_path):
    """`learned(name, base)`: a fresh model of a task over a base, its rows as examples, and its file."""

    def make(name, base, columns=None, file="rows.jsonl"):
        columns = READING[name] if columns is None else columns
        table = read_table(str(rows(tmp_path / file, columns)))
        task = TASKS[name].learn({role: role for role in columns}, table)
        torch.manual_seed(7)
        model = create(build(bases[base], longest=32), task)
        gathered, numbers = task.gather(table, range(len(table)))
        return model, [task.example(gathered, number) for number in numbers]

    return make


def taught(learned, tmp_path, name, student, teacher, columns=None, **weights):
    """A student beside a teacher of a task, with a batch of all rows."""
    learned(name, teacher, columns, "theirs.jsonl")[0].save(tmp_path / "teacher")
    model, examples = learned(name, student)
    how = TeacherConfig(model=str(tmp_path / "teacher"), **weights)
    both, objective, collate = taught_by(how, model, model.task, model.task.collate(model.backbone.processor), examples)
    return both.train(), objective, collate(examples)


EVERY = {"hidden": 1.0, "keys": 1.0}


@pytest.mark.parametrize("teacher", ["large", "other", "own"])
@pytest.mark.parametrize("name", READING)
def test_any_backbone_teaches_any_other_each_task(name, teacher, learned, tmp_path):
    both, objective, batch = taught(learned, tmp_path, name, "small", teacher, **EVERY)
    parts = objective(both, batch)
    assert {*parts} == {"loss", "labels", "logits", "hidden", "keys"}
    assert all(torch.isfinite(value) and value > 0 for value in parts.values())
    parts["loss"].backward()
    missed = [name for name, value in both.maps.named_parameters() if value.grad is None]
    assert not missed
    assert all(value.grad is None for value in objective.teacher.parameters())
    assert any(value.grad.abs().sum() > 0 for value in both.student.backbone.parameters() if value.grad is not None)


@pytest.mark.parametrize("name", READING)
def test_a_model_of_ours_is_taught_too(name, learned, tmp_path):
    both, objective, batch = taught(learned, tmp_path, name, "own", "large", **EVERY)
    assert torch.isfinite(objective(both, batch)["loss"])


@pytest.mark.parametrize("name", sorted({*READING} - {"regression"}))
def test_who_says_the_same_as_the_teacher_has_nothing_to_learn_from_it(name, learned, tmp_path):
    both, objective, batch = taught(learned, tmp_path, name, "small", "small", attention=1.0, **EVERY)
    both.student.load_state_dict(read_saved(tmp_path / "teacher").state_dict())
    for module in both.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    parts = objective(both, batch)
    assert parts["labels"] > 0
    assert all(abs(parts[part].item()) < 1e-4 for part in ("logits", "hidden", "attention", "keys")), parts


def test_a_student_that_imitates_comes_near(learned, tmp_path):
    both, objective, batch = taught(learned, tmp_path, "classification", "small", "other", labels=0.0, **EVERY)
    before = objective(both, batch)["loss"].item()
    optimiser = torch.optim.AdamW(both.parameters(), lr=1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        objective(both, batch)["loss"].backward()
        optimiser.step()
    assert objective(both, batch)["loss"].item() < before / 2


def test_the_teacher_reads_each_text_once(learned, tmp_path, monkeypatch):
    both, objective, batch = taught(learned, tmp_path, "classification", "small", "other")
    first = objective(both.eval(), batch), both.train(), objective(both, batch)
    monkeypatch.setattr(objective.teacher, "forward", None)
    order = torch.tensor([2, 0, 3, 1])
    mixed = {key: value[order] for key, value in batch.items() if key != "teacher"} | {"teacher": {}}
    for module in both.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    assert objective(both, mixed)["logits"].item() > 0
    assert set(first[0]) == {"loss"}


@pytest.mark.parametrize("teacher", ["other", "own"])
def test_of_texts_in_part_known_the_teacher_reads_the_others(teacher, learned, tmp_path, monkeypatch):
    _, objective, batch = taught(learned, tmp_path, "classification", "small", teacher)
    due, _ = objective._said(batch["teacher"], None)
    objective._said({name: value[:2] for name, value in batch["teacher"].items()}, batch["known"][:2])
    forward, read = objective.teacher.forward, []
    monkeypatch.setattr(objective.teacher, "forward", lambda rows: read.append(len(rows["input_ids"])) or forward(rows))
    said, _ = objective._said(batch["teacher"], batch["known"])
    assert read == [2]
    assert torch.allclose(said, due, atol=1e-5)


def test_texts_are_told_apart_by_both_parts():
    numbers = {number_of(Inputs(text=a, text_pair=b)) for a, b in (("x", None), ("x", "y"), ("xy", None), ("x", "Y"))}
    assert len(numbers) == 4


def test_labels_in_another_order_are_the_same_labels(learned, tmp_path):
    both, *_ = taught(learned, tmp_path, "classification", "small", "large")
    theirs = TASKS["classification"](both.student.task.columns, ("y", "x"))
    said = both.student.task.translated(torch.tensor([[1.0, 2.0]]), theirs)
    assert said.tolist() == [[2.0, 1.0]]


def test_numbers_of_another_scale_are_said_in_the_students():
    kind, columns = TASKS["regression"], {"text": "text", "label": "label"}
    own, other = (kind(columns, (), {"mean": m, "deviation": d}) for m, d in ((10.0, 2.0), (1.0, 5.0)))
    assert own.translated(torch.tensor([[3.0]]), other).tolist() == [[3.0]]  # 16 either way


def test_the_same_tokens_are_known_as_such(learned):
    models = {base: learned("classification", base)[0] for base in ("small", "large", "other", "own")}
    assert alike(models["small"], models["large"])
    assert not alike(models["small"], models["other"])
    assert not alike(models["small"], models["own"])


COLUMNS = READING["classification"]


@pytest.mark.parametrize(
    ("teacher", "name", "columns", "weights", "message"),
    [
        ("large", "pair", None, {}, "a model of pair cannot teach classification; name one trained for that task"),
        ("large", "classification", COLUMNS | {"label": "abab"}, {}, "teaches the labels a, b, and the rows have x, y"),
        ("other", "classification", None, {"attention": 1.0}, "reads texts in other tokens"),
        ("own", "classification", None, {"attention": 1.0}, "shows no attention maps"),
    ],
)
def test_a_teacher_that_cannot_teach_is_one_line(teacher, name, columns, weights, message, learned, tmp_path):
    learned(name, teacher, columns)[0].save(tmp_path / "teacher")
    model, examples = learned("classification", "small")
    how = TeacherConfig(model=str(tmp_path / "teacher"), **weights)
    with pytest.raises(InputError, match=message) as error:
        taught_by(how, model, model.task, model.task.collate(model.backbone.processor), examples)
    assert str(error.value).startswith(str(tmp_path / "teacher"))
    assert "\n" not in str(error.value)


def recipe_of(name, columns, base, tmp_path, **further):
    return FinetuneRecipe(
        task=name,
        backbone=str(base),
        train=str(rows(tmp_path / "rows.jsonl", columns)),
        val=str(tmp_path / "rows.jsonl"),
        output=str(tmp_path / "out"),
        **{role: role for role in columns},
        batch=2,
        epochs=1,
        checkpoints=1,
        **further,
    )


def test_a_recipe_drops_layers_and_is_taught_and_its_folder_needs_no_teacher(learned, bases, tmp_path):
    learned("classification", "large")[0].save(tmp_path / "teacher")
    how = TeacherConfig(model=str(tmp_path / "teacher"), hidden=1.0, attention=1.0, keys=1.0)
    run = recipe_of("classification", COLUMNS, bases["small"], tmp_path, layers=[1], teacher=how, longest=32)
    assert finetune(run)["eval_accuracy"] >= 0
    (tmp_path / "teacher" / "task.json").unlink()
    student = read_saved(tmp_path / "out")
    assert len(student.backbone.layers[0]) == 1
    assert not any("map" in name or "teacher" in name for name in student.state_dict())
    assert predict_all(student, student.task, [Example(Inputs(text="A dog ."))])[0].value in ("x", "y")
    with pytest.raises(InputError, match="give a folder that finetune wrote"):
        finetune(replace(run, output=str(tmp_path / "again")))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_student_and_teacher_are_in_the_precision_of_the_run(precision, learned, bases, tmp_path, monkeypatch):
    learned("classification", "large")[0].save(tmp_path / "teacher")
    answers, seen = TASKS["classification"].answers, []

    def watched(self, model, batch):
        seen.append((model.training, torch.is_autocast_enabled("cpu")))
        return answers(self, model, batch)

    monkeypatch.setattr(TASKS["classification"], "answers", watched)
    how = TeacherConfig(model=str(tmp_path / "teacher"))
    finetune(recipe_of("classification", COLUMNS, bases["small"], tmp_path, teacher=how, precision=precision))
    low = precision == "bf16"
    assert {*seen[2:]} == {(True, low), (False, low)}  # the first two only say how wide both are


def test_a_recipe_is_taught_by_what_reads_other_tokens(learned, bases, tmp_path):
    learned("pair", "other")[0].save(tmp_path / "teacher")
    how = TeacherConfig(model=str(tmp_path / "teacher"), keys=1.0)
    figures = finetune(recipe_of("pair", READING["pair"], bases["small"], tmp_path, teacher=how))
    assert figures["eval_loss"] > 0


@pytest.mark.parametrize("kind", ["causal", "both"])
@pytest.mark.parametrize("name", WRITING)
def test_what_writes_is_taught_by_what_writes(name, kind, writers, tmp_path):
    how = TeacherConfig(model=str(writers[kind]), hidden=1.0, attention=1.0)
    table = read_table(str(rows(tmp_path / "rows.jsonl", WRITING[name])))
    task = TASKS[name].learn({role: role for role in WRITING[name]}, table)
    table = task.view(table)
    examples = [task.example(table, number) for number in range(len(table))]
    torch.manual_seed(5)
    language_model, tokenizer = read_language_writer(writers[kind])
    model = WritingModel(with_layers(language_model, 1, ("encoder", "decoder")), tokenizer, task, 24)
    both, objective, collate = taught_by(how, model, task, task.collate(model.processor), examples)
    parts = objective(both.train(), collate(examples))
    parts["loss"].backward()
    assert all(torch.isfinite(value) and value > 0 for value in parts.values())
    assert all(value.grad is None for value in objective.teacher.parameters())


def test_what_writes_starts_with_some_layers_and_is_taught_by_a_recipe(writers, tmp_path):
    how = TeacherConfig(model=str(writers["causal"]), attention=1.0, hidden=1.0)
    run = recipe_of("generation", WRITING["generation"], writers["causal"], tmp_path, layers=2, teacher=how)
    finetune(run)
    assert len(read_saved(tmp_path / "out").layers[0]) == 2


@pytest.mark.parametrize(
    ("teacher", "weights", "message"),
    [
        ("others", {}, "has another vocabulary than the student"),
        ("both", {}, "an encoder-decoder cannot teach a causal model"),
        ("causal", {"keys": 1.0}, "a model that writes has no keys"),
    ],
)
def test_what_cannot_teach_writing_is_one_line(teacher, weights, message, writers, tmp_path):
    how = TeacherConfig(model=str(writers[teacher]), **weights)
    run = recipe_of("generation", WRITING["generation"], writers["causal"], tmp_path, teacher=how)
    with pytest.raises(InputError, match=message):
        finetune(run)
