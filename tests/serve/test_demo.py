"""The demo is put together from pages, listens where it is told, and reads a photo as the model does."""

import importlib.util
import socket
from pathlib import Path

import pytest
from PIL import Image

from mm_memgpt.pipeline import load
from mm_memgpt.serve import photo
from mm_memgpt.serve.demo import build, free_port
from mm_memgpt.serve.options import Options, packaged_photos
from mm_memgpt.serve.photo import PREVIEW, describe
from mm_memgpt.serve.words import sentence
from mm_memgpt.types import InputError

DEMOS = Path(__file__).parents[2] / "demos"


@pytest.fixture(scope="module")
def model(tiny_model_folder):
    return load(tiny_model_folder, "cpu")


def tabs(blocks) -> list[str]:
    return [each["props"]["label"] for each in blocks.config["components"] if each["type"] == "tabitem"]


def gallery(blocks) -> dict:
    return of_type(blocks, "gallery")[0]


def of_type(blocks, kind: str) -> list[dict]:
    return [each["props"] for each in blocks.config["components"] if each["type"] == kind]


def test_a_photo_is_captioned_whole_and_comes_back_upright_and_small(model, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter to the right
    wide = Image.radial_gradient("L").resize((3 * PREVIEW, PREVIEW))
    wide.save(tmp_path / "turned.png", exif=exif)
    shown, html = describe(model, tmp_path / "turned.png", "turned.png", beams=2)
    assert shown.size == (round(PREVIEW / 3), PREVIEW)
    assert not shown.getexif()
    assert html == sentence(model.caption(tmp_path / "turned.png", beams=2))


def test_a_bad_photo_is_called_by_the_name_its_owner_gave_it(model, tmp_path):
    (tmp_path / "a1b2").write_text("no photo")
    shown, html = describe(model, tmp_path / "a1b2", "my <photo>.jpg", beams=1)
    assert shown is None
    assert "my &lt;photo&gt;.jpg: no photo" in html
    assert str(tmp_path) not in html


def test_one_page_has_no_tab_and_several_have_one_each(model):
    assert tabs(build(model, pages={"Photo": photo.add})) == []
    assert tabs(build(model)) == ["Photo", "Sound", "Clip", "Memory", "Write", "Sum up", "Go on", "Talk"]
    spec = importlib.util.spec_from_file_location("gradio_app", DEMOS / "gradio_app.py")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    assert tabs(demo.app(model)) == ["Photo", "Sound", "Clip", "Memory", "Write", "Sum up", "Go on", "Talk", "Search"]
    rows = demo.captions(model, Image.open(DEMOS / "photos" / "cat.jpg"))
    assert [row[0] for row in rows] == ["1", "2", "4", "8"]
    assert rows[2][1] == model.caption(DEMOS / "photos" / "cat.jpg").text


def test_the_examples_are_the_photos_that_came_with_the_package(model):
    photos = packaged_photos()
    assert photos == sorted((DEMOS / "photos").glob("*.jpg"))
    shown = gallery(build(model, Options(examples=photos)))
    assert [each["caption"] for each in shown["value"]] == [path.stem for path in photos]
    assert shown["visible"]


def test_without_examples_none_are_offered(model):
    blocks = build(model)
    assert not gallery(blocks)["visible"]
    assert "Pick an example" not in str(blocks.config)


def test_an_example_that_is_no_photo_is_refused_at_the_start(model, tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(InputError, match=r"a\.jpg: empty"):
        build(model, Options(examples=[tmp_path / "a.jpg"]))


def test_a_model_hears_where_it_has_ears_and_says_where_it_has_none(model, tiny_model_folder):
    assert len(of_type(build(model), "audio")) == 1
    deaf = load(tiny_model_folder, "cpu")
    deaf.model.audio_encoder = None
    blocks = build(deaf)
    assert of_type(blocks, "audio") == []
    assert len(of_type(blocks, "video")) == 1
    [line] = [each["value"] for each in of_type(blocks, "html") if each["elem_id"] == "sound-result"]
    assert "This model has no ears; take one that hears" in line
    assert any("pictures alone" in each["value"] for each in of_type(blocks, "markdown"))


def test_a_port_is_kept_if_it_is_free_and_0_becomes_one():
    port = free_port("127.0.0.1", 0)
    assert port > 0
    assert free_port("127.0.0.1", port) == port


def test_a_port_that_is_taken_and_a_host_that_is_not_here_are_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"^port {port} is taken; .* --port 0 for any free one$"):
            free_port("127.0.0.1", port)
    for host in ("192.0.2.1", "no host", "x" * 70):  # TEST-NET-1 (RFC 5737) is nobody's
        with pytest.raises(InputError, match=rf"^host {host}: no address of this machine .* try --host 127\.0\.0\.1$"):
            free_port(host, 7860)
