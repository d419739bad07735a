"""Each sentence of a CoNLL file is a row of words and tags, and a word without its tag is named by its line."""

import pytest

from mm_memgpt.datasets.table import read_table
from mm_memgpt.types import InputError


def table_of(tmp_path, content: str, name: str = "a.conll"):
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    return read_table(tmp_path / name)


@pytest.mark.parametrize("space", ["\t", " ", "  "])
@pytest.mark.parametrize("name", ["a.conll", "a.bio", "a.iob"])
def test_a_sentence_is_a_row(tmp_path, space, name):
    lines = ["-DOCSTART- -X- O", "", "北京 NN B-LOC", "是 VC O", "", " ", "# NN O", "👩🏽‍🚀 NN B-PER"]
    table = table_of(tmp_path, "\r\n".join(lines).replace("NN", "_NN_").replace(" ", space), name)
    assert list(table) == [
        {"tokens": ["北京", "是"], "tags": ["B-LOC", "O"]},
        {"tokens": ["#", "👩🏽‍🚀"], "tags": ["O", "B-PER"]},
    ]
    assert [table.place(index) for index in range(2)] == [f"{tmp_path}/{name}:3", f"{tmp_path}/{name}:7"]


def test_a_word_may_be_a_space_of_another_kind(tmp_path):
    assert table_of(tmp_path, "\u3000\tO\na b\tB-X\n")[0]["tokens"] == ["\u3000", "a b"]


def test_a_missing_tag_costs_its_own_sentence(tmp_path):
    table = table_of(tmp_path, "a\tO\nb\tO\n\nc\tO\nd\n\ne\t\n\nf\tO\n")
    assert [table[index]["tokens"] for index in (0, 3)] == [["a", "b"], ["f"]]
    with pytest.raises(InputError, match=r"a\.conll:5: has 1 columns, the file's first has 2; give each word its tag"):
        table[1]
    with pytest.raises(InputError, match=r"a\.conll:7: an empty tag; write it, or leave the line out"):
        table[2]


def test_a_file_without_tags_is_refused(tmp_path):
    way_out = "one column, no tag; write a word and its tag, with a tab between them"
    with pytest.raises(InputError, match=rf"a\.conll:2: {way_out}"):
        table_of(tmp_path, "\none\ntwo\n")


def test_a_picture_is_no_conll_file(tmp_path):
    (tmp_path / "a.conll").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"a\.conll:1: not UTF-8 \(byte 0x89\)"):
        read_table(tmp_path / "a.conll")
