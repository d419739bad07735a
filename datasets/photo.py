"""Photos from anywhere: a path, bytes, an open file, an array or a PIL image as one RGB image, upright and decoded.

Notable: the size comes from the header and is checked before a pixel is decoded; a photo that is cut short is refused,
never filled up with grey; whatever is wrong is an InputError of one line; no format is read that runs other programs.

h height   w width   c colours: 1 grey, 3 RGB, 4 RGB and opacity
"""

import struct
from io import BytesIO
from os import PathLike, fspath
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image

from mm_memgpt.datasets.files import EMPTY, open_file, reason
from mm_memgpt.types import InputError

MAX_PIXELS = 100_000_000
"""Largest photo, in pixels: 10,000 x 10,000. Decoded, one takes 400 MB."""

FORMATS = {
    "JPEG": ".jpg .jpeg .jpe .jfif",
    "PNG": ".png",
    "GIF": ".gif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "TIFF": ".tif .tiff",
    "AVIF": ".avif",
    "JPEG2000": ".jp2 .j2k .jpx",
    "PPM": ".ppm .pgm .pbm .pnm .pfm",
    "TGA": ".tga",
}
"""Pillow's names of the formats read here, and the endings of their files. EPS, which runs Ghostscript, is not one."""

PHOTO_SUFFIXES = frozenset(" ".join(FORMATS.values()).split())
"""Endings, in lower case, of the files in a folder that are photos. A file named by itself may have any."""

