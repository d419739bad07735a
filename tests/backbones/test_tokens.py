import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, ByT5Tokenizer

from mm_memgpt.backbones.tokens import Encoding, Fit, encode, fitted


def encoding(first: int, second: int | None = None) -> Encoding:
    """Tokens by number: 0 begins, 1 ends each text, and the others count from 10 in order."""
    part = [-1, *[0] * first, -1, *([] if second is None else [*[1] * second, -1])]
    ids = [10 + place if each >= 0 else 0 for place, each in enumerate(part)]
    return Encoding(ids, [max(0, each) for each in part], part, [(place, place + 1) for place in range(len(part))])


def test_the_head_is_a_texts_beginning_and_its_end_token():
    [item] = fitted(encoding(20), Fit(longest=8))
    assert item.ids == [0, 11, 12, 13, 14, 15, 16, 0]


def test_the_ends_are_a_quarter_of_the_beginning_and_the_rest_of_the_end():
    [item] = fitted(encoding(20), Fit(longest=10, over="ends"))
    assert item.ids == [0, 11, 12, 25, 26, 27, 28, 29, 30, 0]


def test_windows_share_their_stride():
    items = fitted(encoding(9), Fit(longest=8, over="windows", stride=2))
    assert [item.ids[1:-1] for item in items] == [[11, 12, 13, 14, 15, 16], [15, 16, 17, 18, 19]]


def test_of_a_pair_the_question_stands_in_every_window():
    items = fitted(encoding(2, 9), Fit(longest=10, over="windows"))
    assert [item.part for item in items] == [[-1, 0, 0, -1, *[1] * 5, -1], [-1, 0, 0, -1, *[1] * 4, -1]]


def test_a_question_longer_than_the_room_leaves_half_of_it_to_the_passage():
    [item] = fitted(encoding(30, 30), Fit(longest=16))
    assert (item.part.count(0), item.part.count(1)) == (5, 8)


@settings(max_examples=200, deadline=None)
@given(
    first=st.integers(0, 40),
    second=st.none() | st.integers(0, 40),
    longest=st.integers(8, 30),
    over=st.sampled_from(["head", "ends", "windows"]),
)
def test_what_is_fitted_fits_and_windows_lose_nothing_of_the_last_text(first, second, longest, over):
    whole = encoding(first, second)
    items = fitted(whole, Fit(longest=longest, over=over, stride=longest // 4))
    assert all(len(item.ids) <= max(longest, 3) for item in items)
    assert all(item.offsets == sorted(item.offsets) for item in items)  # in their order
    last = max(whole.part)
    if over == "windows" and last >= 0:
        read = {token for item in items for token, part in zip(item.ids, item.part, strict=True) if part == last}
        assert read == {token for token, part in zip(whole.ids, whole.part, strict=True) if part == last}


def test_offsets_are_the_characters_of_each_text(folder_of):
    tokenizer = AutoTokenizer.from_pretrained(folder_of("bert"))
    text, pair = "The man  runs", "a DOG."
    [found] = encode(tokenizer, [text], [pair])
    spelled = [
        (text, pair)[part][slice(*place)] for part, place in zip(found.part, found.offsets, strict=True) if part >= 0
    ]
    assert spelled == ["The", "man", "runs", "a", "DOG", "."]


def test_a_tokenizer_that_knows_no_characters_reads_the_same_tokens_word_by_word():
    tokenizer = ByT5Tokenizer()
    assert not tokenizer.is_fast
    text, pair = "Ein wörtlich  text", "a dog"
    [found] = encode(tokenizer, [text], [pair])
    assert found.ids == tokenizer(text, pair)["input_ids"]
    words = [
        (text, pair)[part][slice(*place)] for part, place in zip(found.part, found.offsets, strict=True) if part >= 0
    ]
    assert list(dict.fromkeys(words)) == ["Ein", "wörtlich", "text", "a", "dog"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"longest": 4}, "longest 4 must be at least 8"),
        ({"longest": 16, "over": "tail"}, "over 'tail' is unknown; known: head, ends, windows"),
        ({"longest": 16, "stride": 8}, "stride 8 must be at least 0 and below half of longest 16; try stride=4"),
        ({"longest": 16, "windows": 0}, "windows 0 must be at least 1"),
    ],
)
def test_a_fit_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Fit(**settings)
