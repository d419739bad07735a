"""Plain text is learned as passages, alone or behind what came before them, and as replies about a few sentences."""

import json
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from mm_memgpt.models.loading import read_model
from mm_memgpt.objectives.remembering import Remembering
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing_tokens import WritingProcessor
from mm_memgpt.training.bunches import Bunches
from mm_memgpt.training.corpus import Document
from mm_memgpt.training.items import Texts
from mm_memgpt.training.passages import Passages, Prose, Replies, Reply, items_of, plain_makers
from mm_memgpt.training.recipe import DataSettings, Source
from mm_memgpt.training.run import train
from mm_memgpt.training.text_sources import ReplyText, RunningText
from mm_memgpt.types import InputError

THINGS = ("dog", "cat", "horse", "boat", "car", "man", "bench", "train")
SENTENCES = ("A man sits.", "Two dogs run fast.", "The blue boat sails.", "One cat is asleep.")


@pytest.fixture(scope="module")
def texts(material) -> Texts:
    return Texts(PreTrainedTokenizerFast.from_pretrained(material / "tokenizer"), begin=0, longest=40)


def told(text, texts) -> str:
    return texts.tokenizer.decode(text.tokens[text.given :], skip_special_tokens=True)


def remembered(example, texts) -> str:
    return texts.tokenizer.decode(torch.cat([item.content for item in example["items"]]))


def test_a_passage_follows_what_is_remembered_and_only_the_text_s_end_is_taught(texts):
    passages = Passages([Prose([Document("d", SENTENCES)])], [1.0], texts, tokens=5)
    whole, begins, ended = "".join(SENTENCES), set(), set()
    for number in range(40):
        example = passages.remembered(Random(f"{number}"))
        if example is None:  # the first sentence: nothing came before it
            continue
        [text] = example["text"]
        both = (remembered(example, texts) + told(text, texts)).replace(" ", "")
        assert whole.replace(" ", "").find(both.replace("<s>", "").replace("</s>", "")) >= 0
        assert all(len(item.content) <= 5 for item in example["items"])
        sources = [item.source for item in example["items"]]
        assert sources == sorted(sources)
        begins.add(len({*sources}))
        ended.add(text.tokens[-1].item() == texts.tokenizer.eos_token_id)
    assert begins == {1, 2, 3}
    alone = passages.alone(Random("1"))
    assert (alone["kind"], alone["items"], alone["text"][0].given) == ("language", [], 1)
    cut = Texts(texts.tokenizer, 0, longest=9)
    long = Passages([Prose([Document("d", SENTENCES * 9)])], [1.0], cut, tokens=5).alone(Random("3"))
    assert len(long["text"][0].tokens) == 9
    assert long["text"][0].tokens[-1] != texts.tokenizer.eos_token_id
    assert True in ended


def test_every_sentence_of_every_text_is_as_likely():
    prose = Prose([Document("one", ("a",)), Document("two", ("b", "c", "d"))])
    drawn = {(prose.draw(Random(f"{number}"))) for number in range(60)}
    assert drawn == {(("a",), 0), *((("b", "c", "d"), place) for place in range(3))}


def test_sentences_are_remembered_as_a_model_that_writes_remembers_them(texts):
    items = items_of(SENTENCES[:2], texts, tokens=4)
    batch = WritingProcessor(texts.tokenizer, False, 40, 0, item=4)([Prompt(memory=SENTENCES[:2])])
    rows = zip(batch["memory_ids"][0], batch["memory_mask"][0].bool(), strict=True)
    assert [item.content.tolist() for item in items] == [ids[real].tolist() for ids, real in rows]
    assert [item.source for item in items] == batch["memory_source"][0].tolist()


@pytest.fixture
def data(tmp_path) -> DataSettings:
    """A dialogue, an article with its summary, and books of two sentences."""
    rows = {
        "talk": {"turns": [["Hello , Bob .", "Hi !", "It \u2019 s late .", "Bye ."], ["Alone ."]]},
        "news": {"article": ["A dog ran. It was found."], "summary": ["A dog ran. All is well."]},
        "books": {"text": ["A man sits. Two dogs run."]},
    }
    for name, columns in rows.items():
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    (tmp_path / "val.txt").write_text("A cat is asleep.\n")
    talk, news, books = (f"{name}.parquet" for name in rows)
    return DataSettings(
        root=str(tmp_path),
        train=[Source(path="photos.parquet")],
        val=Source(path="photos.parquet"),
        texts=[RunningText(path=books, val="val.txt")],
        replies=[
            ReplyText(path=talk, val=talk, turns="turns"),
            ReplyText(path=news, val=news, memory="article", asked="What now?", text="summary", sentences=1),
        ],
    )