SHAPES = "h x w, h x w x c or c x h x w, with c = 1, 3 or 4"

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets a photo upright, by its EXIF orientation; 1 is upright already."""


def as_photo(value: Any, name: str | None = None) -> Image.Image:
    """A path, bytes, open binary file, PIL image or array as an RGB image, upright; `name` is what an error calls it.

    Raises:
        InputError: anything else, or a photo that cannot be used.
    """
    if isinstance(value, Image.Image):
        return _finish(value, name or getattr(value, "filename", "") or "image")
    if isinstance(value, (str, PathLike, bytes, bytearray, memoryview)) or hasattr(value, "read"):
        return open_photo(value, name)
    if isinstance(value, torch.Tensor) or hasattr(value, "__array__"):
        return photo_from_array(value, name or "array")
    known = "a path, bytes, an open file, a PIL image or an array"
    raise InputError(f"{name or 'photo'}: a value of type {type(value).__name__} is no photo; give {known}")


def open_photo(source: str | PathLike[str] | bytes | BinaryIO, name: str | None = None) -> Image.Image:
    """The photo in a file, as an RGB image, upright; of an animation the first frame, what is transparent on white.

    Raises:
        InputError: no such file, or one that is no photo, is broken or too large; the message calls it `name`.
    """
    if isinstance(source, (str, PathLike)):
        name = fspath(source) if name is None else name
        with open_file(source, name) as file:
            return _decode(file, name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(BytesIO(source), "bytes" if name is None else name)
    return _decode(source, str(getattr(source, "name", "file")) if name is None else name)


def photo_from_array(array: Any, name: str = "array") -> Image.Image:
    """An array as an RGB image: (h, w), (h, w, c) or (c, h, w), uint8 from 0 to 255 or floats from 0 to 1.

    Where both orders fit, the last axis holds the colours. Opacity is laid on white.

    Raises:
        InputError: another shape or type, no pixel, too many, NaN, or floats outside 0 to 1.
    """
    if isinstance(array, torch.Tensor):
        array = array.detach().cpu()
        array = (array.float() if array.is_floating_point() else array).numpy()
    values = _colours_last(np.asarray(array), name)  # (h, w, c)
    _check_size(values.shape[1], values.shape[0], name)
    if values.dtype.kind == "f":
        values = _from_unit(values, name)
    elif values.dtype != np.uint8:
        raise InputError(f"{name}: values of type {values.dtype}; give uint8 from 0 to 255, or floats from 0 to 1")
    values = values[..., 0] if values.shape[-1] == 1 else values
    return _finish(Image.fromarray(np.ascontiguousarray(values)), name)


def _decode(file: BinaryIO, name: str) -> Image.Image:
    file = file if file.seekable() else BytesIO(file.read())
    file.seek(0)
    if not file.read(1):
        raise InputError(f"{name}: {EMPTY}")
    try:
        image = _read_header(file)
    except Exception as error:  # decoders raise whatever they trip over, from OSError to zlib.error
        raise _broken(name, error) from error
    if image is None:
        raise InputError(f"{name}: no photo, or its beginning is broken; give one of {', '.join(FORMATS)}")
    return _finish(image, name)


def _read_header(file: BinaryIO) -> Image.Image | None:
    """The image with its size, not yet decoded; None if no format fits.

    As `Image.open`, but without its size check, which warns at a limit of its own and fails without giving the size.
    """
    Image.preinit()
    for name in FORMATS:
        if name not in Image.OPEN:
            Image.init()
        factory, accepts = Image.OPEN.get(name, (None, None))
        file.seek(0)
        try:
            fits = factory is not None and (accepts is None or accepts(file.read(16)))
            if fits and not isinstance(fits, str):  # a string says why this Pillow cannot read the format
                file.seek(0)
                return factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error):  # how a plugin says that the file is not its own
            continue
    return None


def _finish(image: Image.Image, name: str) -> Image.Image:
    _check_size(image.width, image.height, name)
    try:
        image.load()
        photo = _as_rgb(_upright(image), name)
    except InputError:
        raise
    except Exception as error:  # as in _decode
        raise _broken(name, error) from error
    photo.info.clear()  # or its note on orientation would turn it again, once it comes back here
    return photo


def _broken(name: str, error: Exception) -> InputError:
    return InputError(f"{name}: cannot be read to its end ({reason(error)}); copy or download it again")


def _check_size(width: int, height: int, name: str) -> None:
    if width * height == 0:
        raise InputError(f"{name}: {width} x {height} holds no pixel; give at least 1 x 1")
    if width * height > MAX_PIXELS:
        size = f"{width:,} x {height:,} = {width * height:,} pixels"
        raise InputError(f"{name}: {size}, more than {MAX_PIXELS:,}; make it smaller first")


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # a broken note about the camera is no reason to refuse the photo
        return image
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _as_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        image = _eight_bits(np.asarray(image), name)
    try:
        if not image.has_transparency_data:
            return image.convert("RGB")
        image = image.convert("RGBA")
    except ValueError:
        raise InputError(f"{name}: colours of mode {image.mode} cannot be made RGB; save it as RGB") from None
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _eight_bits(values: np.ndarray, name: str) -> Image.Image:
    """Grey values (h, w) of more than 8 bits as 0 to 255.

    Whole numbers that fit 16 bits count from 0 to 65535, and floats that lie in 0 to 1 from 0 to 1; others have no
    range of their own, so their smallest becomes black and their largest white.
    """
    if not np.isfinite(values).all():
        raise InputError(f"{name}: holds NaN or infinite values; replace them and save it again")
    full = 1.0 if values.dtype.kind == "f" else 65535.0
    low, high = float(values.min()), float(values.max())
    low, high = (0.0, full) if low >= 0 and high <= full else (low, high)
    share = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    return Image.fromarray(np.rint(share * 255).astype(np.uint8))


def _colours_last(values: np.ndarray, name: str) -> np.ndarray:
    colours = (1, 3, 4)
    if values.ndim == 2:
        return values[..., None]
    if values.ndim == 3 and values.shape[-1] in colours:
        return values
    if values.ndim == 3 and values.shape[0] in colours:
        return values.transpose(1, 2, 0)
    raise InputError(f"{name}: shape {values.shape} is no photo; give {SHAPES}")


def _from_unit(values: np.ndarray, name: str) -> np.ndarray:
    """Floats from 0 to 1 as uint8. Half a step outside, which rounding and resizing cause, still counts."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise InputError(f"{name}: holds NaN or infinite values; replace them")
    if low * 255 < -0.5 or high * 255 > 255.5:
        raise InputError(f"{name}: floats from {low:g} to {high:g}; scale them to lie in 0 to 1, or give uint8")
    return np.rint(values.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)
