"""A CSV or TSV gives its rows in any language and form; one broken line costs its own row and says which it is."""

import csv
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_memgpt.datasets.table import read_table
from mm_memgpt.types import InputError

SPOKEN = ["很好看", "فيلم رائع", "👩🏽‍🚀 🎬", "Cafe\u0301", "नमस्ते", "ça va"]
"""Chinese, Arabic right to left, joined emoji, a combining mark, Hindi, and a letter that Latin-1 has too."""


@pytest.fixture
def write(tmp_path):
    """`write("a.csv", b"...")`: the path of a file with these contents."""

    def written(name: str, content: bytes | str):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def refusal(path, **options) -> str:
    """What is wrong with a file, without the folder it lies in."""
    with pytest.raises(InputError) as caught:
        read_table(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path.parent}/")


def told(table) -> list:
    """The values of each row, or what is wrong with it."""
    rows = []
    for index in range(len(table)):
        try:
            rows.append(list(table[index].values()))
        except InputError as error:
            rows.append(str(error).removeprefix(f"{table.folder}/"))
    assert not any("\n" in row for row in rows if isinstance(row, str))
    return rows


def lines_of(table) -> list[int]:
    return [int(table.place(index).rpartition(":")[2]) for index in range(len(table))]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_rows_come_in_every_language_with_any_line_break_and_without_the_last(write, ending, last):
    content = "text,label" + "".join(f"{ending}{text},{n}" for n, text in enumerate(SPOKEN)) + ending * last
    table = read_table(write("a.csv", content))
    assert (table.columns, len(table)) == (("text", "label"), 6)
    assert told(table) == [[text, str(n)] for n, text in enumerate(SPOKEN)]
    assert lines_of(table) == [2, 3, 4, 5, 6, 7]
    assert table[-1] == {"text": "ça va", "label": "5"}
    with pytest.raises(IndexError):
        table[6]


@given(st.lists(st.tuples(*[st.text(st.sampled_from('ab",\n\r\t é好😀'), max_size=6)] * 3), min_size=1, max_size=5))
def test_whatever_csv_writes_is_read_back(tmp_path_factory, rows):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("one", "two", "three"), *rows])
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_bytes(file.getvalue().encode())
    assert told(read_table(path)) == [list(row) for row in rows]


@given(st.text(st.sampled_from('ab"",,\n '), min_size=1, max_size=14))
def test_what_the_csv_module_reads_strictly_is_read_the_same(tmp_path_factory, body):
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_text(f"one,two\n.,.\n{body}\n", newline="")
    try:
        with open(path, newline="") as file:
            due = [cells for cells in csv.reader(file, strict=True) if len(cells) == 2][1:]
    except csv.Error:
        return  # where csv gives up, this goes on
    assert [row for row in told(read_table(path)) if isinstance(row, list)] == due


def test_a_quoted_cell_may_hold_commas_quotes_and_line_breaks(write):
    table = read_table(write("a.csv", 'id,text\n1,"a, ""b""\r\nc"\n\n2,5" disk\n'))
    assert told(table) == [["1", 'a, "b"\r\nc'], ["2", '5" disk']]
    assert lines_of(table) == [2, 5]


def test_in_a_tsv_a_quote_is_a_character(write):
    table = read_table(write("a.tsv", 'sentence\tlabel\n"never closed\t1\nsay "no", twice\t0\r\na\tb\tc\n'))
    assert told(table)[:2] == [['"never closed', "1"], ['say "no", twice', "0"]]
    way_out = "take out the tabs inside its cells, or add those that lack"
    assert told(table)[2] == f"a.tsv:4: has 3 cells, the header has 2 (sentence, label); {way_out}"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_are_understood(write, encoding):
    spoken = [*SPOKEN, "ਇਕ ਊ Ċ", 'a "quoted"\nଊ']  # UTF-16 spells some of these with a line break's byte
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("text", "label"), *((text, "x") for text in spoken)])
    table = read_table(write("a.csv", file.getvalue().encode(encoding)))
    assert table.columns == ("text", "label")
    assert told(table) == [[text, "x"] for text in spoken]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-be", "gb18030", "shift_jis"])
def test_an_encoding_may_be_named(write, encoding):
    text = "好,天\n" if encoding in ("gb18030", "shift_jis") else "ça,là\n"
    table = read_table(write("a.csv", f"text,label\n{text}".encode(encoding)), encoding=encoding)
    assert [",".join(row.values()) + "\n" for row in table] == [text]


def test_mixed_encodings_cost_the_rows_that_are_not_utf_8(write):
    table = read_table(write("a.csv", "id,text\n1,café\n".encode() + b"2,caf\xe9\n3,tea\n4,a\0b\n"))
    first, second, third, fourth = told(table)
    assert (first, third) == (["1", "café"], ["3", "tea"])
    assert second == "a.csv:3: not UTF-8 (byte 0xe9); save the file as UTF-8, or give encoding: latin-1"
    nul = "holds binary data (a NUL), not text; save it as UTF-8 text, or give its encoding: utf-16"
    assert fourth == f"a.csv:5: {nul}"
    assert told(read_table(table.path, encoding="latin-1"))[1] == ["2", "café"]


