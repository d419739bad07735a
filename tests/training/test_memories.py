"""Texts are learned behind their prompts, examples are of their kinds, and a batch holds each item once."""

from random import Random

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from mm_memgpt.datasets.questions import POSITIONS
from mm_memgpt.datasets.scenes import stretched
from mm_memgpt.datasets.summaries import LONGEST
from mm_memgpt.training.bunches import Bunches, memory_of
from mm_memgpt.training.items import Item, Text, Texts
from mm_memgpt.training.memories import Memories
from mm_memgpt.training.mixture import KINDS, Mixture
from mm_memgpt.types import InputError


@pytest.fixture(scope="module")
def texts(material) -> Texts:
    return Texts(PreTrainedTokenizerFast.from_pretrained(material / "tokenizer"), begin=0, longest=12)


def test_a_text_is_its_prompt_and_what_is_learned_to_the_end(texts):
    tokenizer = texts.tokenizer
    text = texts("a man", "two dogs?")
    assert tokenizer.decode(text.tokens[1 : text.given]) == "two dogs?"
    assert tokenizer.decode(text.tokens[text.given : -1]) == " a man"
    assert (text.tokens[0], text.tokens[-1]) == (0, tokenizer.eos_token_id)
    plain = texts("a man")
    assert plain.given == 1
    assert tokenizer.decode(plain.tokens[1:-1]) == "a man"
    assert texts("a man " * 9).tokens[-1] != tokenizer.eos_token_id  # a cut takes the end with it
    with pytest.raises(InputError, match="longest 12 leaves no room behind"):
        texts("a man", "two dogs? " * 9)


def photo(value: float, source: int, second: float = 0.0) -> Item:
    return Item("image", torch.full((1, 1, 1), value).half(), (second, second + 1), source)


def sound(value: float, source: int, second: float = 0.0) -> Item:
    return Item("audio", torch.full((1, 1, 1), value).half(), (second, second + 1), source)


def test_items_are_told_apart_by_kind_and_found_again_in_their_order():
    note = Item("text", torch.tensor([0, 5, 1]), (7.0, 8.0), 2)
    bunch = memory_of([[sound(1, 0), photo(2, 1, 3.0), note], [photo(3, 0), photo(4, 1)]], pad=9)
    contents = [*bunch["image"].flatten().tolist(), *bunch["audio"].flatten().tolist(), "note"]
    found = [[contents[place] for place in row] for row in bunch["order"].tolist()]
    assert found[0] == [1, 2, "note"]
    assert found[1][:2] == [3, 4]
    assert bunch["real"].tolist() == [[True] * 3, [True, True, False]]
    assert bunch["time"][0].tolist() == [[0, 1], [3, 4], [7, 8]]
    assert bunch["source"].tolist() == [[0, 1, 2], [0, 1, 0]]


def test_lone_photos_are_not_filled_up_to_scenes_and_prompts_are_padded_on_the_left():
    lone = {"kind": "captions", "items": [photo(1, 0)], "text": [Text(torch.tensor([0, 5, 1]), 1)] * 2}
    told = [Text(torch.tensor([0, 7, 7, 5, 1]), 3), Text(torch.tensor([0, 8, 6, 1]), 2)]
    scene = {"kind": "questions", "items": [photo(2, 0), photo(3, 1)], "text": told}
    batch = Bunches(pad=2)([lone, scene, lone])
    assert [KINDS[number] for number in batch["examples"]] == ["captions", "questions", "captions"]
    captions, questions = (batch["bunches"][kind] for kind in ("captions", "questions"))
    assert captions["order"].tolist() == [[0], [1]]
    assert captions["owner"].tolist() == [0, 0, 1, 1]
    assert captions["learned"].tolist() == [[False, True, True]] * 4
    assert questions["input_ids"].tolist() == [[0, 7, 7, 5, 1], [2, 0, 8, 6, 1]]
    assert questions["attention_mask"].tolist() == [[1] * 5, [0, 1, 1, 1, 1]]
    assert questions["learned"].tolist() == [[False] * 3 + [True] * 2] * 2


class Still:
    """Maps of a file, a number each, that of its row; of a sound of two pieces."""

    views, captions = ["plain", "other"], [("A dog .",)] * 99

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    def __len__(self) -> int:
        return 50

    def row(self, number: int, view: str):
        value = number + 0.5 * (view == "other")
        return torch.full((self.pieces, 1, 1, 1), value).half(), [(float(n), n + 1.0) for n in range(self.pieces)]


@pytest.fixture
def memories(scenery_pools, texts):
    def make(training: bool, **mixture) -> Memories:
        maps = {"photos": Still(1), "sounds": Still(2), "digits": Still(1)}
        whole = Texts(texts.tokenizer, 0, longest=200)
        return Memories(scenery_pools, maps, [maps["photos"]], whole, Mixture(**mixture), 3, training, [Still(4)])

    return make


def test_in_training_sources_are_left_out_and_times_are_others(memories):
    whole, disturbed = memories(False), memories(True, dropout=0.5, stretch=4.0)
    sizes, factors = [], set()
    for number in range(60):
        due, found = whole.scene(Random(f"{number}")), disturbed.scene(Random(f"{number}"))
        kept = [place for place, item in enumerate(due.items) if item._replace(start=0, end=0) in plain(found)]
        sizes.append((len(due.items), len(found.items)))
        assert len(found.items) >= 1
        assert len(kept) >= len(found.items)
        factors.add(round(found.items[0].start, 3))
    assert 0.4 < sum(after for _, after in sizes) / sum(before for before, _ in sizes) < 0.65
    assert len(factors) > 50
    assert stretched(due, 1.0) == due


