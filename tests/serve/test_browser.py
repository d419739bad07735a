"""The demo in a real browser: what people see is what the model says, and every request stays on this machine.

Notable: one headless Chromium and one server with nano serve the tests, and beside it one with a tiny model that has
ears, for sounds and clips; each test has a page of its own. `python tests/serve/test_browser.py` takes the pictures for
the documentation anew, by the same code.
"""

import io
import json
import shutil
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from math import exp
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

import av
import numpy as np
import pytest
import soundfile
from PIL import Image, ImageOps
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from mm_memgpt.explain.overlay import shown
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.serve.demo import PAGES, TITLE, build, serving
from mm_memgpt.serve.options import Options
from mm_memgpt.serve.words import begun, percent, sureness
from mm_memgpt.types import Caption, MemoryState

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "demos" / "photos"
PICTURE = ROOT / "docs" / "images" / "demo.png"
CLIP = PICTURE.with_name("demo-clip.png")
FLAGS = ("--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu")
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 30_000
"""Milliseconds that the page may take to show what is expected, on a machine that has other work too."""
BEAMS = 2
SIZE = {"width": 1200, "height": 700}
HINT = "Pick an example, or give a photo of your own."


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
def served(model: Pipeline) -> Iterator[str]:
    with serving(build(model, Options(beams=BEAMS, examples=sorted(PHOTOS.glob("*.jpg")))), port=0) as address:
        yield address


@pytest.fixture(scope="module")
def model() -> Pipeline:
    return load("nano", "cpu")


@pytest.fixture(scope="module")
def uploads(tmp_path_factory) -> Iterator[None]:
    """Where the demos keep what they are given. When they have ended, only the pictures of the examples may be left."""
    folder = tmp_path_factory.mktemp("uploads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(environ, "GRADIO_TEMP_DIR", str(folder))
        yield
    left = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert left == ["image.webp"] * len([*PHOTOS.glob("*.jpg")])


@pytest.fixture(scope="module")
def address(model, uploads) -> Iterator[str]:
    with served(model) as address:
        yield address


@pytest.fixture(scope="module")
def ears(tiny_model_folder) -> Pipeline:
    """A model that hears; it writes nonsense."""
    return load(tiny_model_folder, "cpu")


@pytest.fixture(scope="module")
def hearing(ears, uploads) -> Iterator[str]:
    with served(ears) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def window(browser) -> Iterator[BrowserContext]:
    """One window for all tests, so that the page's scripts are fetched once."""
    with browser.new_context(color_scheme="light") as window:
        yield window


@pytest.fixture
def page(window, address) -> Iterator[Page]:
    with watched_page(window, address) as page:
        yield page


@pytest.fixture
def listening(window, hearing) -> Iterator[Page]:
    with watched_page(window, hearing) as page:
        yield page


@contextmanager
def watched_page(window: BrowserContext, address: str) -> Iterator[Page]:
    """The demo, opened. When the test is done, every request must have gone to it, and no script have failed."""
    requests, failures = [], []
    page = window.new_page()
    page.set_viewport_size(SIZE)
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield opened(page, address)
    page.close()
    assert len(requests) > 10
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
    assert failures == []


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator("#result")).to_contain_text(HINT)
    return page


def give(page: Page, photo: Path) -> None:
    page.set_input_files("input[type=file]", photo)


def pick(page: Page, name: str) -> None:
    page.locator("#examples").get_by_text(name, exact=True).click()


def sentence_of(page: Page) -> str:
    """The sentence as one reads it, without the figures behind its words."""
    return " ".join(page.locator(".mm-word").evaluate_all("words => words.map(word => word.firstChild.data)"))


def expect_caption(page: Page, caption: Caption) -> None:
    """Waits until the page shows the caption, each word with its own figure."""
    figures = [f"“{word}” {percent(exp(logprob))}, log-probability {logprob:.2f}" for word, logprob in caption.words]
    expect(page.locator(".mm-figure")).to_have_text([unescape(figure) for figure in figures])
    assert sentence_of(page) == caption.text


