"""Plain text comes as sentences, in constant memory, and what is no text is refused before the first."""

import tracemalloc

import pytest

from mm_memgpt.datasets.document import BLOCK, LONGEST, placed, sentences, split
from mm_memgpt.types import InputError


def read(path) -> list[str]:
    return [sentence.text for sentence in sentences(path)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Mr. Smith paid 3.50 euros, e.g. for tea. He left.", ["Mr. Smith paid 3.50 euros, e.g. for tea.", "He left."]),
        ("buy milk\nfeed the cat\n", ["buy milk", "feed the cat"]),
        (
            "a line that is wrapped because the page was so narrow\nends here\n\nand another",
            ["a line that is wrapped because the page was so narrow ends here", "and another"],
        ),
        ('"Really?" he asked. ---\n***\n', ['"Really?"', "he asked."]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text, found):
    assert split(text) == found


def test_a_file_gives_what_its_text_gives_wherever_blocks_end(tmp_path):
    text = "".join(f"This is sentence {number}, caf\u00e9 and all.\r\n" for number in range(5000))
    assert len(text) > 2 * BLOCK
    (tmp_path / "long.txt").write_bytes(text.encode())
    assert read(tmp_path / "long.txt") == split(text.replace("\r\n", "\n"))
    (tmp_path / "wide.txt").write_bytes(text.encode("utf-16"))
    assert read(tmp_path / "wide.txt") == read(tmp_path / "long.txt")


def test_a_sentence_without_end_is_cut(tmp_path):
    (tmp_path / "endless.txt").write_text("x" * 3 * LONGEST + " word" * 300)
    pieces = read(tmp_path / "endless.txt")
    assert all(len(piece) <= LONGEST for piece in pieces)
    assert "".join(pieces).replace(" ", "") == "x" * 3 * LONGEST + "word" * 300


def test_a_long_file_is_a_stream(tmp_path):
    (tmp_path / "long.txt").write_text("The fox jumps over the dog and goes home.\n" * 200_000)
    tracemalloc.start()
    count = sum(1 for _ in sentences(tmp_path / "long.txt"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 4_000_000


def test_what_is_read_rises_to_all_of_it(tmp_path):
    (tmp_path / "long.txt").write_text("The fox jumps over the dog.\n" * 10_000)
    done = [sentence.done for sentence in sentences(tmp_path / "long.txt")]
    assert done == sorted(done)
    assert done[-1] == 1.0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"caf\xe9 au lait", "not text in UTF-8 (about byte 3: invalid continuation byte); save it as UTF-8"),
        (b"good line\n" * 9000 + b"\xff", "not text in UTF-8 (about byte 90000: invalid start byte); save it as UTF-8"),
        (b"a\0b", "holds binary data, not text; name a plain text file"),
        (b"", "empty (0 bytes); copy or download it again"),
    ],
)
def test_what_is_no_text_is_refused_before_the_first_sentence(tmp_path, content, says):
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(InputError) as caught:
        sentences(tmp_path / "bad.txt")
    assert str(caught.value) == f"{tmp_path / 'bad.txt'}: {says}"


def test_a_sentence_knows_where_it_stands(tmp_path):
    text = '\n\nMr. A  went home.\r\nHe was "tired."\n- a thing\n' + "One more  sentence, caf\u00e9 and all.\n" * 4000
    (tmp_path / "long.txt").write_bytes(text.encode())
    plain = text.replace("\r\n", "\n")
    found = list(sentences(tmp_path / "long.txt"))
    assert [(each.line, each.start) for each in found[:3]] == [(3, 2), (4, 20), (5, 36)]
    for each in found:
        assert " ".join(plain[each.start : each.end].split()) == each.text
        assert each.line == 1 + plain.count("\n", 0, each.start)
    assert [each._replace(done=0) for each in placed(plain)] == [each._replace(done=0) for each in found]