def test_each_turn_replies_to_the_one_before_and_rows_to_what_is_asked(data, texts):
    makers = plain_makers(data, {"replies"}, texts, 5, "train", print)
    assert list(makers) == ["replies"]
    talk, news = makers["replies"].replies
    assert talk == [
        Reply((), "Hello, Bob.\n", "Hi!"),
        Reply((), "Hello, Bob.\nHi!\n", "It's late."),
        Reply(("Hello, Bob.",), "Hi!\nIt's late.\n", "Bye."),
    ]
    assert news == [Reply(("A dog ran.", "It was found."), "What now?", "A dog ran.")]
    found = set()
    for number in range(60):
        example = makers["replies"](Random(f"{number}"))
        [text] = example["text"]
        found.add((texts.tokenizer.decode(text.tokens[1 : text.given]), told(text, texts), example["kind"]))
    assert found == {
        ("Hello, Bob.\n", "Hi!", "language"),
        ("Hello, Bob.\nHi!\n", "It's late.", "language"),
        ("Hi!\nIt's late.\n", "Bye.", "replies"),
        ("What now?", " A dog ran.", "replies"),
    }


def test_validation_draws_from_texts_of_its_own(data, texts):
    for part, due in (("train", "Two dogs run."), ("val", "A cat is asleep.")):
        alone = plain_makers(data, {"language"}, texts, 5, part, print)["language"](Random("0"))
        assert told(alone["text"][0], texts).endswith(due)


def test_a_source_that_names_too_little_is_refused(data):
    for changes, message in (
        ({"turns": "turns", "text": "summary"}, "name its turns, or memory, text and either prompt or asked"),
        ({"memory": "article", "text": "summary"}, "name its turns, or memory, text and either prompt or asked"),
        ({"memory": "m", "text": "t", "prompt": "p", "asked": "a"}, "prompt and asked both say what is asked"),
        ({"turns": "turns", "sentences": 0}, "sentences 0 of a must be at least 1"),
        ({"turns": "turns", "share": 0}, "share 0 of a must be above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            ReplyText(path="a", val="b", **changes)
    with pytest.raises(ValueError, match="share -1 of a must be above 0"):
        RunningText(path="a", val="b", share=-1)


def test_an_empty_dialogue_is_one_line(data, texts, tmp_path):
    pq.write_table(pa.table({"turns": [["Alone ."]]}), tmp_path / "talk.parquet")
    with pytest.raises(InputError, match=r"talk.parquet: nothing that replies to anything; name other columns"):
        plain_makers(data, {"replies"}, texts, 5, "train", print)


def test_a_prompt_that_leaves_no_room_is_passed_over(texts):
    replies = Replies([[Reply((), "a man sits " * 9, "Yes.")]], [1.0], texts, 5)
    assert replies(Random("0")) is None


def test_passages_without_a_memory_are_learned_beside_those_with_one(deaf, texts):
    model, processor = read_model(deaf)
    passages = Passages([Prose([Document("d", SENTENCES)])], [1.0], texts, tokens=4)
    examples = [passages.alone(Random("1")), passages.remembered(Random("2")), passages.alone(Random("3"))]
    batch = Bunches(processor.tokenizer.pad_token_id)(examples)
    before = read_model(deaf)[0].requires_grad_(False)
    objective = Remembering(model.bank, smoothing=0.1, before=before, hold_keys=1.0)
    model.train()
    parts = objective(model, batch)
    assert {"language", "reading", "keys_of_reading"} <= {*parts}
    expected = (2 * parts["language"] + parts["reading"]) / 3  # each example counts the same
    assert parts["loss"].item() == pytest.approx(expected.item() + parts["keys_of_reading"].item() / 3, rel=1e-4)


def test_a_run_learns_plain_text_beside_memories(remembering, tmp_path):
    shares = {"captions": 0.2, "questions": 0.2, "language": 0.4, "reading": 0.3, "replies": 0.4}
    recipe = remembering(tmp_path, shares | {"sounds": 0, "summaries": 0})
    with pytest.raises(InputError, match=r"remember.language and remember.reading: nothing to draw from; add sources"):
        train(recipe)
    talk = str(tmp_path / "talk.parquet")
    pq.write_table(pa.table({"turns": [[f"A {thing} ran ." for thing in THINGS]]}), talk)
    sources = {"texts": "text", "replies": "turns"}
    train(recipe, [f"data.{key}=[{{path: {talk}, val: {talk}, {name}: turns}}]" for key, name in sources.items()])
    [state] = tmp_path.glob("output/checkpoint-4/trainer_state.json")
    rows = json.loads(state.read_text())["log_history"]
    assert {"questions", "language", "reading", "replies"} <= {name for row in rows for name in row}
    first, last = (row["eval_loss"] for row in rows if "eval_loss" in row)
    assert last < first