def painted(page: Page, index: int, what: str) -> tuple[float, ...]:
    """A colour of a word as the browser paints it: canvas turns any notation into bytes."""
    script = """(word, what) => {
        const brush = new OffscreenCanvas(1, 1).getContext("2d");
        brush.fillStyle = getComputedStyle(word)[what];
        brush.fillRect(0, 0, 1, 1);
        return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
    }"""
    return tuple(page.locator(".mm-word").nth(index).evaluate(script, what))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Contrast ratio of two colours (WCAG 2.2, definitions of relative luminance and contrast ratio)."""

    def luminance(colour: tuple[float, ...]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_an_uploaded_photo_gets_the_models_caption_confidence_and_figures(page, model):
    caption = model.caption(PHOTOS / "cat.jpg", BEAMS)
    give(page, PHOTOS / "cat.jpg")
    expect_caption(page, caption)
    assert page.title() == TITLE
    assert page.inner_text(".mm-confidence strong") == f"Confidence {percent(caption.confidence)}"
    assert "were good ones" in page.inner_text(".mm-confidence")  # nano is calibrated


def test_a_words_figure_shows_under_the_mouse_and_under_the_keyboard(page):
    pick(page, "cat")
    words, figures = page.locator(".mm-word"), page.locator(".mm-figure")
    for index, show in enumerate((words.nth(0).hover, words.nth(1).focus)):
        expect(figures.nth(index)).to_be_hidden()
        show()
        expect(figures.nth(index)).to_be_visible()
        page.mouse.move(0, 0)


def test_in_light_and_in_dark_words_are_legible_and_the_surer_the_bluer(page, model, address, tmp_path):
    caption = model.caption(PHOTOS / "flower.jpg", BEAMS)
    order = np.argsort([sureness(logprob) for _, logprob in caption.words])
    levels = {}
    for scheme in ("light", "dark"):
        opened(page, f"{address}?__theme={scheme}")
        pick(page, "flower")
        expect_caption(page, caption)
        colours = [painted(page, index, "backgroundColor") for index in range(len(caption.words))]
        blue_over_red = [colours[index][2] - colours[index][0] for index in order]
        assert blue_over_red == sorted(blue_over_red)
        assert blue_over_red[-1] - blue_over_red[0] > 50
        for index, colour in enumerate(colours):
            assert contrast(painted(page, index, "color"), colour) >= 4.5, (scheme, caption.words[index])
        page.screenshot(path=tmp_path / "page.png")
        with Image.open(tmp_path / "page.png") as picture:
            assert (picture.format, picture.size) == ("PNG", tuple(SIZE.values()))
            levels[scheme] = np.asarray(picture.convert("L"))
    assert np.median(levels["dark"]) < 64 < 192 < np.median(levels["light"])
    assert all(len(np.unique(grey)) > 100 for grey in levels.values())


def test_a_narrow_page_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 375, "height": 700})
    pick(page, "cat")
    expect(page.locator(".mm-sentence")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.locator(".mm-sentence").bounding_box()["width"] > 250


def test_an_example_may_be_picked_again_and_a_photo_taken_away(page, model):
    for name in ("rocket", "pagoda", "rocket"):
        pick(page, name)
        expect_caption(page, model.caption(PHOTOS / f"{name}.jpg", BEAMS))
    page.get_by_label("Remove Image").click()
    expect(page.locator("#result")).to_have_text(HINT)


def test_where_each_word_looked_is_shown_when_asked_for_and_goes_with_its_photo(page, model):
    pictures, button = page.locator(".mm-where img"), page.locator("#look")
    button.click()
    expect(page.locator("#where")).to_have_text(HINT)
    pick(page, "cat")
    expect_caption(page, model.caption(PHOTOS / "cat.jpg", BEAMS))
    expect(page.locator("#where")).to_be_empty()
    button.click()
    found = model.explain(PHOTOS / "cat.jpg", beams=BEAMS)
    expect(page.locator(".mm-where figcaption")).to_have_text([found.words[place] for place in shown(found)])
    assert all(pictures.evaluate_all("all => all.map(each => each.complete && each.naturalWidth > 100)"))
    page.get_by_label("Remove Image").click()
    expect(pictures).to_have_count(0)


def test_a_photo_no_browser_shows_is_shown_upright(page, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter to the right
    with Image.open(PHOTOS / "cat.jpg") as photo:
        photo.resize((90, 60)).save(tmp_path / "turned.tif", exif=exif)
    give(page, tmp_path / "turned.tif")
    expect(page.locator(".mm-sentence")).to_be_visible()
    shown = page.locator("[data-testid=image] img")
    expect(shown).to_be_visible()
    assert shown.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [60, 90]


def spoilt(folder: Path) -> dict[str, Path]:
    """Files that are no photo, by what the page must say about each."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", b""), (b"IEND", b""))
    ]
    files = {
        "no photo, or its beginning is broken": ("text.jpg", b"Dear reader, this is no photo.\n" * 9),
        "cannot be read to its end": ("cut.jpg", (PHOTOS / "cat.jpg").read_bytes()[:-900]),
        "20,000 x 20,000 = 400,000,000 pixels, more than": ("huge.png", b"\x89PNG\r\n\x1a\n" + b"".join(chunks)),
        "${1+1}{{value}}.jpg: no photo": ("<img src=x onerror=fail()>${1+1}{{value}}.jpg", b"markup"),
    }
    for name, content in files.values():
        (folder / name).write_bytes(content)
    return {says: folder / name for says, (name, _) in files.items()}


