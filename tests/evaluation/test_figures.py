"""Pictures are drawn whatever the classes are called, without a warning."""

import csv
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from mm_memgpt.evaluation.classification import per_class
from mm_memgpt.evaluation.figures import families, write_confusion, write_per_class

ODD = ["$a_{$b", "正面的评价", "إيجابي", "x" * 90, "two\nlines", "👍", "100%", "", "\ue000"]


def table(labels):
    return per_class(labels, labels[::-1], labels)


def colours(path) -> int:
    with Image.open(path) as picture:
        return len(picture.convert("RGB").getcolors(1 << 24))


@pytest.mark.parametrize("labels", [["one"], ["neg", "pos"], ODD, [f"quite a long class name {i}" for i in range(100)]])
def test_classes_of_any_number_and_name_are_drawn_without_a_warning(tmp_path, labels):
    matrix = np.arange(len(labels) ** 2).reshape(len(labels), len(labels))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = [write_confusion(tmp_path / "new", matrix, labels), *write_per_class(tmp_path / "new", table(labels))]
    assert [path.name for path in paths] == ["confusion_matrix.png", "per_class.png", "per_class.csv"]
    assert min(map(colours, paths[:2])) > 20
    with Image.open(paths[0]) as picture:
        assert max(picture.size) < 4000


def test_past_a_limit_classes_are_numbered(tmp_path):
    labels = [f"class {number}" for number in range(300)]
    write_confusion(tmp_path, np.eye(300, dtype=int), labels)
    with Image.open(tmp_path / "confusion_matrix.png") as picture:
        assert max(picture.size) < 4000


def test_the_file_has_every_class_as_it_is_called(tmp_path):
    _, path = write_per_class(tmp_path, table(ODD))
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ODD
    assert rows[4] == {"label": "two\nlines", "precision": "1.0", "recall": "1.0", "f1": "1.0", "support": "1"}


def test_letters_that_no_font_has_are_told():
    fonts, missing = families("abcж\ue000\ufdd0")
    assert fonts[0] == "DejaVu Sans"
    assert "\ufdd0" in missing
    assert not missing & set("abcж")


def test_a_matrix_of_other_classes_and_no_class_at_all_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a matrix of shape \(2, 2\) for 3 labels: it must be \(3, 3\)"):
        write_confusion(tmp_path, np.eye(2), ["a", "b", "c"])
    with pytest.raises(ValueError, match="no classes to show"):
        write_per_class(tmp_path, {})


def test_without_matplotlib_the_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "mm-memgpt\[plots\]"'):
        write_per_class(tmp_path, table(["a", "b"]))
