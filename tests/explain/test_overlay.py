"""A strip shows the photo and, a word at a time, where its evidence lies: bright there, dim elsewhere."""

import numpy as np
import pytest
import torch
from PIL import Image

from mm_memgpt.explain.evidence import Evidence
from mm_memgpt.explain.overlay import HEAT, LINE, MARGIN, SIDE, heat, overlay, overlays, shown, side_by_side, strip

GREY = Image.new("RGB", (300, 200), (128, 128, 128))


def evidence(*words: str) -> Evidence:
    return Evidence(words, torch.rand(len(words), 4, 6))


def test_content_words_are_shown_or_all_where_there_is_none():
    assert shown(evidence("A", "dog", "in", "snow.")) == [1, 3]
    assert shown(evidence("in", "the")) == [0, 1]


def test_heat_is_largest_where_the_strongest_cell_is_and_clear_where_evidence_is_against():
    grid = np.full((4, 6), -3.0)
    grid[3, 1] = 2.0
    drawn = heat(grid, (60, 40))
    assert drawn.shape == (40, 60)
    row, column = np.unravel_index(drawn.argmax(), drawn.shape)
    assert (row // 10, column // 10) == (3, 1)
    assert drawn.max() > 0.9
    assert drawn[:15].max() == 0
    assert heat(-grid.clip(0), (60, 40)).max() == 0


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, 2.5])
def test_where_no_cell_stands_out_the_photo_is_dim(value):
    pixels = np.asarray(overlay(GREY, np.full((4, 6), value))).astype(int)
    assert len(np.unique(pixels)) == 1
    assert pixels[0, 0, 0] < 128 / 1.5


def test_the_strongest_cell_is_tinted_and_every_overlay_has_the_photos_size():
    found = evidence("A", "dog")
    [(picture, word)] = overlays(GREY, found)
    assert word == "dog"
    assert picture.size == (SIDE, round(SIDE * 2 / 3))
    row, column = divmod(int(found.evidence[1].argmax()), 6)
    red, _, blue = picture.getpixel((round((column + 0.5) * SIDE / 6), round((row + 0.5) * picture.height / 4)))
    assert red - blue > (HEAT[0] - HEAT[2]) / 4


def test_a_strip_holds_the_photo_and_a_picture_a_content_word():
    drawn = strip(GREY, evidence("A", "dog", "in", "snow."))
    assert drawn.mode == "RGB"
    assert drawn.width == 3 * (SIDE + 2 * MARGIN)
    assert drawn.height == round(SIDE * 2 / 3) + 2 * LINE + 2 * MARGIN
    assert drawn.getpixel((MARGIN + 5, LINE + MARGIN + 5)) == (128, 128, 128)
    under = np.asarray(drawn)[LINE + MARGIN + round(SIDE * 2 / 3) + 1 :]
    assert (under.min(axis=(0, 2))[SIDE:] < 128).any()


def test_a_long_word_under_a_narrow_photo_is_not_cut():
    narrow = (Image.new("RGB", (4, 90)), "x" * 40)
    assert side_by_side([narrow], "").width > 40 * 5
    assert side_by_side([narrow], "a long sentence " * 40).width > side_by_side([narrow], "").width