def test_what_cannot_be_used_is_one_line_and_the_next_photo_is_captioned(page, tmp_path, capfd):
    for says, path in spoilt(tmp_path).items():
        give(page, path)
        expect(page.locator(".mm-problem")).to_contain_text(says)
        line = page.inner_text("#result").strip()
        assert line.startswith(f"{path.name}: ")
        assert "\n" not in line
        expect(page.locator("[data-testid=image] img")).to_have_count(0)
    give(page, PHOTOS / "cat.jpg")
    expect(page.locator(".mm-sentence")).to_be_visible()
    assert "Traceback" not in capfd.readouterr().err


def test_a_file_too_large_to_upload_is_refused_and_the_last_caption_goes(page, tmp_path):
    pick(page, "cat")
    expect(page.locator(".mm-sentence")).to_be_visible()
    with open(tmp_path / "large.jpg", "wb") as file:
        file.truncate(256 * 2**20 + 1)
    give(page, tmp_path / "large.jpg")
    expect(page.get_by_text('exceed the maximum allowed size of 256.0 Mb: "large.jpg"')).to_be_visible()
    expect(page.locator("#result")).to_have_text(HINT)


def test_two_pages_at_once_do_not_mix(page, window, address, model):
    other = opened(window.new_page(), address)
    pages = {"astronaut": page, "flower": other, "coffee": page, "rocket": other}
    for name, each in pages.items():  # the second photo comes while the first is being captioned
        give(each, PHOTOS / f"{name}.jpg")
    for name in ("coffee", "rocket"):
        expect_caption(pages[name], model.caption(PHOTOS / f"{name}.jpg", BEAMS))
    other.close()


def give_on(page: Page, tab: str, path: Path) -> None:
    page.get_by_role("tab", name=tab).click()
    page.locator(f"#{tab.lower()} input[type=file]").set_input_files(path)


def expect_sentence(page: Page, tab: str, caption: Caption, given: int = 0) -> None:
    """Waits until a tab shows the caption; its first `given` words are those that it was asked with."""
    words = page.locator(f"#{tab.lower()}-result .mm-word")
    figures = [f"“{word}” {percent(exp(logprob))}, log-probability {logprob:.2f}" for word, logprob in caption.words]
    expect(words.locator(".mm-figure")).to_have_text([unescape(figure) for figure in figures[given:]])


