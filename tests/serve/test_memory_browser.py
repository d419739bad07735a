"""The memory page in a real browser: give, see what was kept, ask, follow a word, forget, read the receipt.

Notable: nano answers, so that a note is really quoted; each visitor is a browser window of their own. `python
tests/serve/test_memory_browser.py` takes the picture for the documentation anew, by the same code.
"""

import io
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import Browser, Error, Locator, Page, expect, sync_playwright

from mm_memgpt.pipeline import load
from mm_memgpt.recollection.results import Source
from mm_memgpt.serve import memory
from mm_memgpt.serve.demo import build, serving
from mm_memgpt.serve.memory_answer import player
from mm_memgpt.serve.memory_events import FIRST
from mm_memgpt.serve.memory_visitors import Given
from mm_memgpt.serve.options import Options

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "demos" / "photos"
IMAGES = ROOT / "docs" / "images"
FLAGS = ("--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu")
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000
"""Milliseconds that the page may take to show what is expected, on a machine that has other work too."""
SIZE = {"width": 1160, "height": 900}
NOTE = "The key to the shed hangs behind the kitchen door. Tea is at four."
HEARD = ("noise.wav",) * 4
"""Three seconds, and a last piece that they fill in part."""
QUESTION = "Where is the key to the shed?"
KIND = "What is the jacket in the photo a kind of?"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or else Playwright's own."""
    expect.set_options(timeout=PATIENCE)
    installed = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=installed, args=FLAGS)
        except Error as error:
            if installed is not None:
                raise
            pytest.fail(f"no Chromium ({str(error).splitlines()[0]}); playwright install chromium", pytrace=False)
        yield browser
        browser.close()


@contextmanager
def served() -> Iterator[str]:
    """The memory page alone."""
    with serving(build(load("nano", "cpu"), Options(), {"Memory": memory.add}), port=0) as address:
        yield address


