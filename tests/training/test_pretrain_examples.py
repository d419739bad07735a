"""A piece of text as each objective takes it, decided by the item's own generator alone."""

from random import Random

import pytest
import torch

from mm_memgpt.objectives.masked_language import UNTAUGHT
from mm_memgpt.training.corpus import Document, Piece, cut
from mm_memgpt.training.pretrain_examples import CausalText, MaskedText, Mixed, Reading, SentencePair, Views, tail
from mm_memgpt.training.vocabulary import SPECIAL, train_vocabulary
from mm_memgpt.types import InputError

STORIES = [
    tuple(f"{who} {what} number {n}." for n, what in enumerate(("walks", "sits down", "sings"))) for who in "ABC"
]
DOCUMENTS = [Document(f"stories.csv:{row}", story) for row, story in enumerate(STORIES, start=2)]
CORPUS = cut(DOCUMENTS, 500)
ALONE = cut([Document("notes.csv:2", ("Alone.",)), Document("notes.csv:3", ("So.",))], 500)


@pytest.fixture(scope="module")
def tokenizer():
    return train_vocabulary([" ".join(story) for story in STORIES], 290)


@pytest.fixture
def reading(tokenizer) -> Reading:
    return Reading(tokenizer, 32, types=True)


def test_a_text_comes_back_from_the_trained_tokenizer(tokenizer):
    text = " A sings, 他 شكرا 🙂"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert [tokenizer.decode(ids[place]) for place in (0, -1)] == ["<s>", "</s>"]


def test_the_trained_tokenizer_is_the_same_each_time_and_has_room_for_bytes(tokenizer):
    again = train_vocabulary([" ".join(story) for story in STORIES], 290)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert 260 < len(tokenizer) <= 290
    with pytest.raises(InputError, match=f"vocabulary 100 is below the {256 + len(SPECIAL)} bytes and special tokens"):
        train_vocabulary(["a"], 100)


def test_masked_text_hides_words_only_and_remembers_them(reading):
    make = MaskedText(reading, 0.5)
    batch = make.collate([make(piece, Random(n)) for n, piece in enumerate(CORPUS)])
    plain = reading.pad([reading(piece.text) for piece in CORPUS])
    taken = batch["labels"] != UNTAUGHT
    assert torch.equal(torch.where(taken, batch["labels"], batch["input_ids"]), plain["input_ids"])
    assert not torch.isin(batch["labels"][taken], torch.tensor(reading.tokenizer.all_special_ids)).any()
    assert (batch["input_ids"] == reading.tokenizer.mask_token_id).any()


def test_half_of_the_pairs_follow_each_other_and_the_others_are_of_two_documents(reading):
    make, decode = SentencePair(reading, CORPUS, CORPUS), reading.tokenizer.decode
    answers = []
    for n in range(200):
        piece = CORPUS[n % 3]
        found = make(piece, Random(n))
        text = decode(found["input_ids"], skip_special_tokens=True).strip()
        assert (text == piece.text) == found["is_next"].item()
        assert (len({text[place] for place in range(len(text)) if text[place] in "ABC"}) == 1) == found[
            "is_next"
        ].item()
        answers.append(found["is_next"].item())
    assert 80 <= sum(answers) <= 120


def test_the_second_text_is_told_from_the_first(reading):
    found = SentencePair(reading, CORPUS, CORPUS)(CORPUS[0], Random(1))
    types, ends = found["token_type_ids"], found["input_ids"] == reading.tokenizer.sep_token_id
    assert types.tolist() == [0] * (int(ends.int().argmax()) + 1) + [1] * int(types.sum())
    assert types[-1] == 1


def test_a_text_of_one_sentence_gives_way_to_another(reading):
    make = SentencePair(reading, CORPUS, CORPUS)
    assert len(make(Piece(7, ("Alone.",)), Random(0))["input_ids"]) > 10


@pytest.mark.parametrize(
    ("corpus", "line"),
    [
        (ALONE, "notes.csv:2: one sentence, as all the others; next_sentence needs two in a text: leave the objective"),
        (cut(DOCUMENTS[:1], 500), "stories.csv:2: the only text of two sentences; next_sentence needs another: leave "),
    ],
)
def test_texts_without_pairs_are_refused(reading, corpus, line):
    with pytest.raises(InputError) as error:
        SentencePair(reading, corpus, corpus)
    assert str(error.value).startswith(line)


def test_the_other_second_text_is_about_as_long_so_that_length_tells_nothing():
    piece = Piece(0, ("aaaa", "bb", "cccc", "d"))
    assert [tail(piece, length) for length in (1, 5, 9, 99)] == ["d", "cccc d", "bb cccc d", "bb cccc d"]


def test_a_causal_text_begins_and_ends_unless_it_is_cut(tokenizer):
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    whole = CausalText(Reading(tokenizer, 60))(CORPUS[0], Random(0))["input_ids"].tolist()
    short = CausalText(Reading(tokenizer, 9))(CORPUS[0], Random(0))["input_ids"].tolist()
    assert (whole[0], whole[-1]) == (begin, end)
    assert short == whole[:9]


def test_views_are_one_sentence_or_both_texts_of_a_pair(reading):
    alone = Views(reading, reading.pad)
    assert alone.collate([alone(piece, Random(0)) for piece in CORPUS])["input_ids"].shape[0] == 3
    paired = Views(reading, reading.pad, [("A sings", "B sits"), ("C walks", "A sits")])
    rows = paired.collate([paired(CORPUS[0], Random(n)) for n in range(3)])["input_ids"]
    texts = [text.strip() for text in reading.tokenizer.batch_decode(rows, skip_special_tokens=True)]
    assert all({"A sings": "B sits", "C walks": "A sits"}[texts[n]] == texts[n + 3] for n in range(3))


def test_an_example_depends_on_its_generator_alone(reading):
    make = Mixed({"masked_language": MaskedText(reading, 0.3), "next_sentence": SentencePair(reading, CORPUS, CORPUS)})
    first, again, other = (make.collate([make(CORPUS[1], Random(seed))]) for seed in (4, 4, 5))
    assert first["examples"].tolist() == [0]
    for name, batch in first.items():
        if name != "examples":
            assert all(torch.equal(batch[key], again[name][key]) for key in batch)
    assert not torch.equal(first["masked_language"]["labels"], other["masked_language"]["labels"])