def test_an_uploaded_sound_can_be_played_and_is_told_piece_by_piece(listening, ears, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000)
    soundfile.write(tmp_path / "noise.wav", noise, 16_000)
    give_on(listening, "Sound", tmp_path / "noise.wav")
    expect_sentence(listening, "Sound", ears.caption(tmp_path / "noise.wav", BEAMS))
    rows = listening.locator("#pieces tbody tr")
    expect(rows.locator("td:first-child")).to_have_text(["0:00.0 to 0:01.0", "0:01.0 to 0:02.0", "0:02.0 to 0:02.0"])
    expect(listening.locator("#sound audio")).to_have_count(1)
    listening.get_by_label("Clear").locator("visible=true").click()
    expect(listening.locator("#sound-result")).to_have_text("Give a sound of your own.")
    expect(rows).to_have_count(0)


def test_an_uploaded_clip_can_be_played_and_shows_what_was_kept_and_answers(listening, ears, film, tmp_path):
    clip = film(tmp_path / "clip.mp4", shades=(40, 120, 200))
    give_on(listening, "Clip", clip)
    expect_sentence(listening, "Clip", ears.caption(clip, BEAMS))
    expect(listening.locator("#clip-result")).to_contain_text("3 frames kept; 4 pieces of sound heard.")
    due = [
        glimpse
        for glimpse in ears.watch(clip, beams=1)
        if glimpse.state.modality[0, glimpse.state.arrival.argmax()] == 0
    ]
    captions = listening.locator("#frames .caption-label")
    expect(captions).to_have_text([f"0:0{round(glimpse.start)}.0 {glimpse.caption.text}" for glimpse in due])
    frames = listening.locator("#frames .grid-container img")
    assert frames.evaluate_all("all => all.map(each => [each.naturalWidth, each.naturalHeight])") == [[64, 48]] * 3
    expect(listening.locator("#clip video")).to_have_count(1)
    box = listening.get_by_placeholder("What is heard?").locator("visible=true")
    box.fill("A dog")
    box.press("Enter")
    asked = ears.decode(ears.fuse(remembered(ears, clip)), "A dog", BEAMS)
    expect_sentence(listening, "Clip", asked, begun(asked, "A dog"))


def remembered(model: Pipeline, clip: Path) -> MemoryState:
    *_, last = model.watch(clip, beams=1)
    return last.state


def test_a_broken_sound_or_clip_is_one_line_and_the_next_is_read(listening, film, tmp_path, capfd):
    whole = film(tmp_path / "whole.mp4", shades=(40, 120, 200))
    mute = film(tmp_path / "mute.mp4", shades=(40,), sound=False)
    content = {"text.wav": b"Dear reader, this is no sound.\n" * 9, "empty.wav": b"", "text.mp4": b"no film" * 99}
    content["cut.mp4"] = whole.read_bytes()[:-2000]
    for name, written in content.items():
        (tmp_path / name).write_bytes(written)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    for tab, name, says, words in (
        ("Sound", "text.wav", "no sound, or its beginning is broken", False),
        ("Sound", "empty.wav", "empty (0 bytes)", False),
        ("Sound", "silent.wav", "silent from beginning to end", False),
        ("Clip", "text.mp4", "no clip, or one that is broken", False),
        ("Clip", "cut.mp4", "cut short", True),  # what came before is told
    ):
        give_on(listening, tab, tmp_path / name)
        line = listening.locator(f"#{tab.lower()}-result .mm-problem")
        expect(line).to_contain_text(f"{name}: ")
        expect(line).to_contain_text(says)
        assert (listening.locator(f"#{tab.lower()}-result .mm-sentence").count() > 0) == words
    give_on(listening, "Sound", mute)  # Gradio says so itself
    expect(listening.get_by_text("Invalid file type")).to_be_visible()
    listening.get_by_role("tab", name="Clip").click()
    listening.locator("#clip").get_by_label("Clear").click()
    expect(listening.locator("#clip-result")).to_have_text("Give a clip of your own.")
    expect(listening.locator("#frames img")).to_have_count(0)
    give_on(listening, "Clip", mute)
    expect(listening.locator("#clip-result")).to_contain_text("1 frame kept; the clip has no sound.")
    assert "Traceback" not in capfd.readouterr().err