def test_rows_with_other_cells_than_the_header_are_broken_alone(write):
    rows = told(read_table(write("a.csv", 'id,text\n1\n2,b,c\n3,"d" e\n4,f\n')))
    header = "the header has 2 (id, text); put quotes around cells that hold commas"
    assert rows[:2] == [f"a.csv:2: has 1 cells, {header}", f"a.csv:3: has 3 cells, {header}"]
    assert rows[2].startswith("a.csv:4: not CSV (',' expected after '\"'); put quotes around cells")
    assert rows[3] == ["4", "f"]
    old = "a.csv:1: a carriage return outside quotes; save the file with line feeds"
    assert refusal(write("a.csv", "id,text\r1,a\r")) == old


@pytest.mark.parametrize("rest", ["3,c\n4,d\n", '3,"c, d"\n4,d\n', '3,"c"\n4,d\n'])
def test_an_unclosed_quote_costs_its_own_row(write, rest):
    rows = told(read_table(write("a.csv", f'id,text\n1,a\n2,"b\n{rest}')))
    way_out = "close it, and double the quotes inside a cell"
    assert rows[1] == f"a.csv:3: a quote opens here and is not closed; {way_out}"
    assert [row[0] for row in (rows[0], *rows[2:])] == ["1", "3", "4"]


@pytest.mark.parametrize(
    ("name", "before", "size"),
    [
        ("a.csv", b"", 10**9),
        ("a.csv", b'"', 2 * 10**8),
        ("a.tsv", b"", 2 * 10**8),
        ("a.jsonl", b"", 2 * 10**8),
        ("a.conll", b"", 2 * 10**8),
    ],
)
def test_an_endless_line_costs_its_own_row_and_little_memory(tmp_path, name, before, size):
    heads = {"a.csv": b"id,text\n", "a.tsv": b"id\ttext\n"}
    row = {"a.csv": b"1,a\n", "a.tsv": b"1\ta\n", "a.jsonl": b'{"id": 1}\n', "a.conll": b"a\tO\n\n"}[name]
    with open(tmp_path / name, "wb") as file:
        file.write(heads.get(name, b"") + row + before)
        file.seek(size, io.SEEK_CUR)  # a hole: zeros that take no room
        file.write(b"\n\n" + row)
    tracemalloc.start()
    table = read_table(tmp_path / name)
    rows = told(table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6
    way_out = "put line breaks between its rows, or leave it out"
    assert (rows[0], len(rows)) == (rows[2], 3)
    assert rows[1] == f"{table.place(1).removeprefix(f'{tmp_path}/')}: longer than 8 MB; {way_out}"


def test_a_cell_longer_than_the_csv_modules_limit_is_read(write):
    text = "word " * 100_000
    assert read_table(write("a.csv", f'id,text\n1,"{text}"\n'))[0]["text"] == text


def test_a_file_that_changes_is_not_read_on(write):
    table = read_table(write("a.csv", "id,text\n1,a\n"))
    write("a.csv", "id,text\n0,b\n1,a\n")
    with pytest.raises(InputError, match=r"a\.csv: has changed since it was opened; read the table again"):
        table[0]


def test_files_without_rows_say_so(write, tmp_path):
    assert refusal(tmp_path / "gone.csv") == "gone.csv: no such file or folder; check the path"
    assert refusal(write("a.csv", "")) == "a.csv: empty (0 bytes); copy or download it again"
    assert refusal(write("a.csv", "\n \n")) == "a.csv: holds no line of text; leave it out"
    assert refusal(write("a.csv", "id,text\n")) == "a.csv: holds a header and no row; add rows, or leave it out"


def test_headers_that_cannot_be_used_say_why(write):
    assert refusal(write("a.csv", "id,text,id\n1,a,2\n")) == "a.csv: column 'id' is in the header twice; rename one"
    parted = "if ';' parts the cells, save it as .csv with commas, or as .tsv with tabs"
    assert refusal(write("a.csv", "id;text\n1;a\n")) == f"a.csv: its header is one column, 'id;text'; {parted}"
    assert refusal(write("a.csv", b"PK\x03\x04\x00\x08\n1\n")).startswith(
        "a.csv:1: holds binary data (a NUL), not text"
    )
    assert refusal(write("a.csv", b"\x89PNG\n1\n")).startswith("a.csv:1: not UTF-8 (byte 0x89); ")


def test_an_encoding_that_is_none_is_refused(write):
    path = write("a.csv", "id,text\n1,a\n")
    for wrong in ("latin-l", "rot13"):
        assert refusal(path, encoding=wrong).startswith(f"a.csv: no encoding '{wrong}'; give one that Python knows")
    assert refusal(path, encoding="cp037").startswith("a.csv: encoding cp037 has line breaks of its own; ")
