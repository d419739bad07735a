"""Texts are cut to what fits and can never be more than text."""

import xml.etree.ElementTree as ElementTree

import pytest

from mm_memgpt.explain.svg import Box, breadth, cut, label, label_box, picture, wrapped, written


@pytest.mark.parametrize(
    "text", ["", "short", "a name that is far too long for it", "鍵は台所のドアの後ろに", "x" * 500]
)
def test_what_is_cut_fits(text):
    shown = cut(text, 12, 80)
    assert breadth(shown, 12) <= 80
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))


@pytest.mark.parametrize("text", ["", "two words", "word " * 40, "鍵は台所のドアの後ろに掛かっています", "x" * 10_000])
def test_what_is_wrapped_fits_and_says_where_it_was_cut(text):
    lines = wrapped(text, 12, 80, 3)
    assert len(lines) <= 3
    assert all(breadth(line, 12) <= 80 for line in lines)
    whole = "".join("".join(lines).split()) == "".join(text.split())
    assert whole or lines[-1].endswith("…")


def test_no_text_is_markup_and_what_xml_cannot_hold_is_a_space():
    evil = "</text><script>fail()</script>\x00\x08\ud800 &"
    drawn = picture(Box(0, 0, 10, 20), evil, evil, written(1, 2, evil) + label(3, 4, evil))
    root = ElementTree.fromstring(drawn)
    assert not any(part.tag.endswith("script") for part in root.iter())
    assert sum((part.text or "").startswith("</text><script>fail()</script>") for part in root.iter()) == 4


def test_a_label_is_as_large_as_it_says():
    box, root = label_box(30, 40, "dog 0.41"), ElementTree.fromstring(label(30, 40, "dog 0.41"))
    assert [float(root[0].get(side)) for side in ("x", "y", "width", "height")] == list(box)
