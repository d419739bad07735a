"""The ledger says where every item lies, however often its slot moved, and costs the same however long it is.

n items   s slots
"""

import time
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_memgpt.memory.fold import NOWHERE
from mm_memgpt.memory.ledger import ROW, Ledger, packed, unpacked

S = 5


def name(number: int) -> str:
    """An id whose bytes end and begin with zeros, which strings of fixed length are prone to lose."""
    return UUID(int=number << 8).hex


def rows(first: int, count: int) -> np.ndarray:
    rows = np.zeros(count, ROW)
    rows["id"] = packed(name(number) for number in range(first, first + count))
    rows["order"] = rows["arrival"] = np.arange(first, first + count)
    rows["start"] = 100 - rows["order"]
    rows["end"] = rows["start"] + 0.5
    rows["source"] = rows["order"] % 2
    return rows


moves = st.lists(st.integers(NOWHERE, S - 1), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.permutations(range(S)), st.integers(0, S - 1), moves), max_size=8))
def test_items_lie_where_all_moves_together_put_them(writes):
    ledger, plain = Ledger(S), []  # plain: the slot of each item, moved one by one
    for turned, merged, news in writes:
        to = [turned[merged] if slot == merged - 1 else turned[slot] for slot in range(S)]
        sizes = np.array([plain.count(slot) for slot in range(S)])
        old = np.where(sizes > 0, to, NOWHERE)
        ledger.append(rows(len(plain), len(news)), np.concatenate((old, news)), sizes)
        plain = [slot if slot == NOWHERE else to[slot] for slot in plain] + news
        assert ledger.slots().tolist() == plain
        assert [ledger.slot_of(name(item)) for item in range(len(plain))] == [
            None if slot == NOWHERE else slot for slot in plain
        ]
    for slot in range(S):
        assert ledger.members(slot) == [name(item) for item, at in enumerate(plain) if at == slot]
    again = Ledger.of(ledger.rows, ledger.slots(), S)
    assert again.slots().tolist() == plain
    gone = np.arange(0, len(plain), 3)
    assert ledger.without(gone).slots().tolist() == np.delete(np.array(plain, int), gone).tolist()


def test_a_slot_spans_what_its_items_span():
    ledger = Ledger(S)
    ledger.append(rows(0, 4), np.array([NOWHERE] * S + [2, 2, 0, 2]), np.zeros(S, int))
    assert ledger.spans([2, 0, 1]) == [
        (3, 97.0, 100.5, None, 3),
        (1, 98.0, 98.5, 0, 2),
        (0, np.inf, -np.inf, None, -1),
    ]


def test_an_unknown_id_is_nowhere_and_a_thing_that_is_no_id_is_refused():
    ledger = Ledger(S)
    assert ledger.slot_of(name(1)) is None
    ledger.append(rows(0, 3), np.array([NOWHERE] * S + [0, 1, NOWHERE]), np.zeros(S, int))
    assert ledger.find([name(2), name(7), name(0)]).tolist() == [2, -1, 0]
    assert unpacked(ledger.rows["id"]) == ledger.ids() == [name(0), name(1), name(2)]
    with pytest.raises(ValueError, match=r"id 'photo.jpg' is not 32 hexadecimal digits; give uuid4"):
        ledger.slot_of("photo.jpg")


def test_a_long_ledger_is_found_in_and_stays_small():
    ledger = Ledger(S)
    for first in range(0, 6000, 60):
        sizes = np.bincount(ledger.slots(), minlength=S)
        old = np.where(sizes > 0, np.arange(S), NOWHERE)
        ledger.append(rows(first, 60), np.concatenate((old, np.arange(60) % S)), sizes)
        assert ledger.slot_of(name(first)) == 0
    assert ledger.find(map(name, range(6000))).tolist() == list(range(6000))
    assert ledger.rows.nbytes == 6000 * 64


@pytest.mark.slow
def test_a_write_costs_the_same_into_a_long_ledger():
    seconds = {}
    for length in (100, 100_000):
        ledger = Ledger(S)
        ledger.append(rows(0, length), np.concatenate(([NOWHERE] * S, np.arange(length) % S)), np.zeros(S, int))
        ledger._reserve(1000)
        one, place, sizes = rows(length, 1), np.array([0, 1, 2, 3, 4, 0]), np.full(S, length // S)
        rounds = []
        for _ in range(5):  # the quickest is the one that nothing else on the machine held up
            start = time.process_time()
            for _ in range(100):
                ledger.append(one, place, sizes)
            rounds.append(time.process_time() - start)
        seconds[length] = min(rounds)
    assert seconds[100_000] < 2 * seconds[100]
