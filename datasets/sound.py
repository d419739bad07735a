"""Sounds from anywhere: a path, bytes, an open file or samples with their rate, as mono samples of one rate.

Notable: channels are mixed by their mean; resampling is anti-aliased and runs a block at a time, so however many
channels and samples a file has, it takes little more memory than its result twice; what is wrong is said in one line.

t samples   c channels   n items   s samples per item
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from itertools import groupby
from math import ceil
from os import PathLike, fspath
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchaudio.functional import resample as resample_whole

from mm_memgpt.datasets.files import open_file
from mm_memgpt.datasets.sound_files import check_length, check_values, decode
from mm_memgpt.types import InputError

RATE = 16_000
"""Samples a second of what comes out, unless another rate is asked for: speech fits below 8 kHz."""

SECONDS = 0.975
"""Length of an item: what YAMNet, the guide on sounds, hears at a time."""

RATES = (100, 1_000_000)
"""Lowest and highest rate in Hz that is taken for one."""

FORMATS = {
    "WAV": ".wav .w64 .rf64",
    "FLAC": ".flac",
    "Ogg": ".ogg .oga .opus",
    "MP3": ".mp3",
    "AAC": ".m4a .aac",
    "AIFF": ".aif .aiff .aifc",
    "AU": ".au .snd",
    "CAF": ".caf",
    "WebM": ".weba .mka",
    "WMA": ".wma",
    "AMR": ".amr",
    "AC-3": ".ac3",
}
"""Usual formats and the endings of their files. The sound track of a clip is read too, but a clip is no sound file."""

SOUND_SUFFIXES = frozenset(" ".join(FORMATS.values()).split())
"""Endings, in lower case, of the files in a folder that are sounds. A file named by itself may have any."""

MAX_CHANNELS = 64
"""Of the two axes of samples, the shorter is the channels, if there are no more than this."""

FULL_SCALE = {"uint8": 2**7, "int16": 2**15, "int32": 2**31}
"""The whole number that stands for 1, by type; uint8 counts from 128."""

MAX_STEP = 1_000
"""Largest denominator of the two rates' ratio; odd pairs are taken for the nearest one, at most 1 in a million off,
because the filters of, say, 44,101 to 16,000 Hz would take gigabytes."""


def as_sound(value: Any, rate: int = RATE, name: str | None = None) -> Tensor:
    """A path, bytes, open binary file, or a pair (samples, rate) as mono samples; `name` is what an error calls it.

    Args:
        value: samples are whole numbers or floats from -1 to 1, of shape (t,), (c, t) or (t, c).
        rate: samples a second of what comes out.
        name: by default the path.

    Returns:
        (t,) float32 from -1 to 1.

    Raises:
        InputError: anything else, or a sound that cannot be used.
    """
    if isinstance(value, (str, PathLike, bytes, bytearray, memoryview)) or hasattr(value, "read"):
        return open_sound(value, rate, name)
    if isinstance(value, (tuple, list)) and len(value) == 2 and hasattr(value[0], "__array__"):
        return sound_from_samples(value[0], value[1], rate, name or "samples")
    known = "a path, bytes, an open file or a pair (samples, rate)"
    raise InputError(f"{name or 'sound'}: a value of type {type(value).__name__} is no sound; give {known}")


def open_sound(
    source: str | PathLike[str] | bytes | BinaryIO, rate: int = RATE, name: str | None = None
) -> Tensor:  # (t,)
    """The sound in a file, or the sound track of a clip, as `as_sound` gives it.

    Raises:
        InputError: no such file, or one that holds no sound, is broken or too long; the message calls it `name`.
    """
    if isinstance(source, (str, PathLike)):
        name = fspath(source) if name is None else name
        with open_file(source, name) as file:
            return _join(decode(file, name), rate, name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        name = "bytes" if name is None else name
        return _join(decode(BytesIO(source), name), rate, name)
    name = str(getattr(source, "name", "file")) if name is None else name
    return _join(decode(source, name), rate, name)


def sound_from_samples(samples: Any, given: int, rate: int = RATE, name: str = "samples") -> Tensor:
    """Samples (t,), (c, t) or (t, c) at rate `given`, uint8, int16, int32 or floats, as `as_sound` gives them.

    The shorter axis is the channels; where both are as long, the first is.

    Raises:
        InputError: another shape or type, no sample, NaN, floats far outside -1 to 1, or no rate.
    """
    if isinstance(samples, Tensor):
        samples = samples.detach().cpu()
        samples = (samples.float() if samples.is_floating_point() else samples).numpy()
    values = np.asarray(samples)
    if values.ndim not in (1, 2) or (values.ndim == 2 and min(values.shape) > MAX_CHANNELS):
        raise InputError(f"{name}: shape {values.shape} is no sound; give (t,), (channels, t) or (t, channels)")
    if isinstance(given, bool) or not isinstance(given, (int, float, np.number)) or given % 1 != 0:
        raise InputError(f"{name}: {given!r} is no rate; give the pair (samples, rate), such as (samples, {RATE})")
    values = _from_integers(values, name)
    if values.ndim == 2:
        values = values.mean(int(values.shape[1] < values.shape[0]))
    check_values(values, name)
    check_length(len(values) / max(given, 1), name)
    return _join(iter([(int(given), values)]), rate, name)


def pieces(samples: Tensor, rate: int = RATE, seconds: float = SECONDS, start: float = 0.0) -> tuple[Tensor, Tensor]:
    """A sound as items of `seconds` each, one after another; the last is filled up with zeros.

    Args:
        samples: (t,) at `rate`.
        rate: samples a second.
        seconds: length of an item.
        start: second on the stream's clock at which the sound begins.

    Returns:
        (n, s) samples, and (n, 2) float64 start and end of each, the last end being that of the sound; n is at least 1.

    Raises:
        ValueError: samples has not one axis, or an item is shorter than a sample.
    """
    size = round(seconds * rate)
    if samples.ndim != 1 or size < 1:
        raise ValueError(f"samples {tuple(samples.shape)} in items of {size}: give (t,), in items of at least 1 sample")
    n = max(1, ceil(len(samples) / size))
    items = functional.pad(samples, (0, n * size - len(samples))).view(n, size)
    edges = (torch.arange(n + 1, dtype=torch.float64) * size).clamp_max(len(samples)) / rate + start
    return items, torch.stack([edges[:-1], edges[1:]], dim=-1)


def resample(blocks: Iterable[np.ndarray], given: int, wanted: int) -> Iterator[Tensor]:
    """Blocks of samples (t,) at rate `given`, end to end, at rate `wanted`: torchaudio's windowed sinc of the whole.

    Each block is filtered with its neighbours' edges, which reach further than the filter.
    """
    ratio = Fraction(wanted, given).limit_denominator(MAX_STEP)
    up, down = ratio.numerator, ratio.denominator
    if up == down:
        yield from map(torch.from_numpy, blocks)
        return
    filter_reach = 7 * max(1, down / up)  # torchaudio: 6 zero crossings of a sinc at 0.99 of the lower rate
    edge = down * (ceil(filter_reach / down) + 1)
    held, before = torch.zeros(0), 0
    for block in blocks:
        held = torch.cat([held, torch.from_numpy(block)])
        ready = (len(held) - before - edge) // down * down
        if ready >= edge:
            heard = resample_whole(held[: before + ready + edge], down, up)
            yield heard[before // down * up : (before + ready) // down * up]
            held, before = held[before + ready - edge :], edge
    if len(held):
        yield resample_whole(held, down, up)[before // down * up :]


def _join(blocks: Iterator[tuple[int, np.ndarray]], rate: int, name: str) -> Tensor:
    parts = []
    for given, group in groupby(blocks, key=lambda each: each[0]):
        if not RATES[0] <= given <= RATES[1]:
            raise InputError(f"{name}: a rate of {given:,} Hz; give {RATES[0]:,} to {RATES[1]:,}")
        parts += resample((block for _, block in group), given, rate)
    if not sum(map(len, parts)):
        raise InputError(f"{name}: holds no sample; give at least one")
    return torch.cat(parts).clamp_(-1, 1)


def _from_integers(values: np.ndarray, name: str) -> np.ndarray:
    """Whole numbers as floats from -1 to 1, floats as they are; float32."""
    kind = values.dtype.name
    if values.dtype.kind != "f" and kind not in FULL_SCALE:
        raise InputError(f"{name}: samples of type {kind}; give uint8, int16, int32, or floats from -1 to 1")
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    return ((values - np.float64(128 if kind == "uint8" else 0)) / FULL_SCALE[kind]).astype(np.float32)
