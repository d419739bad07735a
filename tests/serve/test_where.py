"""Where the words looked becomes HTML that stands by itself: pictures within, and nothing that could run."""

import re
from base64 import b64decode
from io import BytesIO

import torch
from PIL import Image

from mm_memgpt.explain.evidence import Evidence
from mm_memgpt.explain.overlay import SIDE
from mm_memgpt.pipeline import load
from mm_memgpt.serve.photo import explain
from mm_memgpt.serve.where import where

GREY = Image.new("RGB", (300, 200), (128, 128, 128))


def test_each_content_word_has_a_picture_of_its_own():
    html = where(GREY, Evidence(("A", "dog", "in", "snow."), torch.rand(4, 4, 6)))
    assert re.findall("<figcaption>(.*?)</figcaption>", html) == ["dog", "snow."]
    assert re.findall('alt="(.*?)"', html) == ["where “dog” was seen", "where “snow.” was seen"]
    pictures = [Image.open(BytesIO(b64decode(data))) for data in re.findall('base64,(.*?)"', html)]
    assert [picture.size for picture in pictures] == [(SIDE, round(SIDE * 2 / 3))] * 2
    assert pictures[0].tobytes() != pictures[1].tobytes()
    assert "http" not in html


def test_nothing_from_outside_can_run():
    html = where(GREY, Evidence(('<script>"dog"</script>',), torch.rand(1, 4, 4)))
    assert "<script" not in html
    assert 'alt="where “&lt;script&gt;&quot;dog&quot;' in html


def test_a_caption_without_a_word_says_so():
    assert "no word" in where(GREY, Evidence((), torch.zeros(0, 4, 4)))


def test_a_photo_that_is_gone_is_one_line(tiny_model_folder, tmp_path):
    html = explain(load(tiny_model_folder, "cpu"), str(tmp_path / "gone.jpg"), beams=1)
    assert 'role="alert">photo: no such file' in html
    assert str(tmp_path) not in html
