"""The page on which texts are written: sources are shown where they stand, words come as they are written, and stop.

`python tests/serve/test_writing.py FOLDER` takes the picture for the documentation anew, with a model of summarization.
"""

import io
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.serve.chat import Talker, replies
from mm_memgpt.serve.demo import build, serving
from mm_memgpt.serve.options import Options
from mm_memgpt.serve.writing import ARTICLE, continued, side_by_side, summary_html
from mm_memgpt.task_pipeline import TaskPipeline, load_task
from mm_memgpt.tasks.summary import Source, Summary, SummarySentence
from mm_memgpt.tasks.translation import Translation
from mm_memgpt.tasks.writing_model import WritingModel, read_writer
from mm_memgpt.types import InputError

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "demo-write.png"
FLAGS = ("--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu")
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000
SCRIPT = "<script>document.title = 'mine'</script> A dog runs . <img src=x onerror=\"document.title='mine'\">"


@pytest.fixture(scope="module")
def writer(tiny_model_folder) -> WritingModel:
    return read_writer(tiny_model_folder, "cpu")


@pytest.fixture(scope="module")
def translator(writer) -> TaskPipeline:
    task = Translation({}, (), {"pairs": ["en-de", "en-fr"], "decoding": {"longest": 4}})
    return TaskPipeline(WritingModel(writer.model, writer.tokenizer, task).eval())


def test_a_summary_points_to_where_its_sentences_stand_and_nothing_typed_acts():
    text = "First <b>. Second & last."
    begin = text.index("Second")
    source = Source(text="Second & last.", number=2, start=begin, end=len(text), line=1)
    sentence = SummarySentence(text="Second & last.", sources=(source,))
    html = summary_html(text, Summary(sentences=(sentence,), of_sentences=2, of_words=4))
    assert '<a href="#summary-1">from sentence 2, line 1</a>' in html
    assert 'First &lt;b&gt;. <mark class="mm-merged" id="summary-1">Second &amp; last.</mark>' in html
    assert "1 of 2 sentences" in html


def test_what_is_written_grows_word_by_word(writer):
    found = list(continued(writer, "A dog", 30, 1.5))
    assert all(after.startswith(before) for before, after in pairwise(found))
    assert len(found) > 1


def test_a_beginning_without_room_is_refused(writer):
    with pytest.raises(InputError, match="is too long for the 64 the model can hold"):
        list(continued(writer, "dog " * 200, 6, 0.0))


def test_each_sentence_stands_beside_its_translation(translator):
    *_, html = side_by_side(translator, SCRIPT + " A man climbs.", "fr")
    assert html.count("<tr>") == 3 + html.count("<th>fr</th>") - 1
    assert "<script" not in html
    assert "<img" not in html
    [said] = side_by_side(translator, "  \n", "fr")
    assert "the text is empty; write something" in said


def test_a_conversation_quotes_what_was_said_and_goes_with_its_visitor(tiny_model_folder, tmp_path):
    talker = Talker(load(tiny_model_folder, "cpu"), None, tmp_path)
    said = [*replies(talker.conversation, "The spare key lies under the blue pot.")]
    said += [*replies(talker.conversation, "Where is the spare key?"), *replies(talker.conversation, "Who is Ada?")]
    assert said[0] == "Noted."
    assert said[1].startswith("\u201cThe spare key lies under the blue pot.\u201d")
    assert said[2] == "Nothing I remember says that."
    assert [*replies(talker.conversation, "  ")] == ["nothing is said; write a sentence or a question"]
    talker.leave()
    assert [*tmp_path.iterdir()] == []


def test_a_model_of_dialogue_writes_the_other_turns(tiny_model_folder, writer, tmp_path):
    talker = Talker(load(tiny_model_folder, "cpu"), writer, tmp_path)
    found = [*replies(talker.conversation, "The water is cold.")]
    assert all(after.startswith(before) for before, after in pairwise(found))
    talker.leave()


@contextmanager
def opened(model: Pipeline, readers: Mapping[str, TaskPipeline], **size: int) -> Iterator[Page]:
    expect.set_options(timeout=PATIENCE)
    installed = next(filter(None, map(shutil.which, NAMES)), None)
    with serving(build(model, Options(readers=readers)), port=0) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=FLAGS)
        page = browser.new_page(viewport=size, color_scheme="light")
        page.goto(address)
        page.get_by_role("tab", name="Write").click()
        yield page
        browser.close()


def test_in_a_browser_a_text_is_summed_up_gone_on_with_and_translated(tiny_model_folder, translator):
    with opened(load(tiny_model_folder, "cpu"), {"runs/t": translator}, width=1100, height=800) as page:
        page.locator("#summary-text textarea").fill(f"{SCRIPT} A man climbs a rock. Two children play in the water.")
        page.locator("#summary-count input[type=number]").fill("1")
        page.locator("#summary-run").click()
        expect(page.locator("#summary-result li")).to_have_count(1)
        assert page.title() != "mine"
        page.locator("#summary-text textarea").fill("  ")
        page.locator("#summary-run").click()
        expect(page.locator("#summary-result .mm-problem")).to_have_text("the text is empty; paste one")

        page.get_by_role("tab", name="Go on").click()
        page.locator("#write-prompt textarea").fill("A dog")
        page.locator("#write-run").click()
        expect(page.locator("#write-result textarea")).not_to_have_value("")

        page.get_by_role("tab", name="Talk").click()
        for said in (f"The spare key lies under the blue pot. {SCRIPT}", "Where is the spare key?"):
            page.locator("#chat-said textarea").fill(said)
            page.locator("#chat-said button").click()
            expect(page.locator("#chat-said textarea")).to_have_value("")
        expect(page.locator("#chat-shown")).to_contain_text("Noted.")
        expect(page.locator("#chat-shown")).to_contain_text("\u201cThe spare key lies under the blue pot.\u201d")
        assert page.title() != "mine"

        page.get_by_role("tab", name="Translate").click()
        page.locator("#translate-run").click()
        expect(page.locator("#translate-result tr")).to_have_count(2)


if __name__ == "__main__":
    with opened(load("nano", "cpu"), {sys.argv[1]: load_task(sys.argv[1], "cpu")}, width=1160, height=900) as sheet:
        sheet.locator("#summary-text textarea").fill(ARTICLE)
        sheet.locator("#summary-run").click()
        expect(sheet.locator("#summary-result li")).to_have_count(3)
        time.sleep(1)
        with Image.open(io.BytesIO(sheet.screenshot())) as shot:
            shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