def test_without_ears_the_page_of_sounds_says_so_and_clips_are_pictures(page, model, film, tmp_path):
    page.get_by_role("tab", name="Sound").click()
    if model.model.audio_encoder is None:
        expect(page.locator("#sound-result")).to_contain_text("This model has no ears; take one that hears")
        expect(page.locator("#sound")).to_have_count(0)
    else:
        expect(page.locator("#sound-result")).to_have_text("Give a sound of your own.")
    clip = film(tmp_path / "clip.mp4", shades=(40, 200))
    give_on(page, "Clip", clip)
    expect_sentence(page, "Clip", model.caption(clip, BEAMS))
    unheard = "its sound was not heard" if model.model.audio_encoder is None else "pieces of sound heard"
    expect(page.locator("#clip-result")).to_contain_text("2 frames kept; ")
    expect(page.locator("#clip-result")).to_contain_text(unheard)


def test_nothing_is_read_that_was_not_uploaded(hearing, tmp_path):
    photo = shutil.copy(PHOTOS / "cat.jpg", tmp_path)
    file = {"path": str(photo), "orig_name": "cat.jpg", "meta": {"_type": "gradio.FileData"}}
    events = json.load(urlopen(f"{hearing}config"))["dependencies"]
    given = [each for each in events if each["backend_fn"] and "upload" in [on for _, on in each["targets"]]]
    assert len(given) == len(PAGES) - 1  # the one that writes takes no file
    for number, event in enumerate(given):
        data = [file, *[""] * (len(event["inputs"]) - 1)]
        call = json.dumps({"data": data, "fn_index": event["id"], "session_hash": f"mine{number}"}).encode()
        urlopen(Request(f"{hearing}gradio_api/queue/join", call, {"Content-Type": "application/json"})).close()
        with urlopen(f"{hearing}gradio_api/queue/data?session_hash=mine{number}", timeout=20) as told:
            done = next(line for line in told if b"process_completed" in line).decode()
        assert '"success":false' in done.replace(" ", "")
        assert "mm-sentence" not in done


def slides(path: Path) -> Path:
    """A clip of photos that come with the package, two seconds each, in a coding that every browser plays."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libvpx", rate=5)
        pictures.width, pictures.height, pictures.pix_fmt = 640, 480, "yuv420p"
        for name in ("photographer", "pagoda", "astronaut", "cat"):
            photo = ImageOps.pad(Image.open(PHOTOS / f"{name}.jpg").convert("RGB"), (640, 480))
            for _ in range(10):
                container.mux(pictures.encode(av.VideoFrame.from_image(photo)))
        container.mux(pictures.encode(None))
    return path


def take(page: Page, path: Path, dither: Image.Dither) -> None:
    """Saves what the page shows, in 256 colours."""
    time.sleep(0.5)  # the page's own transitions
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        colours = shot.convert("RGB")
        colours.quantize(palette=colours.quantize(256), dither=dither).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    with served(load("nano", "cpu")) as place, chromium() as window, TemporaryDirectory() as folder:
        sheet = opened(window.new_page(viewport={"width": 1160, "height": 830}, color_scheme="light"), place)
        pick(sheet, "photographer")
        expect(sheet.locator("#result .mm-sentence")).to_be_visible()
        sheet.evaluate("scrollTo(0, 0)")
        sheet.locator("#result .mm-word").nth(4).hover()
        take(sheet, PICTURE, Image.Dither.FLOYDSTEINBERG)
        give_on(sheet, "Clip", slides(Path(folder) / "slides.webm"))
        expect(sheet.locator("#frames .caption-label")).to_have_count(4)
        sheet.set_viewport_size({"width": 1060, "height": 940})
        take(sheet, CLIP, Image.Dither.NONE)  # half the size
