"""Whatever holds a photo comes out RGB, upright and decoded; whatever does not is refused in one line that says why."""

import io
import os
import struct
import time
import warnings
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mm_memgpt.datasets.photo import FORMATS, MAX_PIXELS, PHOTO_SUFFIXES, as_photo, open_photo, photo_from_array
from mm_memgpt.types import InputError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
WIDTH, HEIGHT = 7, 5


def noise(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def grey(photo: Image.Image) -> list[int]:
    """The values of a photo whose three colours agree, row by row."""
    red, green, blue = np.moveaxis(np.asarray(photo), -1, 0)
    assert (red == green).all()
    assert (green == blue).all()
    return red.ravel().tolist()


def png_of(width: int, height: int, data: bytes) -> bytes:
    """An 8-bit RGB PNG whose header gives this size, whatever the data hold."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def refusal(source: object, name: str | None = None) -> str:
    """The one line in which `as_photo` refuses."""
    with pytest.raises(InputError) as caught:
        as_photo(source, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@contextmanager
def unprivileged():
    """Root reads everything, so tests that run as root step down for a moment."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_path_bytes_and_an_open_file_give_the_same_photo(tmp_path):
    path = tmp_path / "noise.png"
    noise().save(path)
    with path.open("rb") as file:
        photos = [open_photo(path), open_photo(str(path)), open_photo(path.read_bytes()), open_photo(file)]
    assert [photo.tobytes() for photo in photos] == [noise().tobytes()] * 4


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_listed_is_read(form):
    photo = open_photo(encoded(noise(), form))
    assert (photo.mode, photo.size) == ("RGB", (WIDTH, HEIGHT))


def test_the_endings_of_photos_are_lower_case_and_dotted():
    assert {".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif"} <= PHOTO_SUFFIXES
    assert all(ending == f".{ending.strip('.').lower()}" for ending in PHOTO_SUFFIXES)


def test_what_comes_out_is_decoded_and_holds_no_file(tmp_path):
    path = tmp_path / "noise.png"
    noise().save(path)
    photo = open_photo(path)
    path.unlink()
    assert type(photo) is Image.Image
    assert photo.tobytes() == noise().tobytes()


def test_one_pixel_is_a_photo():
    assert open_photo(encoded(Image.new("RGB", (1, 1), GREEN), "PNG")).getpixel((0, 0)) == GREEN


def test_cmyk_becomes_rgb():
    cyan = Image.new("CMYK", (WIDTH, HEIGHT), (255, 0, 0, 0))
    pixel = open_photo(encoded(cyan, "JPEG", quality=100)).getpixel((3, 3))
    assert np.abs(np.subtract(pixel, (0, 255, 255))).max() <= 2


def test_one_bit_and_grey_become_rgb():
    shades = Image.fromarray(np.array([[9, 99, 199]], np.uint8))
    assert grey(open_photo(encoded(shades, "PNG"))) == [9, 99, 199]
    assert grey(open_photo(encoded(shades.point(lambda value: value > 50, "1"), "PNG"))) == [0, 255, 255]


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(form):
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    assert grey(open_photo(encoded(Image.fromarray(values), form))) == [0, 1, 128, 255]


def test_whole_numbers_beyond_sixteen_bits_are_stretched():
    values = np.array([[-1_000_000, 0, 1_000_000]], np.int32)
    assert grey(open_photo(encoded(Image.fromarray(values), "TIFF"))) == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.2, 0.6], [0, 51, 153]),  # lies in 0 to 1, so it is taken as it stands
        ([-2.0, 0.0, 8.0], [0, 51, 255]),  # has a range of its own
        ([7.0, 7.0, 7.0], [0, 0, 0]),
        ([-3e38, 0.0, 3e38], [0, 128, 255]),
    ],
)
def test_a_float_photo_is_scaled(values, expected):
    assert grey(open_photo(encoded(Image.fromarray(np.array([values], np.float32)), "TIFF"))) == expected


def test_nan_in_a_float_photo_is_refused():
    data = encoded(Image.fromarray(np.array([[0.5, np.nan]], np.float32)), "TIFF")
    assert refusal(data, "map.tif") == "map.tif: holds NaN or infinite values; replace them and save it again"


