"""Forms of a verb are one to what compares words, and each is looked for."""

from mm_memgpt.explain.content import stem
from mm_memgpt.recollection.forms import base, with_forms


def test_forms_of_a_verb_are_one():
    assert base(stem("bought")) == base(stem("buying")) == stem("buy")
    assert base(stem("went")) == base(stem("gone")) == base(stem("goes"))
    assert base(stem("harbour")) == stem("harbour")


def test_other_forms_stand_behind_a_text_each_once():
    assert with_forms("Did she buy, or sell?") == "Did she buy, or sell? bought sold"
    assert with_forms("Who bought it, who buys it?").split("? ")[1] == "buy"
    assert with_forms("The harbour.") == "The harbour."
