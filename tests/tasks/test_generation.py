"""Texts go on, long ones are learned in pieces, and how well one is foreseen is said by token, word and byte."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel

from mm_memgpt.datasets.table_given import GivenTable
from mm_memgpt.evaluation.perplexity import Foreseen, perplexity_scores
from mm_memgpt.tasks.generation import Generation, Pieces, cut_text, likelihood
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing_model import WritingModel
from mm_memgpt.training.vocabulary import train_vocabulary

TEXT = "The dog runs through the grass and the cat sits on a wall. " * 9


@pytest.fixture(scope="module")
def model():
    """A random decoder that holds 48 tokens."""
    tokenizer = train_vocabulary([TEXT], 300)
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    special = {name: getattr(tokenizer, name) for name in names}
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=12, n_layer=2, n_head=3, n_positions=48, **special)
    torch.manual_seed(0)
    return WritingModel(GPT2LMHeadModel(config), tokenizer, Generation({"text": "text"})).eval()


def table(*texts):
    return GivenTable([{"text": text} for text in texts], ["text"], [f"row {n}" for n in range(len(texts))])


@given(st.text(alphabet="ab \n", max_size=60), st.integers(1, 9))
def test_the_pieces_of_a_text_are_the_text(text, longest):
    pieces = [text[begin:end] for begin, end in cut_text(text, longest)]
    assert "".join(pieces) == text
    assert all(len(piece.rstrip()) <= longest for piece in pieces)
    assert all(piece.strip() for piece in pieces[1:])


def test_a_long_text_is_learned_in_pieces_that_know_their_place():
    pieces = Pieces(table("one two three", "", "four"), "text", 8)
    assert [row["text"] for row in pieces] == ["one two", "three", "", "four"]
    assert [pieces.place(index) for index in range(4)] == ["row 0", "row 0, character 8", "row 1", "row 2"]


def test_a_text_without_a_label_is_learned_from_nothing_and_goes_on(model):
    task = model.task
    example = task.example(table("The dog"), 0)
    assert (example.further, task.as_learned(example).further, example.target) == (
        Prompt("The dog"),
        Prompt(),
        "The dog",
    )


def test_a_text_with_a_label_is_its_prompt():
    task = Generation({"text": "asked", "label": "told"})
    rows = GivenTable([{"asked": "A dog?", "told": "It runs."}], ["asked", "told"], ["row 0"])
    example = task.example(rows, 0)
    assert task.as_learned(example) == example
    assert (example.further, example.target) == (Prompt("A dog?"), "It runs.")


def test_every_token_of_a_text_is_foreseen_once(model):
    pieces = list(likelihood(model, TEXT, batch=3))
    assert len(pieces) > 5
    assert sum(piece.size for piece in pieces) == len(TEXT)
    assert sum(piece.words for piece in pieces) == len(TEXT.split())
    whole = model.tokenizer(TEXT.rstrip(), add_special_tokens=False)["input_ids"]
    assert sum(piece.tokens for piece in pieces) == len(whole)


def test_a_piece_is_foreseen_as_the_model_itself_says(model):
    begin = model.tokenizer.bos_token_id
    ids = torch.tensor([[begin, *model.tokenizer("The dog runs", add_special_tokens=False)["input_ids"]]])
    logprobs = torch.log_softmax(model.model(ids).logits[0, :-1], -1).gather(1, ids[0, 1:, None])
    [piece] = likelihood(model, "The dog runs")
    assert piece.nats == pytest.approx(-logprobs.sum().item(), rel=1e-5)


def test_a_word_of_one_megabyte_is_cut_to_what_fits(model):
    pieces = list(likelihood(model, "x" * 500, batch=9))
    assert sum(piece.size for piece in pieces) == 500


def test_even_odds_of_four_tokens_are_a_perplexity_of_four():
    piece = Foreseen(nats=8 * math.log(4), tokens=8, words=2, size=16)
    scores = perplexity_scores([piece] * 3)
    assert scores["perplexity"] == pytest.approx((4, 4, 4))
    assert scores["word_perplexity"].value == pytest.approx(4**4)
    assert scores["bits_per_byte"].value == pytest.approx(1.0)


def test_prediction_goes_on_and_says_how_the_text_was_foreseen(model):
    task = Generation({"text": "text"}, (), {"decoding": {"longest": 3}})
    rows = task.view(table("The dog", "the cat sits"))
    examples = [task.example(rows, index) for index in range(len(rows))]
    predictions = task.predict(model, examples)
    assert [each.details["foreseen"].words for each in predictions] == [2, 3]
    assert set(task.score(predictions, examples).values) == {"perplexity", "word_perplexity", "bits_per_byte"}
    [unknown] = task.predict(model, [examples[0]._replace(target=None)])
    assert (unknown.value, "foreseen" in unknown.details) == (predictions[0].value, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"piece": 0}, "piece 0 must be a whole number"), ({"remember": True}, "is no text to learn; name the column")],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Generation({"text": "text"}, (), options)