def test_transparency_lies_on_white():
    half = Image.new("RGBA", (WIDTH, HEIGHT), (255, 0, 0, 128))
    half.putpixel((0, 0), (0, 0, 0, 0))
    photo = open_photo(encoded(half, "PNG"))
    assert photo.getpixel((0, 0)) == WHITE
    assert photo.getpixel((1, 0)) == (255, 127, 127)
    shade = Image.new("LA", (WIDTH, HEIGHT), (0, 51))
    assert open_photo(encoded(shade, "PNG")).getpixel((2, 2)) == (204, 204, 204)


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_palette_keeps_its_colours_and_its_transparent_one_is_white(form):
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1, 2])
    photo = open_photo(encoded(image, form, transparency=1))
    assert [photo.getpixel((x, 0)) for x in range(3)] == [RED, WHITE, BLUE]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_shows_its_first_frame(form):
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in (RED, GREEN, BLUE)]
    data = encoded(
        frames[0], form, save_all=True, append_images=frames[1:], **{"lossless": True} if form == "WEBP" else {}
    )
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert open_photo(data).getcolors() == [(WIDTH * HEIGHT, RED)]


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_comes_out_upright(orientation, form):
    upright = np.asarray(noise())
    stored = {  # EXIF 2.32, table 6: where row 0 and column 0 of what is stored lie in the scene
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), form, exif=exif, **options)
    assert np.array_equal(open_photo(data), upright)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_photo_that_was_set_upright_is_not_turned_again(form):
    exif = Image.Exif()
    exif[0x0112] = 6
    once = as_photo(encoded(Image.new("RGB", (9, 6)), form, exif=exif))
    assert once.size == as_photo(once).size == (6, 9)


