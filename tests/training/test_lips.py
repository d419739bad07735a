"""Stretches of frames know their words, a run learns to tell them, and memories of speech hold what they should."""

from random import Random

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from mm_memgpt.config import MotionConfig
from mm_memgpt.models.loading import read_model
from mm_memgpt.objectives.hearing import NO_LABEL
from mm_memgpt.training.bunches import Bunches
from mm_memgpt.training.items import Texts
from mm_memgpt.training.lips import Stretches, stack_stretches
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.training.run import train
from mm_memgpt.training.speech import PROMPT, Clips, Speech
from mm_memgpt.training.tasks import build_task
from mm_memgpt.types import InputError

WORDS = ["bin", "lay", "blue", "red"]
MOTION = {"frames": 10, "cell": 4, "inner": 8, "layers": 1, "dropout": 0.0}


class Still:
    """Maps of frames a tenth of a second apart: of each its number, and half more in the other view."""

    views, folder, captions = ["plain", "mirrored"], "maps", []
    words = [[("bin", 0.0, 0.45), ("blue", 0.6, 1.0)]] * 3

    def __init__(self, frames: int = 17) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return 3

    def row(self, number: int, view: str = "plain"):
        value = torch.arange(self.frames) + 0.5 * (view == "mirrored")
        return value.view(-1, 1, 1, 1).half(), [[n / 10, (n + 1) / 10] for n in range(self.frames)]


def test_a_stretch_begins_anywhere_and_each_frame_has_the_word_of_its_middle():
    said = [1] * 4 + [0] * 2 + [3] * 4 + [0] * 7  # frame 4 ends 0.05 seconds late: its middle is no longer a word's
    make, starts = Stretches(Still(), WORDS, 10, training=True), set()
    for seed in range(200):
        example = make(Random(seed))
        values = example["maps"].flatten().tolist()
        first, shift = int(values[0]), values[0] % 1
        assert values == [first + shift + n for n in range(len(values))]
        assert example["words"].tolist() == said[first : first + len(values)]
        starts.add((first, len(values), shift))
    assert {length for _, length, _ in starts} == set(range(5, 11))
    assert {first for first, _, _ in starts} == set(range(13))
    assert {shift for _, _, shift in starts} == {0, 0.5}
    plain = Stretches(Still(), WORDS, 10, training=False)(Random(0))
    assert plain["maps"].flatten().tolist() == list(range(10))
    with pytest.raises(InputError, match="maps: 'bin' is not among words"):
        Stretches(Still(), ["blue"], 10, training=False)(Random(0))


def test_stretches_are_filled_up_to_the_longest():
    short, long = ({"maps": torch.ones(n, 1, 1, 1).half(), "words": torch.arange(n)} for n in (2, 3))
    batch = stack_stretches([short, long])
    assert batch["mask"].tolist() == [[True, True, False], [True] * 3]
    assert batch["words"].tolist() == [[0, 1, NO_LABEL], [0, 1, 2]]
    assert batch["maps"].shape == (2, 3, 1, 1, 1)


@pytest.fixture
def lips(remembering):
    """A function that writes a recipe of a lipreading run; keywords change its keys."""

    def write(folder, **changes):
        source = {"path": "video/grid_s1_train.parquet"}
        values = {"objective": "lipreading", "audio": None, "audio_trunk": None, "motion": MOTION, "words": WORDS}
        return remembering(folder, **(values | changes)), [
            f"data.train=[{{path: {source['path']}, spare: 3}}]",
            f"data.val={{path: {source['path']}, spare: 3}}",
            "data.val_samples=2",
            "optimiser.epochs=90",
            "optimiser.rate=0.02",
        ]

    return write


def test_a_run_tells_words_and_what_it_keeps_is_where_memories_start(lips, remembering, tmp_path):
    figures = train(*lips(tmp_path))
    assert figures["eval_loss"] < 1.4  # of five answers, log 5 = 1.6 knows nothing
    kept = tmp_path / "output" / "motion_encoder.safetensors"
    recipe = remembering(tmp_path, {"speech": 0.5}, motion=MOTION, motion_encoder=str(kept))
    start = build_task(read_recipe(recipe)).model.motion_encoder.state_dict()
    assert all(torch.equal(value, start[name]) for name, value in load_file(kept).items())

    train(recipe, [f"output={tmp_path / 'whole'}"])
    model, _ = read_model(tmp_path / "whole")
    assert model.config.motion == MotionConfig(**MOTION)
    after = model.motion_encoder.state_dict()
    assert any(not torch.allclose(value, after[name].float(), atol=1e-4) for name, value in load_file(kept).items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": []}, "lipreading learns words; list them"),
        ({"motion": None}, "the model sees no motion; add the key 'motion'"),
    ],
)
def test_what_cannot_be_learned_is_refused(lips, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        train(*lips(tmp_path, **changes))


def test_speech_needs_a_model_that_sees_motion(remembering, tmp_path):
    with pytest.raises(InputError, match=r"remember\.speech: the model sees no motion; add the key 'motion'"):
        train(remembering(tmp_path, {"speech": 0.5}))


def test_memories_of_speech_hold_sound_or_lips_or_both(world):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(world / "tokenizer")
    texts = Texts(tokenizer, 0, longest=60)
    clips = Clips(lips=Still(), sound=Still(3), frames=Still(2))
    made = [Speech(clips, MotionConfig(**MOTION), texts, True)(Random(seed)) for seed in range(120)]
    held = [tuple(sorted({item.kind for item in example["items"]})) for example in made]
    assert set(held) == {("motion",), ("audio",), ("audio", "motion"), ("audio", "image")}
    assert 0.2 < held.count(("audio", "motion")) / 120 < 0.4
    for example in made:
        ends = [item.time[1] for item in example["items"]]
        assert ends == sorted(ends)
        assert {item.source for item in example["items"]} == {0}
        [text] = example["text"]
        written = tokenizer.decode(text.tokens[text.given : -1]).strip()
        given = tokenizer.decode(text.tokens[1 : text.given])
        assert (given, written) in ((PROMPT, "bin blue"), ("", "Someone says bin blue."))
    late = {example["items"][0].content.flatten()[0].item() for example in made if example["items"][0].kind == "motion"}
    assert len(late) > 7  # beginnings and views
    lengths = {len(item.content) for example in made for item in example["items"] if item.kind == "motion"}
    assert max(lengths) == 10
    bunch = Bunches(pad=2)([made[held.index(("audio", "motion"))], made[held.index(("motion",))]])["bunches"]["speech"]
    stretches = sum(
        item.kind == "motion"
        for place in (("audio", "motion"), ("motion",))
        for item in made[held.index(place)]["items"]
    )
    assert bunch["motion"].shape[:2] == bunch["motion_mask"].shape == (stretches, 10)
    still = Speech(clips, MotionConfig(**MOTION), texts, False)
    assert [item.content[0].item() for item in still.lips(0, Random(0))] == [0, 10]
    assert [item.time for item in still.lips(0, Random(0))] == [(0.0, 1.0), (1.0, 1.7)]
