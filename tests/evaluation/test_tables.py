"""Tables line up in every script."""

from hypothesis import given
from hypothesis import strategies as st

from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.tables import as_table, per_class_table, places, shortened

FIGURES = {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 12}


def test_a_metric_is_a_line_with_its_interval():
    assert as_table({"accuracy": Score(0.91, 0.9, 0.92), "matthews_corrcoef": Score(-0.5, -0.75, 0)}).splitlines() == [
        "metric              value  95% interval",
        "accuracy            0.910  0.900 to 0.920",
        "matthews_corrcoef  -0.500  -0.750 to 0.000",
    ]


def test_classes_of_every_script_line_up():
    lines = per_class_table({"pos": FIGURES, "正面的评价": FIGURES, "e\u0301te\u0301": FIGURES}).splitlines()
    assert lines[0] == "label       precision  recall     f1  support"
    assert lines[1] == "pos             0.500   1.000  0.667       12"
    assert len({places(line) for line in lines}) == 1


@given(st.text(), st.integers(2, 30))
def test_a_shortened_name_is_one_line_that_fits(name, longest):
    short = shortened(name, longest)
    assert places(short) <= longest
    assert len(short.splitlines()) <= 1
    assert short.isprintable()


def test_a_name_keeps_both_ends_where_it_is_too_long():
    assert shortened("very good") == "very good"
    assert shortened("\na rather long\tname of class 17 ", 15) == "a rathe…lass 17"
    assert shortened("非常好的评价", 8) == "非常…价"