@pytest.fixture(scope="module")
def uploads(tmp_path_factory) -> Iterator[Path]:
    """Where the demo keeps what it is given; when it has ended, nothing may be left."""
    folder = tmp_path_factory.mktemp("uploads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(environ, "GRADIO_TEMP_DIR", str(folder))
        yield folder
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.fixture(scope="module")
def address(uploads) -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextmanager
def visitor(browser: Browser, address: str) -> Iterator[Page]:
    """Somebody at the page. When they leave, every request must have gone to it, and no script have failed."""
    requests, failures = [], []
    with browser.new_context(color_scheme="light", viewport=SIZE) as window:
        page = window.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(address)
        expect(page.locator("#memory-timeline")).to_have_text("Nothing is kept yet.")
        yield page
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
    assert failures == []


@pytest.fixture
def page(browser, address) -> Iterator[Page]:
    with visitor(browser, address) as page:
        yield page


def noise(folder: Path) -> Path:
    """Three seconds of noise."""
    soundfile.write(folder / "noise.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 48_000), 16_000)
    return folder / "noise.wav"


def give(page: Page, *paths: Path) -> None:
    page.locator("#memory-files input[type=file]").set_input_files(paths)


def write(page: Page, note: str) -> None:
    page.locator("#memory-note textarea").fill(note)
    page.locator("#memory-note").get_by_role("button", name="Keep").click()


def tell(page: Page, head: str, relation: str, tail: str) -> None:
    """Types a fact; the page's own limit is lifted, as somebody may who means no good."""
    for part, text in (("head", head), ("relation", relation), ("tail", tail)):
        box = page.locator(f"#memory-{part}").get_by_role("textbox")
        box.evaluate("box => box.removeAttribute('maxlength')")
        box.fill(text)
    page.locator("#memory-tell").click()


def ask(page: Page, question: str) -> None:
    box = page.locator("#memory-question").get_by_role("textbox")
    box.fill(question)
    box.press("Enter")


def forget(page: Page, name: str) -> None:
    page.locator("#memory-source input").click()
    page.get_by_role("option", name=name).click()
    page.locator("#memory-forget").click()


def kept(page: Page, *names: str) -> None:
    """Waits until the cards of the timeline are of these sources."""
    expect(page.locator(".mm-moment .mm-name")).to_have_text(list(names))


def test_what_is_given_is_kept_asked_followed_and_forgotten_with_a_receipt(page, uploads, tmp_path, capfd):
    give(page, PHOTOS / "cat.jpg", noise(tmp_path))
    kept(page, "cat.jpg", *HEARD)
    expect(page.locator("#memory-told")).to_contain_text("cat.jpg: 1 item kept")
    assert page.locator(".mm-moment img").evaluate("picture => picture.naturalWidth") > 0
    write(page, NOTE)
    kept(page, "cat.jpg", *HEARD, "note 1", "note 1")
    expect(page.locator("#memory-note textarea")).to_have_value("")

    ask(page, QUESTION)
    quote = page.locator("#memory-answer .mm-source blockquote").first
    expect(quote).to_have_text("The key to the shed hangs behind the kitchen door.")
    word = page.locator("#memory-answer a.mm-word[href]").first
    word.click()
    expect(page.locator(".mm-source:target .mm-name")).to_have_text("note 1")

    forget(page, "note 1")
    expect(page.locator(".mm-receipt .mm-now")).to_have_text("Forgotten: note 1")
    passed = page.locator(".mm-receipt tbody td:nth-child(2)").all_inner_texts()
    assert passed
    assert set(passed) == {"yes"}
    kept(page, "cat.jpg", *HEARD)
    expect(page.locator("#memory-answer")).to_have_text(text_of(FIRST))
    assert b"kitchen door" not in b"".join(path.read_bytes() for path in uploads.rglob("*") if path.is_file())
    assert "Traceback" not in capfd.readouterr().err


def test_an_answer_is_drawn_with_what_it_rests_on_and_what_is_forgotten_is_in_no_graph(page, tmp_path):
    give(page, PHOTOS / "photographer.jpg", noise(tmp_path))
    kept(page, "photographer.jpg", *HEARD)
    write(page, "<b>Tea</b> is at four.")
    kept(page, "photographer.jpg", *HEARD, "note 1")
    tell(page, "jacket", "hypernym", "coat")
    kept(page, "photographer.jpg", *HEARD, "note 1", "fact 1")
    expect(page.locator("#memory-tail").get_by_role("textbox")).to_have_value("")

    ask(page, KIND)
    expect(page.locator("#memory-answer .mm-source blockquote").first).to_have_text("jacket is a kind of coat")
    graph = page.locator("#memory-answer svg.mm-graph")
    fact, photo, note = (graph.locator(f".mm-node[aria-label^={kind}]") for kind in ("fact", "photo", "note"))
    expect(fact).to_contain_text("jacket↓ is a kind ofcoat")
    assert photo.locator("image").evaluate("picture => picture.getBoundingClientRect().width") > 0
    expect(note).to_contain_text("<b>Tea</b> is at four.")
    assert graph.locator(".mm-wave").count() >= 1
    figures = graph.locator(".mm-for .mm-label, .mm-against .mm-label").all_text_contents()
    assert len(figures) == graph.locator(".mm-node").count() - 1
    assert all(re.fullmatch(r"[+\u2212][0-9.]+", figure) for figure in figures)
    shared = graph.locator(".mm-tie title").filter(has_text="jacket ").first
    assert re.search(r"jacket [0-9.]+", shared.evaluate("title => title.textContent"))

    whole = fact.locator(".mm-whole")
    expect(whole).to_be_hidden()
    fact.focus()
    expect(whole).to_be_visible()
    expect(whole).to_contain_text("jacket is a kind of coat")
    page.keyboard.press("Shift+Tab")
    expect(whole).to_be_hidden()
    photo.locator("image").hover()
    expect(photo.locator(".mm-whole")).to_contain_text("photo photographer.jpg")

    forget(page, "fact 1")
    expect(page.locator(".mm-receipt .mm-now")).to_have_text("Forgotten: fact 1")
    expect(graph).to_have_count(0)
    ask(page, "Where is the man?")
    expect(page.locator("#memory-answer .mm-result")).to_be_visible()
    expect(page.locator("#memory-answer")).not_to_contain_text("coat")


def test_a_fact_that_is_none_is_one_line_and_a_file_of_facts_keeps_its_good_lines(page, tmp_path, capfd):
    told = page.locator("#memory-told .mm-problem")
    tell(page, " ", "is a", "dog")
    expect(told).to_have_text("the fact has no head; fill in all three, such as: Rex, is a, dog")
    tell(page, "Rex", "is a", "d" * 10_000)
    expect(told).to_have_text("the tail has 10,000 letters, more than 200; write it as a note")
    expect(page.locator("#memory-head").get_by_role("textbox")).to_have_value("Rex")
    (tmp_path / "facts.tsv").write_text("Rex\tis a\tdog\nbroken\n" + "dog\t\tcanine\n" * 9)
    give(page, tmp_path / "facts.tsv")
    kept(page, "facts.tsv")
    lines = told.all_inner_texts()
    assert len(lines) == 6
    assert lines[0].startswith("facts.tsv:2")
    assert lines[-1] == "5 more like these were left out"
    forget(page, "facts.tsv")
    expect(page.locator("#memory-timeline")).to_have_text("Nothing is kept yet.")
    assert "Traceback" not in capfd.readouterr().err


def text_of(html: str) -> str:
    return html.split(">", 1)[1].rsplit("<", 1)[0]


def test_two_visitors_do_not_see_each_others_things_and_who_leaves_leaves_nothing(page, browser, address, uploads):
    give(page, PHOTOS / "coffee.jpg")
    kept(page, "coffee.jpg")
    with visitor(browser, address) as other:
        write(other, NOTE)
        kept(other, "note 1", "note 1")
        ask(other, QUESTION)
        expect(other.locator("#memory-answer blockquote").first).to_contain_text("kitchen door")
        assert folders(uploads) == 2
    ask(page, QUESTION)
    expect(page.locator("#memory-answer .mm-result")).to_be_visible()
    expect(page.locator("#memory-answer")).not_to_contain_text("kitchen")
    kept(page, "coffee.jpg")
    for _ in range(50):
        if folders(uploads) == 1:
            break
        time.sleep(0.2)
    assert folders(uploads) == 1


def folders(uploads: Path) -> int:
    return len(list(uploads.glob("visitor-*")))


def test_what_cannot_be_used_is_one_line_and_the_rest_is_kept(page, tmp_path, capfd):
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "cut.wav").write_bytes(noise(tmp_path).read_bytes()[:30])
    (tmp_path / "empty.txt").touch()
    ask(page, QUESTION)
    expect(page.locator("#memory-answer .mm-problem")).to_contain_text("nothing was kept yet; give a photo")
    give(page, tmp_path / "text.jpg", tmp_path / "cut.wav", tmp_path / "empty.txt", PHOTOS / "cat.jpg")
    kept(page, "cat.jpg")
    lines = page.locator("#memory-told .mm-problem").all_inner_texts()
    assert [line.split(":")[0] for line in lines] == ["text.jpg", "cut.wav", "empty.txt"]
    assert not any("\n" in line or str(tmp_path) in line for line in lines)
    page.locator("#memory-forget").click()
    expect(page.locator("#memory-receipt .mm-problem")).to_have_text(
        "nothing is chosen; choose what is to be forgotten"
    )
    ask(page, " ")
    expect(page.locator("#memory-answer .mm-problem")).to_contain_text("nothing is asked")
    assert "Traceback" not in capfd.readouterr().err


def test_a_player_fetches_the_visitors_own_copy_and_stands_at_the_second(page, uploads, tmp_path):
    give(page, noise(tmp_path))
    kept(page, *HEARD)
    [copy] = uploads.glob("visitor-*/*.wav")
    piece = Source(path="noise.wav", modality="audio", start=5.0, end=6.0, text="", evidence=1.0)
    html = player(Given(copy, "sound", at=4.0), piece)
    page.locator("#memory-answer").evaluate("(place, html) => { place.innerHTML = html }", html)
    heard = page.locator("#memory-answer audio")
    page.wait_for_function("player => player.readyState > 0", arg=heard.element_handle(), timeout=PATIENCE)
    assert heard.evaluate("player => [player.currentTime, player.duration]") == pytest.approx([1.0, 3.0], abs=0.1)


def take(shown: Page | Locator, path: Path) -> None:
    """Saves what the page, or a part of it, shows, in 256 colours."""
    time.sleep(0.5)  # the page's own transitions
    with Image.open(io.BytesIO(shown.screenshot())) as shot:
        colours = shot.convert("RGB")
        colours.quantize(palette=colours.quantize(256), dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    with served() as place, chromium() as window, TemporaryDirectory() as folder, visitor(window, place) as sheet:
        give(sheet, PHOTOS / "cat.jpg", PHOTOS / "pagoda.jpg", PHOTOS / "photographer.jpg", noise(Path(folder)))
        expect(sheet.locator(".mm-moment")).to_have_count(3 + len(HEARD))
        write(sheet, NOTE)
        expect(sheet.locator(".mm-moment")).to_have_count(5 + len(HEARD))
        tell(sheet, "jacket", "hypernym", "coat")
        expect(sheet.locator(".mm-moment")).to_have_count(6 + len(HEARD))
        ask(sheet, KIND)
        expect(sheet.locator("#memory-answer blockquote").first).to_have_text("jacket is a kind of coat")
        take(sheet.locator("svg.mm-graph"), IMAGES / "demo-graph.png")
        forget(sheet, "noise.wav")
        expect(sheet.locator(".mm-receipt")).to_be_visible()
        ask(sheet, QUESTION)
        expect(sheet.locator("#memory-answer blockquote").first).to_contain_text("kitchen door")
        sheet.set_viewport_size({"width": 1160, "height": 1760})
        sheet.evaluate("scrollTo(0, 0)")
        take(sheet, IMAGES / "demo-memory.png")
