"""The tokenizer gives any text back, keeps its special numbers, and reads the text of every set."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from mm_memgpt.training.tokenizer import SPECIAL, train_on, train_tokenizer
from mm_memgpt.types import InputError

TOKENIZER = train_on(["a brown dog runs", "the dogs run through grass", "zwei Hunde laufen"] * 3, vocab=300)


@settings(max_examples=100, deadline=None)
@given(st.text() | st.text(alphabet="é🙂👩‍🚀e\u0301\n\t \x00'sA.漢"))
def test_any_text_comes_back_unchanged(text):
    numbers = TOKENIZER(text)["input_ids"]
    assert numbers[0] == 0
    assert TOKENIZER.decode(numbers[1:]) == text


def test_special_tokens_have_their_fixed_numbers():
    assert (TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id) == (0, 1, 2)
    assert TOKENIZER.convert_tokens_to_ids(list(SPECIAL)) == list(range(8))
    assert TOKENIZER("a dog</s>")["input_ids"][-1] == 1
    assert TOKENIZER.decode(TOKENIZER("a dog</s>")["input_ids"], skip_special_tokens=True) == "a dog"


def test_what_is_written_often_takes_few_tokens():
    assert len(TOKENIZER("a brown dog")["input_ids"]) < len("a brown dog")
    assert len(TOKENIZER) <= 300


@pytest.fixture
def files(tmp_path):
    """Two sets: captions as lists, with a null among them, and titles; and text of another kind that is not read."""
    captions = [["qqqq qqqq", None], None, ["qqqq"]] * 5
    table = pa.table({"captions": pa.array(captions, pa.list_(pa.string())), "id": ["xxxx"] * 15, "text": range(15)})
    pq.write_table(table, tmp_path / "photos.parquet")
    pq.write_table(pa.table({"title": ["zzzz zzzz", None] * 5}), tmp_path / "articles.parquet")
    return [tmp_path / "photos.parquet", tmp_path / "articles.parquet"]


def test_all_text_columns_of_all_files_are_learned_and_no_other(files, tmp_path):
    tokenizer = train_tokenizer(files, tmp_path / "tokenizer", vocab=280)
    length = {text: len(tokenizer(text)["input_ids"]) - 1 for text in ("qqqq", "zzzz", "xxxx")}
    assert length == {"qqqq": 1, "zzzz": 1, "xxxx": 4}


def test_the_saved_tokenizer_is_the_same_and_training_it_again_too(files, tmp_path):
    tokenizer = train_tokenizer(files, tmp_path / "one", vocab=280)
    saved = PreTrainedTokenizerFast.from_pretrained(tmp_path / "one")
    text = "zzzz qqqq 🙂</s>"
    assert saved(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert saved.decode(saved(text)["input_ids"]) == tokenizer.decode(tokenizer(text)["input_ids"])
    train_tokenizer(files, tmp_path / "two", vocab=280)
    assert (tmp_path / "one/tokenizer.json").read_bytes() == (tmp_path / "two/tokenizer.json").read_bytes()


def test_a_vocabulary_without_room_for_the_bytes_is_refused(files, tmp_path):
    with pytest.raises(InputError, match=r"^vocab 263 is below the 264 bytes and special tokens; try --vocab 8192$"):
        train_tokenizer(files, tmp_path / "tokenizer", vocab=263)
    assert len(train_tokenizer(files, tmp_path / "tokenizer", vocab=264)) == 264


def test_a_file_that_cannot_teach_words_is_named_before_any_training(files, tmp_path):
    def refused(file, message):
        with pytest.raises(InputError, match=f"{file.name}: {message}"):
            train_tokenizer([*files, file], tmp_path / "tokenizer", vocab=280)
        assert not (tmp_path / "tokenizer").exists()

    refused(tmp_path / "none.parquet", "no such file; check the path")
    pq.write_table(pa.table({"id": ["a"], "text": [3]}), tmp_path / "numbers.parquet")
    refused(tmp_path / "numbers.parquet", "none of its columns id, text is text; known: captions, text, title,")
    (tmp_path / "words.txt").write_text("some words")
    refused(tmp_path / "words.txt", "not a Parquet file .*; give files with text columns")
