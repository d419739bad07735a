import json

import pytest

from mm_memgpt.datasets.table import read_table
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.training.rows import RowExamples, split


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"t": "x" * (1 + i * 7 % 30), "l": i % 2}) + "\n" for i in range(50)))
    table = read_table(path)
    task = Classification.learn({"text": "t", "label": "l"}, table)

    def examples(epochs=2.0, seed=1, batch=8):
        return RowExamples(table, range(50), task, epochs, seed, batch, None)

    return examples


def places(examples):
    return [examples[index].place for index in range(len(examples))]


def test_each_epoch_holds_each_row_once_in_an_order_of_its_own(rows):
    seen = places(rows())
    assert len(seen) == 100
    assert len({*seen[:50]}) == len({*seen[50:]}) == 50
    assert seen[:50] != seen[50:]


def test_the_order_is_the_seeds_alone(rows):
    assert places(rows(seed=3)) == places(rows(seed=3)) != places(rows(seed=4))


def test_rows_of_like_length_make_a_batch(rows):
    lengths = [len(rows()[index].inputs.text) for index in range(50)]
    whole = [lengths[begin : begin + 8] for begin in range(0, 48, 8)]
    assert max(max(batch) - min(batch) for batch in whole) <= 5
    firsts = [min(batch) for batch in whole]
    assert firsts != sorted(firsts)


def test_the_spared_rows_are_none_of_the_others():
    train, val = split(33, 0.1, seed=2)
    assert len(val) == 3
    assert sorted(train + val) == list(range(33))
    assert split(2, 0.1, seed=2)[1]
