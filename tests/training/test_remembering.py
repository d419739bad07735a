"""A model is trained on memories of many items, by the one loop."""

import json
from random import Random

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.utils import clip_grad_norm_

from mm_memgpt.models.loading import read_model
from mm_memgpt.objectives.remembering import Remembering
from mm_memgpt.training.bunches import Bunches
from mm_memgpt.training.items import Item
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.training.run import train
from mm_memgpt.training.tasks import build_task
from mm_memgpt.types import InputError
from mm_memgpt.words import sentence


def logged(output, step) -> list[dict]:
    return json.loads((output / f"checkpoint-{step}" / "trainer_state.json").read_text())["log_history"]


def test_a_run_of_all_kinds_lowers_its_loss_and_leaves_the_trunks_and_photos_as_they_were(remembering, deaf, tmp_path):
    figures = train(remembering(tmp_path, {"samples": 36, "clips": 0.1, "clip_photos": 5}))
    report = json.loads((tmp_path / "output" / "report.json").read_text())
    assert (report["samples"], report["skipped"]) == (36, [])
    first, last = (row["eval_loss"] for row in logged(tmp_path / "output", 6) if "eval_loss" in row)
    assert figures["eval_loss"] == pytest.approx(last, rel=1e-5)
    assert last < first
    parts = {name for row in logged(tmp_path / "output", 6) for name in row}
    assert {"captions", "sounds", "questions", "summaries", "clips", "right", "keys"} <= parts

    after = read_model(tmp_path / "output")[0].state_dict()
    before = load_file(deaf / "model.safetensors") | {
        f"audio_encoder.trunk.{name}": value for name, value in load_file(deaf / "ears.safetensors").items()
    }
    same = {name for name, value in before.items() if torch.equal(after[name], value.half().to(after[name].dtype))}
    assert {name for name in before if ".trunk." in name or name.startswith("image_encoder.")} <= same
    for part in ("text_encoder", "fuser.graph", "fuser.cross_attention", "decoder"):
        assert any(name.startswith(part) and name not in same for name in before), part
    assert after["fuser.order.output.weight"].abs().max() > 0


@pytest.mark.slow
def test_a_resumed_run_is_an_unbroken_one(remembering, tmp_path, interrupt):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    train(remembering(whole))
    recipe = remembering(broken, workers=1)
    interrupt(2, recipe)
    train(recipe, resume=True)
    ours, theirs = (load_file(folder / "output" / "model.safetensors") for folder in (whole, broken))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def task(remembering, tmp_path):
    torch.manual_seed(0)
    return build_task(read_recipe(remembering(tmp_path, {"keys": 0.0})))


def test_what_makes_keys_of_sounds_learns_unless_it_is_left_alone(remembering, tmp_path, task):
    kept = build_task(read_recipe(remembering(tmp_path, {"sound_keys": False})))
    assert [each.model.audio_encoder.key.weight.requires_grad for each in (task, kept)] == [True, False]


def test_clips_are_made_of_the_first_photos_and_only_where_they_have_a_share(remembering, tmp_path, task):
    makers = [part.makers["clips"].__self__ for part in task.examples(None)]
    assert [memories.clips for memories in makers] == [[], []]
    filmed = build_task(read_recipe(remembering(tmp_path, {"clips": 0.2, "clip_photos": 5})))
    training, validation = (part.makers["clips"].__self__ for part in filmed.examples(None))
    assert [len(maps) for maps in (*training.clips, *validation.clips)] == [5, 6]  # of val as many as val_samples
    first = [
        training.texts(sentence(f"A {thing} .")).tokens.tolist() for thing in ("dog", "cat", "boat", "horse", "guitar")
    ]
    written = [training.clip(Random(f"{number}"))["text"][0].tokens.tolist() for number in range(40)]
    assert all(text in written for text in first)
    assert all(text in first for text in written)


def alike(task, count: int) -> dict:
    """Memories of two photos each, with the same question and `count` different answers, as a batch."""
    memories = task.examples(None)[0].makers["questions"].__self__
    maps, examples = memories.maps["flickr8k/train.parquet"], []
    for number in range(count):
        items = [Item("image", maps.row(row)[0][0], (second, second), second) for second, row in ((0, 11), (1, number))]
        text = memories.texts(maps.captions[number][0].split()[1], "What is in the second photo?")
        examples.append({"kind": "questions", "items": items, "text": [text]})
    return Bunches(pad=2)(examples)


def test_a_handful_of_questions_is_learned_and_an_emptied_memory_answers_no_more_than_one(task):
    batch, objective, model = alike(task, 3), Remembering(task.model.bank, smoothing=0.0), task.model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=3e-3)
    for _ in range(200):
        optimiser.zero_grad()
        outcome = objective(model, batch)
        outcome["loss"].backward()
        clip_grad_norm_(trained, 1.0)
        optimiser.step()
        if outcome["right"] == 1 and outcome["loss"] < 0.2:
            break
    model.eval()
    assert objective(model, batch)["right"] == 1
    batch["bunches"]["questions"]["real"].zero_()
    assert objective(model, batch)["right"] <= 0.34


def test_what_cannot_be_trained_on_memories_is_one_line(remembering, tmp_path):
    def refused(message, **changes):
        with pytest.raises(InputError, match=message):
            build_task(read_recipe(remembering(tmp_path, **changes)))

    refused("its trunk is not trained here; give the weights of one that can hear", audio_trunk=None)
    refused("this model has no ears; give the recipe's key 'audio'", audio=None, audio_trunk=None)
    refused("the model hears nothing; add the key 'audio', {} for its defaults", audio=None)
    refused("fold .3. is both learned from and validated on", mixture={"folds": [3], "val_folds": [3]})
    refused("shares of captions, .* must be at least 0, not all 0", mixture={"captions": -1.0})


def test_the_items_of_a_scene_are_those_that_its_answer_needs(task):
    """What is left out is left out of the memory and of the question alike: every sound and note has its items."""
    memories = task.examples(None)[0].makers["questions"].__self__
    for number in range(30):
        scene = memories.scene(Random(f"{number}"))
        items = memories.items(scene, Random(f"{number}"))
        assert {item.source for item in items} == set(range(len(scene.items)))
        for source, due in enumerate(scene.items):
            kind = "image" if due.photo else "text" if due.note else "audio"
            mine = [item for item in items if item.source == source]
            assert {item.kind for item in mine} == {kind}
            assert min(item.time[0] for item in mine) == due.start
            assert max(item.time[1] for item in mine) == pytest.approx(due.end, abs=1e-3)
