"""Texts become documents, and documents pieces of whole sentences."""

import json

import pytest

from mm_memgpt.training.corpus import Corpus, Document, cut, read_documents
from mm_memgpt.types import InputError


def unwanted(error: InputError) -> None:
    raise AssertionError(error)


def document(*sentences: str) -> Document:
    return Document("here", sentences)


def test_a_piece_is_as_many_whole_sentences_as_fit_and_no_sentence_is_lost():
    corpus = cut([document("aaaa", "bbb", "c" * 30, "dd"), document("ee", "ff", "gg", "hh")], characters=9)
    assert [(piece.document, piece.sentences) for piece in corpus] == [
        (0, ("aaaa", "bbb")),
        (0, ("c" * 30,)),
        (0, ("dd",)),
        (1, ("ee", "ff", "gg")),
        (1, ("hh",)),
    ]


def test_parted_pieces_are_all_of_them_once():
    corpus = Corpus([document(*"abcdefg")], [(0, n, n + 1) for n in range(7)])
    rest, spared = corpus.parted(3)
    assert [piece.text for piece in spared] == ["a", "d", "g"]
    assert [piece.text for piece in rest] == ["b", "c", "e", "f"]


def test_every_kind_of_file_is_read_as_documents(tmp_path):
    (tmp_path / "a.csv").write_text('text,x\n"One. Two three.",1\n"他来了。我走了。",2\n', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": ["Hello there.", "Who is it?"]}) + "\n")
    (tmp_path / "c.txt").write_text("A whole book.\n\nIt has two parts.\n")
    files = [str(tmp_path / name) for name in ("a.csv", "b.jsonl", "*.txt")]
    assert [found.sentences for found in read_documents(files, "text", unwanted)] == [
        ("One.", "Two three."),
        ("他来了。", "我走了。"),
        ("Hello there.", "Who is it?"),
        ("A whole book.", "It has two parts."),
    ]


def test_a_row_without_text_is_skipped_and_named(tmp_path):
    (tmp_path / "a.csv").write_text("text,x\nOne two.,1\n  ,2\n")
    skipped: list[InputError] = []
    [found] = read_documents([str(tmp_path / "a.csv")], "text", skipped.append)
    assert found == Document(f"{tmp_path / 'a.csv'}:2", ("One two.",))
    assert str(skipped[0]).startswith(f"{tmp_path / 'a.csv'}:3: empty text in text")


def test_files_without_any_text_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,x\n ,1\n")
    with pytest.raises(InputError, match=r"a.csv: no text to learn from; name other files, or another column by text"):
        read_documents([str(tmp_path / "a.csv")], "text", lambda error: None)