def plain(scene):
    return [item._replace(start=0, end=0) for item in scene.items]


def test_each_kind_is_what_it_says(memories):
    made = {kind: [make(Random(f"{n}")) for n in range(30)] for kind, make in memories(True).makers.items()}
    assert {example["kind"] for example in filter(None, made["questions"])} == {"questions"}
    assert {len(example["text"]) for example in made["captions"]} == {3}
    assert {len(example["items"]) for example in made["captions"]} == {1}
    assert {len({item.source for item in example["items"]}) for example in made["sounds"]} == {1}
    assert {len(example["text"]) for example in made["clips"]} == {3}
    assert max(len({item.source for item in example["items"]}) for example in made["summaries"]) <= LONGEST
    assert max(len(example["text"]) for example in filter(None, made["questions"])) == 3
    views = {item.content.item() % 1 for example in made["captions"] for item in example["items"]}
    assert views == {0, 0.5}
    lone = [memories(False).caption(Random(f"{n}"))["items"][0].content.item() % 1 for n in range(20)]
    assert set(lone) == {0}


def test_a_clip_is_one_source_whose_frames_come_a_second_apart_with_the_photos_sentences(memories):
    made = [memories(True).clip(Random(f"{number}")) for number in range(30)]
    rows = set()
    for example in made:
        assert [item.time for item in example["items"]] == [(0, 1), (1, 2), (2, 3), (3, 4)]
        assert {(item.kind, item.source) for item in example["items"]} == {("image", 0)}
        [row] = {item.content.item() for item in example["items"]}  # one view of one photo
        rows.add(row)
        assert {text.given for text in example["text"]} == {1}  # no prompt
    assert len(rows) > 20
    assert {row % 1 for row in rows} == {0, 0.5}
    Still.captions[3:4] = [()]
    untold = [memories(False).clip(Random(f"{number}")) for number in range(200)]
    Still.captions[3:4] = [Still.captions[0]]
    assert None in untold


def test_a_note_is_written_down_again_asked_for_by_its_place(memories, texts):
    decode, seen = texts.tokenizer.decode, set()
    for number in range(60):
        example = memories(True).note(Random(f"{number}"))
        [text] = example["text"]
        [place] = text.about
        asked, written = decode(text.tokens[1 : text.given]), decode(text.tokens[text.given : -1]).strip()
        assert decode(example["items"][place].content[1:-1]) == written
        assert [item.source for item in example["items"]] == list(range(len(example["items"])))
        word = ["first ", "second ", "third "][place] if len(example["items"]) > 1 else ""
        assert asked == f"What does the {word}note say?"
        seen.add((len(example["items"]), place))
    assert len(seen) == 6


def test_a_photo_of_a_scene_is_described_where_its_place_is_asked_for(memories, texts):
    described, asked = 0, 0
    for number in range(40):
        example = memories(True, described=0.5).question(Random(f"{number}"))
        if example is None:
            continue
        prompts = [texts.tokenizer.decode(text.tokens[1 : text.given]) for text in example["text"]]
        shown = [text for text, prompt in zip(example["text"], prompts, strict=True) if "photo show?" in prompt]
        asked, described = asked + 1, described + len(shown)
        for text in shown:
            [place] = text.about
            photos = sorted({item.source for item in example["items"] if item.kind == "image"})
            [prompt] = [prompt for prompt in prompts if "photo show?" in prompt]
            word = "" if len(photos) == 1 else f"{POSITIONS[photos.index(place)]} "
            assert prompt == f"What does the {word}photo show?"
            assert texts.tokenizer.decode(text.tokens[text.given : -1]).strip() == "A dog."
    assert 0.2 < described / asked < 0.7


def test_outside_training_a_photo_may_be_the_mean_of_both_its_views(scenery_pools, texts):
    class Sided(Still):
        views = ("plain", "mirrored")

        def row(self, number, view="plain"):
            return torch.tensor([[[[1.0, 5.0] if view == "plain" else [3.0, 9.0]]]]).half(), [(0.0, 1.0)]

    maps = {"photos": Sided(1), "sounds": Still(2), "digits": Still(1)}
    for mirrored, due in ((True, [5.0, 4.0]), (False, [1.0, 5.0])):
        made = Memories(scenery_pools, maps, [maps["photos"]], texts, Mixture(), 1, False, mirrored=mirrored)
        items = made.items(made.scene(Random("1")), Random("1"))
        photos = [item.content.flatten().tolist() for item in items if item.kind == "image"]
        assert photos == [due] * len(photos) != []


def test_items_come_by_source_or_by_their_ends(memories):
    ways = set()
    for number in range(40):
        items = memories(True).question(Random(f"{number}"))
        if items is not None:
            ends = [item.time[1] for item in items["items"]]
            sources = [item.source for item in items["items"]]
            assert ends == sorted(ends) or sources == sorted(sources)
            ways.add((ends == sorted(ends), sources == sorted(sources)))
    assert (True, False) in ways
    assert (False, True) in ways
