"""The page of texts says what the model says, marks the words it rests on, and nothing that is typed can act.

`python tests/serve/test_text.py FOLDER` takes the picture for the documentation anew, with a model of finetune.
"""

import io
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from mm_memgpt.backbones.build import build as build_backbone
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.serve.demo import build, serving
from mm_memgpt.serve.options import Options
from mm_memgpt.serve.text import LONGEST, _value, describe
from mm_memgpt.task_pipeline import TaskPipeline, load_task
from mm_memgpt.tasks.base import Prediction
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.model import create
from mm_memgpt.tasks.pair import Pair

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "demo-text.png"
FLAGS = ("--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu")
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000
SCRIPT = "<script>document.title = 'mine'</script> a dog <img src=x onerror=\"document.title='mine'\">"


@pytest.fixture(scope="module")
def readers(tiny_model_folder) -> dict[str, TaskPipeline]:
    """Models that have learned nothing: one of a text, one of two texts, one of a photo."""
    labels = ("no", "yes")
    tasks = {
        "one": Classification({"text": "text", "label": "label"}, labels),
        "two": Pair({"text": "text", "text_pair": "pair", "label": "label"}, labels),
        "photo": Classification({"image": "image", "label": "label"}, labels),
    }
    backbone = build_backbone(tiny_model_folder)
    return {name: TaskPipeline(create(backbone, task).eval()) for name, task in tasks.items()}


def said(shown) -> str:
    return shown[1]


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_a_text_gets_its_label_probabilities_and_marked_words(readers, method):
    label, html, photo = describe(readers["one"], {"text": "A brown dog runs ."}, method)
    due = readers["one"].predict("A brown dog runs .")
    assert label["value"] == due.details["probabilities"]
    assert f"<strong>{due.value}</strong>" in html
    assert all(f">{word}</span>" in html for word in ("brown", "dog", "runs"))
    assert not photo["visible"]


def test_both_texts_of_a_pair_are_shown(readers):
    html = said(describe(readers["two"], {"text": "A dog .", "text_pair": "The water ."}, "occlusion"))
    assert html.index("Text:") < html.index("dog") < html.index("With:") < html.index("water")


def test_a_photo_comes_back_with_what_mattered_on_it(readers, tmp_path):
    Image.effect_noise((60, 40), 90).convert("RGB").save(tmp_path / "photo.png")
    file = {"path": str(tmp_path / "photo.png"), "orig_name": "photo.png"}
    label, _, photo = describe(readers["photo"], {"image": file}, "occlusion")
    assert set(label["value"]) == {"no", "yes"}
    assert photo["value"].size == (60, 40)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"text": ""}, "the text is empty; write something"),
        ({"text": " \n\u200b"}, "empty text"),
        ({"text": None}, "the text is missing; give one"),
        ({"text": "a" * 1_000_000}, f"the text has 1,000,000 characters; this page reads at most {LONGEST:,}"),
    ],
)
def test_what_cannot_be_read_is_one_line(readers, given, says):
    label, html, _ = describe(readers["one"], given, "occlusion")
    assert says in html
    assert html.startswith('<p class="mm-problem"')
    assert "\n" not in html.strip()
    assert not label["visible"]


def test_an_unknown_method_is_one_line(readers):
    assert "method &#x27;x&#x27; is unknown" in said(describe(readers["one"], {"text": "A dog"}, "x"))


def test_what_is_typed_is_escaped(readers):
    html = said(describe(readers["one"], {"text": SCRIPT}, "occlusion"))
    assert "<script" not in html
    assert "<img" not in html


def test_entities_and_answers_are_marked_in_their_text():
    entities = ({"kind": "<b>", "characters": [4, 9]},)
    assert _value(Prediction(value=entities), "Ask <Ada> now") == (
        'Ask <mark class="mm-merged">&lt;Ada&gt;</mark> <small>&lt;b&gt;</small> now'
    )
    found = Prediction(value="Ada", details={"start": 4, "end": 7, "no_answer": False})
    assert '<mark class="mm-merged">Ada</mark>' in _value(found, "Ask Ada now")
    assert _value(Prediction(value="", details={"no_answer": True}), "Ask Ada now") == "No answer."


@contextmanager
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    installed = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(model: Pipeline, readers: dict[str, TaskPipeline], **size: int):
    with serving(build(model, Options(readers=readers)), port=0) as address, chromium() as browser:
        page = browser.new_page(viewport=size, color_scheme="light")
        page.goto(address)
        page.get_by_role("tab", name="Text").click()
        yield page


def test_in_a_browser_a_text_is_read_and_another_model_asks_for_two(tiny_model_folder, readers):
    with opened(load(tiny_model_folder, "cpu"), readers, width=1100, height=800) as page:
        page.locator("#text textarea").fill(SCRIPT)
        page.locator("#text-read").click()
        expect(page.locator("#text-result .mm-explained")).to_contain_text("document.title = 'mine'")
        expect(page.locator("#text-label")).to_contain_text("yes")
        assert page.title() != "mine"
        page.locator("#text textarea").fill("  ")
        page.locator("#text-read").click()
        expect(page.locator("#text-result .mm-problem")).to_have_text("the text is empty; write something")
        expect(page.locator("#text-label")).to_have_count(0)
        page.locator("#text-model input").click()
        page.get_by_role("option", name="two").click()
        expect(page.locator("#text-pair textarea")).to_be_visible()


if __name__ == "__main__":
    reading = {"runs/sst2": load_task(sys.argv[1], "cpu")}
    with opened(load("nano", "cpu"), reading, width=1160, height=760) as sheet:
        sheet.locator("#text textarea").fill("An utterly charming cast is wasted on a lazy script that never wakes up.")
        sheet.locator("#text-read").click()
        expect(sheet.locator("#text-result .mm-explained")).to_be_visible()
        time.sleep(1)
        with Image.open(io.BytesIO(sheet.screenshot())) as shot:
            shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
