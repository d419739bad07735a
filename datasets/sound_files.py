"""Sound files decoded to mono, block by block: soundfile first, then PyAV for any container with a sound track.

Notable: formats are told by content, never by their ending; the length comes from the header where the header says it
and is counted while decoding in any case; a file that is cut short is refused, wherever its format can tell.

t samples   c channels
"""

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import BinaryIO

import av
import numpy as np
import soundfile

from mm_memgpt.datasets.files import EMPTY, reason
from mm_memgpt.types import InputError

MAX_SECONDS = 6 * 3600
"""Longest sound. At 16 kHz, one takes 1.4 GB decoded."""

BLOCK = 2**20
"""Numbers decoded at a time, over all channels: 4 MB."""

SHORTAGE = 0.3
"""Seconds that may lack of the length a container states; encoders round it to frames and count their own delay."""

STATED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac", "caf")
"""Containers, by FFmpeg's names, whose header holds the length; of others FFmpeg guesses it from the file's size."""

LOUDEST = 4.0
"""Largest sample of a sound that counts from -1 to 1 and is only somewhat too loud."""

OPTIONS = {"protocol_whitelist": "none"}
"""For FFmpeg: a playlist that leads to other files or addresses is not followed."""

UNKNOWN = 2**62
"""libsndfile gives more frames than this where the header leaves their number open."""

Block = tuple[int, np.ndarray]
"""Rate in Hz, and mono samples (t,) float32."""


def decode(file: BinaryIO, name: str) -> Iterator[Block]:
    """What an open file sounds like, in order.

    Raises:
        InputError: empty, no sound, cut short, too long, or with samples that are no numbers.
    """
    file = file if file.seekable() else io.BytesIO(file.read())
    file.seek(0)
    head = file.read(4)
    if not head:
        raise InputError(f"{name}: {EMPTY}")
    if head == b"OggS" and not _ends(file):
        raise _broken(name, "its last page is missing")
    file.seek(0)
    try:
        sound = soundfile.SoundFile(file)
    except Exception:  # not libsndfile's, or broken, which FFmpeg says as well
        file.seek(0)
        blocks = _from_container(file, name)
    else:
        blocks = _from_soundfile(sound, name)
    total = 0.0
    try:
        for rate, block in blocks:
            total += len(block) / rate
            check_length(total, name)
            check_values(block, name)
            yield rate, block
    except InputError:
        raise
    except Exception as error:  # decoders raise whatever they trip over
        raise _broken(name, reason(error)) from error


def check_length(seconds: float, name: str) -> None:
    """Refuses a sound that is too long."""
    if seconds > MAX_SECONDS:
        length = f"{seconds / 3600:,.1f} hours of sound, more than {MAX_SECONDS / 3600:g}"
        raise InputError(f"{name}: {length}; cut it into parts first")


def check_values(samples: np.ndarray, name: str) -> None:
    """Refuses samples that are no numbers, or do not count from -1 to 1."""
    if not np.isfinite(samples).all():
        raise InputError(f"{name}: holds NaN or infinite samples; replace them and save it again")
    if samples.size and (peak := np.abs(samples).max()) > LOUDEST:
        raise InputError(f"{name}: samples as large as {peak:g}; scale them to lie in -1 to 1")


def _broken(name: str, why: str) -> InputError:
    return InputError(f"{name}: cannot be read to its end ({why}); copy or download it again")


def _from_soundfile(sound: soundfile.SoundFile, name: str) -> Iterator[Block]:
    with sound:
        stated = sound.frames if sound.frames < UNKNOWN else None
        check_length((stated or 0) / sound.samplerate, name)
        if lacking := _lacking_bytes(sound.extra_info):
            raise _broken(name, f"{lacking:,} bytes are missing")
        heard = 0
        while len(block := sound.read(max(1, BLOCK // sound.channels), "float32", always_2d=True)):  # (t, c)
            heard += len(block)
            yield sound.samplerate, block.mean(1)
        if stated is not None and heard < stated:
            raise _broken(name, f"{heard / sound.samplerate:.1f} of {stated / sound.samplerate:.1f} seconds are there")


def _lacking_bytes(log: str) -> int:
    """Bytes that a chunk says it has and the file has not, from libsndfile's log; a size left open lacks none.

    Up to 16 are let pass: some programs count a header into the size.
    """
    found = re.findall(r"(\d+) \(should be (\d+)\)", log)
    lacking = [int(says) - int(has) for says, has in found if int(says) < 0x7FFFFF00]
    return max((count for count in lacking if count > 16), default=0)


def _from_container(file: BinaryIO, name: str) -> Iterator[Block]:
    try:
        container = av.open(file, metadata_errors="ignore", options=OPTIONS)
    except Exception as error:  # FFmpeg's own kinds, and those of a file object
        raise InputError(
            f"{name}: no sound, or its beginning is broken ({reason(error)}); give a sound file, or a clip with sound"
        ) from error
    with container:
        if not container.streams.audio:
            raise InputError(f"{name}: has no sound track; give a sound, or a clip that has one")
        check_length((container.duration or 0) / av.time_base, name)
        yield from _decode_track(container, name)


def _decode_track(container: av.container.InputContainer, name: str) -> Iterator[Block]:
    track = container.streams.audio[0]
    stated = _stated_seconds(container, track)
    heard, held, size, rate = 0.0, [], 0, None
    for frame in _floats(container, track):
        if held and (frame.sample_rate != rate or size >= BLOCK):
            yield rate, np.concatenate(held)
            held, size = [], 0
        rate = frame.sample_rate
        held.append(frame.to_ndarray().mean(0))  # (c, t) -> (t,)
        size += frame.samples
        heard += frame.samples / rate
    if held:
        yield rate, np.concatenate(held)
    if stated is not None and heard < stated - SHORTAGE:
        raise _broken(name, f"{heard:.1f} of {stated:.1f} seconds are there")


def _floats(container: av.container.InputContainer, track: av.AudioStream) -> Iterator[av.AudioFrame]:
    """The track's frames as float planes; what the resampler holds back comes out when its input changes or ends."""
    resampler, kind = None, None
    for frame in container.decode(track):
        if (now := (frame.format.name, frame.layout.name, frame.sample_rate)) != kind:
            yield from () if resampler is None else resampler.resample(None)
            resampler, kind = av.AudioResampler(format="fltp"), now
        yield from resampler.resample(frame)
    yield from () if resampler is None else resampler.resample(None)


def _stated_seconds(container: av.container.InputContainer, track: av.AudioStream) -> float | None:
    """How long the header says the track is; None where it does not."""
    if container.format.name not in STATED:
        return None
    if track.duration is not None:
        return float(track.duration * track.time_base)
    if matched := re.match(r"(\d+):(\d+):(\d+\.?\d*)", track.metadata.get("DURATION", "")):  # Matroska's own tag
        hours, minutes, seconds = map(float, matched.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    alone = len(container.streams) == 1 and container.duration is not None
    return container.duration / av.time_base if alone else None


def _ends(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg file is whole and says that it is the last (RFC 3533 §6: bit 2 of byte 5)."""
    length = file.seek(0, io.SEEK_END)
    file.seek(max(0, length - 2 * 65_307))  # a page is at most 65,307 bytes
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if not page.startswith(b"OggS") or len(page) < 27:
        return False
    segments = page[27 : 27 + page[26]]
    return bool(page[5] & 4) and len(page) >= 27 + page[26] + sum(segments)
