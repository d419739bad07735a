import json

import numpy as np
import pytest

from mm_memgpt.datasets.table import read_table
from mm_memgpt.objectives.labels import balanced
from mm_memgpt.tasks.labels import learn_labels
from mm_memgpt.types import InputError


@pytest.fixture
def table(tmp_path):
    def rows(*labels):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps({"text": "x", "label": label}) + "\n" for label in labels))
        return read_table(path)

    return rows


def test_labels_are_texts_in_an_order_that_rows_do_not_decide(table):
    assert learn_labels(table(10, 2, 10, 1), "label") == {"1": 1, "2": 1, "10": 2}
    assert list(learn_labels(table(10, 2, 10, 1), "label")) == ["1", "2", "10"]
    assert list(learn_labels(table("b", "é", "a"), "label")) == ["a", "b", "é"]


def test_a_row_without_a_label_is_passed_over(table):
    assert learn_labels(table("a", None, "b", ""), "label") == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "a"], "one class only, 'a' in column 'label'; give rows of at least two"),
        ([None, ""], "no row has a label in column 'label'; fill it in"),
        (list(range(10_001)), "10001 different labels in column 'label', at most 10000 .* regression"),
    ],
)
def test_a_column_that_is_no_class_is_refused(table, labels, message):
    with pytest.raises(InputError, match=message):
        learn_labels(table(*labels), "label")


def test_balanced_weights_are_scikit_learns():
    from sklearn.utils.class_weight import compute_class_weight

    labels = [0, 0, 0, 1, 2, 2]
    assert balanced([3, 1, 2]) == pytest.approx(
        compute_class_weight("balanced", classes=np.unique(labels), y=labels).tolist()
    )