def test_a_broken_exif_note_does_not_cost_the_photo():
    data = encoded(noise(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff no tags here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, about the note
        assert open_photo(data).size == (WIDTH, HEIGHT)


def test_missing_folder_and_empty_file_are_told_apart(tmp_path):
    empty = tmp_path / "empty.jpg"
    empty.touch()
    assert refusal(tmp_path / "gone.jpg") == f"{tmp_path}/gone.jpg: no such file; check the path"
    assert refusal(tmp_path) == f"{tmp_path}: a folder, not a file; name the files in it"
    assert refusal(empty) == f"{empty}: empty (0 bytes); copy or download it again"
    assert refusal(b"", "row 3") == "row 3: empty (0 bytes); copy or download it again"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg").endswith("a pipe or device, not a file; save what it gives to a file first")


def test_a_file_that_may_not_be_read_says_so(tmp_path):
    path = tmp_path / "secret.png"
    noise().save(path)
    path.chmod(0)
    with unprivileged():
        line = refusal(path)
    assert line == f"{path}: cannot be opened (Permission denied); check the path and who may read it"


@pytest.mark.parametrize(("path", "why"), [("x" * 300, "File name too long"), ("a\0b.jpg", "embedded null byte")])
def test_a_path_that_cannot_be_says_so(path, why):
    assert refusal(path) == f"{path}: cannot be opened ({why}); check the path and who may read it"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_photo_cut_short_is_refused(form):
    data = encoded(noise(70, 50), form)
    line = refusal(data[: len(data) // 2], "half.jpg")
    assert line.startswith("half.jpg: cannot be read to its end (")
    assert line.endswith("); copy or download it again")


def test_text_named_jpg_is_no_photo(tmp_path):
    path = tmp_path / "note.jpg"
    path.write_text("Dear diary,\ntoday I saw a dog.\n")
    known = "JPEG, PNG, GIF, WEBP, BMP, TIFF, AVIF, JPEG2000, PPM, TGA"
    assert refusal(path) == f"{path}: no photo, or its beginning is broken; give one of {known}"


def test_postscript_is_not_run():
    assert "no photo" in refusal(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 7 5\n%%EndComments\nshowpage\n")


@pytest.mark.parametrize("side", [10_001, 12_000, 20_000])
def test_a_huge_photo_is_refused_by_its_header(side, tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(png_of(side, side, b"data that no decoder accepts"))
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line = refusal(path)
    assert time.process_time() - started < 1
    size = f"{side:,} x {side:,} = {side**2:,} pixels"
    assert line == f"{path}: {size}, more than {MAX_PIXELS:,}; make it smaller first"
    assert "cannot be read" in refusal(png_of(WIDTH, HEIGHT, b"data that no decoder accepts"))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "TGA"]), st.data())
def test_a_damaged_file_gives_a_photo_or_one_line(form, data):
    damaged = bytearray(encoded(noise(), form))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about damaged notes
        try:
            outcome = open_photo(bytes(damaged[: data.draw(st.integers(1, len(damaged)))])).mode
        except InputError as error:
            outcome = str(error)
    assert outcome == "RGB" or (outcome.startswith("bytes: ") and "\n" not in outcome)


def test_an_array_of_any_usual_order_and_kind_is_a_photo():
    photo = np.asarray(noise())
    opaque = np.dstack([photo, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    arrays = [
        photo,
        opaque,
        photo.transpose(2, 0, 1),
        photo[:, ::-1][:, ::-1],
        photo / 255,
        torch.from_numpy(photo.copy()).permute(2, 0, 1),
        (torch.from_numpy(photo.copy()).double() / 255).requires_grad_(),
    ]
    assert [as_photo(array).tobytes() for array in arrays] == [noise().tobytes()] * len(arrays)


def test_an_array_of_one_colour_is_grey():
    values = np.arange(WIDTH * HEIGHT, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    for array in (values, values[..., None], values[None]):
        assert photo_from_array(array).size == (WIDTH, HEIGHT)
        assert grey(photo_from_array(array)) == list(range(WIDTH * HEIGHT))


def test_the_opacity_of_an_array_is_laid_on_white():
    assert photo_from_array(np.full((HEIGHT, WIDTH, 4), [0, 0, 255, 0], np.uint8)).getpixel((0, 0)) == WHITE


def test_bfloat16_is_a_float_and_half_a_step_beyond_one_is_rounding():
    assert grey(photo_from_array(torch.full((HEIGHT, WIDTH), 1.0, dtype=torch.bfloat16)))[0] == 255
    assert grey(photo_from_array(np.full((1, 2), 1.001))) == [255, 255]


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (np.full((2, 3), 200.0), "floats from 200 to 200; scale them to lie in 0 to 1, or give uint8"),
        (np.array([[-0.5, 0.25]]), "floats from -0.5 to 0.25; scale them to lie in 0 to 1, or give uint8"),
        (np.array([[np.nan, 0.25]]), "holds NaN or infinite values; replace them"),
        (np.zeros((2, 3), np.int64), "values of type int64; give uint8 from 0 to 255, or floats from 0 to 1"),
        (np.zeros((0, 3), np.uint8), "3 x 0 holds no pixel; give at least 1 x 1"),
        (
            np.zeros((2, 3, 5, 7), np.uint8),
            "shape (2, 3, 5, 7) is no photo; give h x w, h x w x c or c x h x w, with c = 1, 3 or 4",
        ),
        (np.zeros((2, 5, 7)), "shape (2, 5, 7) is no photo; give h x w, h x w x c or c x h x w, with c = 1, 3 or 4"),
    ],
)
def test_an_array_that_is_no_photo_says_why(array, line):
    assert refusal(array) == f"array: {line}"


def test_a_pil_image_of_any_mode_comes_out_rgb_and_upright():
    turned = noise().transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6
    assert as_photo(turned).tobytes() == noise().tobytes()
    for mode in ("1", "L", "P", "RGBA", "RGBa", "LA", "PA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F"):
        assert as_photo(Image.new(mode, (WIDTH, HEIGHT))).mode == "RGB", mode


def test_what_cannot_be_a_photo_says_what_can():
    known = "a path, bytes, an open file, a PIL image or an array"
    assert refusal(7) == f"photo: a value of type int is no photo; give {known}"
    assert refusal(Image.new("RGB", (0, 4))) == "image: 0 x 4 holds no pixel; give at least 1 x 1"
    assert refusal(Image.new("La", (2, 3))) == "image: colours of mode La cannot be made RGB; save it as RGB"
