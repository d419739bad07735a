"""Whatever an item leaves in a file is found there, at any offset, by fingerprints that say nothing of it.

p tokens per item   d width   k key width
"""

import io
import json

import numpy as np
import pytest

from mm_memgpt.memory import traces as module
from mm_memgpt.memory.item import Item
from mm_memgpt.memory.traces import Traces, contents
from mm_memgpt.types import Fact

P, D, K = 3, 8, 20


def changed(item: Item, **fields) -> Item:
    return Item(**{**vars(item), **fields})


def counts(traces: Traces, *files: bytes) -> dict[str, int]:
    return {kind: len(prints) for kind, prints in traces.search(map(io.BytesIO, files)).items()}


@pytest.mark.parametrize("offset", [0, 1, 7, 8, 13])
def test_each_kind_is_found_where_it_is_and_only_there(moments, offset):
    item = moments(2, P, D, K)[1]
    traces, noise = Traces.of([item]), np.random.default_rng(1).bytes(5000)
    assert set(traces.prints) == {"name", "text", "tokens", "key", "preview"}
    assert not any(counts(traces, noise, b"", noise[:3]).values())
    for kind in traces.prints:
        content = b"".join(noise[:offset] + content for of, content in contents(item) if of == kind)
        found = counts(traces, noise, noise[:40] + content + noise)
        assert found == {other: len(traces.prints[kind]) if other == kind else 0 for other in traces.prints}


def test_what_lies_across_two_pieces_of_a_file_is_found(moments, monkeypatch):
    [item] = moments(1, P, D, K)
    traces = Traces.of([item])
    monkeypatch.setattr(module, "READ", 50)
    for start in range(45):
        assert counts(traces, bytes(start) + item.source.encode())["name"] == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("length", [8, 16, 32])
def test_different_windows_have_different_fingerprints_though_numbers_end_in_zeros(dtype, length):
    numbers = np.random.default_rng(2).normal(size=60_000).astype(np.float16).astype(dtype)
    content = numbers.tobytes()
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(content, np.uint8), length)[:: numbers.itemsize]
    prints = module._prints(content, length, key=7)[:: numbers.itemsize]
    assert len(np.unique(prints)) == len(np.unique(windows, axis=0))


def test_bytes_that_are_everywhere_leave_no_trace(moments):
    [item] = moments(1, P, D, K)
    plain = changed(item, source="a.jpg", tokens=np.zeros((P, D), np.float16), text="", preview=b"\0" * 99)
    assert set(Traces.of([plain]).prints) == {"key"}
    assert Traces.of([]).prints == {}


def test_what_others_hold_too_is_told_apart(moments):
    one, other = moments(2, P, D, K)
    twin = changed(one, id=other.id, source="elsewhere")
    traces = Traces.of([one])
    assert {kind for kind, prints in traces.prints.items() if prints & traces.elsewhere([other, twin])} == {
        "tokens",
        "key",
    }
    assert traces.elsewhere([other]) == set()


def test_what_is_shared_is_looked_for_no_further_than_it_is_needed(moments):
    _, one, other = moments(3, P, D, K)
    traces = Traces.of([one])
    looked = iter([changed(other, text=one.text)] * 100)
    shared = traces.elsewhere(looked, {"text": traces.prints["text"], "tokens": frozenset()})
    assert shared == traces.prints["text"]
    assert len(list(looked)) == 100 - module.TOGETHER
    in_other_words = changed(other, fact=Fact(one.text, "is", "said"))
    assert traces.elsewhere([in_other_words], {"text": traces.prints["text"]}) == traces.prints["text"]
    assert traces.elsewhere(iter([one]), {"text": frozenset()}) == set()


def test_written_down_they_hold_nothing_of_the_item_and_find_it_all_the_same(moments):
    item = moments(2, P, D, K)[1]
    traces = Traces.of([item])
    text = json.dumps(traces.to_json())
    again = Traces.from_json(json.loads(text))
    assert again == traces
    whole = b"".join(content for _, content in contents(item))
    assert counts(again, whole) == {kind: len(prints) for kind, prints in traces.prints.items()}
    assert not any(counts(traces, text.encode()).values())
    assert item.source not in text
    assert Traces.of([item]).prints != traces.prints, "each has a key of its own"


def test_of_very_many_items_some_at_even_distances_stand_for_all(moments, monkeypatch):
    monkeypatch.setattr(module, "MOST", 4)
    items = moments(10, P, D, K)
    found = counts(Traces.of(items), *(item.source.encode() for item in items))
    assert found["name"] == 4
