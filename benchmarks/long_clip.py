"""Does an hour of clip take the memory of a minute, and less than an hour? Memory minute by minute, and speed.

    python -m benchmarks.long_clip                          an hour, as `mm-memgpt watch` takes it
    python -m benchmarks.long_clip --ears                   with the ears of recipes/ears.yaml, from random weights
    python -m benchmarks.long_clip --minutes 3 --beams 1    shorter, and greedy

Notable: what counts is the most that is resident at any time in a minute, read from Linux, not what is left at its end;
the clip is two dozen scenes, rendered once and put in a row anew each time, in a process of its own, because what it
leaves free would hide growth.
"""

import argparse
import io
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from tqdm import tqdm

from benchmarks.errors import tells_errors
from mm_memgpt.config import AudioConfig
from mm_memgpt.models.growing import grow
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.types import MODALITIES

WIDTH, HEIGHT, FPS, RATE = 320, 240, 25, 44_100
FRAMES, BLOCKS, BLOCK = 256, 440, 1024
"""Frames of a scene, and the blocks of its sound: with the one that AAC puts before it, both last 10.24 seconds."""

SECONDS = Fraction(FRAMES, FPS)

HEAD = (
    "| model | beams | minutes | items | slots used | sentences | most in minute 1, MB | most in the last, MB "
    "| growth after minute 1, MB | seconds | times real time | core-seconds |",
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
)


class Watching(NamedTuple):
    """What watching a clip took."""

    peaks: list[float]
    """Most that was resident in each minute, MB."""
    seconds: float
    core_seconds: float
    items: dict[str, int]
    """By modality."""
    slots: int
    sentences: int


def scene(number: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames (h, w, 3) of discs on a gradient, which move or stay, and samples (t,): a chord, noise or silence."""
    chance = np.random.default_rng(number)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    low, high = chance.uniform(0, 255, (2, 3))
    ground = low + (high - low) * (columns / WIDTH if number % 2 else rows / HEIGHT)[..., None]
    discs = int(chance.integers(1, 5))
    places, sizes = chance.uniform(0, (HEIGHT, WIDTH), (discs, 2)), chance.uniform(15, 60, discs)
    speeds = chance.uniform(-60, 60, (discs, 2)) * (number % 3 > 0)  # pixels a second; one scene in three stands still
    colours, frames = chance.uniform(0, 255, (discs, 3)), []
    for at in range(FRAMES):
        pixels = ground.copy()
        for place, speed, size, colour in zip(places, speeds, sizes, colours, strict=True):
            top, left = (place + speed * at / FPS) % (HEIGHT, WIDTH)
            pixels[(rows - top) ** 2 + (columns - left) ** 2 < size**2] = colour
        frames.append(pixels.astype(np.uint8))
    clock = np.arange(BLOCKS * BLOCK) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * clock) for pitch in chance.uniform(80, 2000, 3)) / 3
    noise = chance.normal(size=clock.size)
    return frames, 0.3 * (chord, noise, 0 * clock)[number % 3].clip(-1, 1).astype(np.float32)


def encode(frames: Sequence[np.ndarray], samples: np.ndarray) -> bytes:
    """A scene as H.264 and AAC in Matroska."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        pictures = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})  # frames in their order
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        heard = container.add_stream("aac", rate=RATE, layout="mono")
        for pixels in frames:
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        for start in range(0, len(samples), BLOCK):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + BLOCK], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(heard.encode(frame))
        for stream in (pictures, heard):
            container.mux(stream.encode(None))
    return file.getvalue()


def render(path: Path, minutes: float, scenes: int) -> None:
    """A clip of so many minutes: all scenes in an order drawn anew, and again, and again."""
    made = [encode(*scene(number)) for number in tqdm(range(scenes), desc="rendering", unit="scene", leave=False)]
    chance, order = random.Random(0), []
    count = max(1, round(minutes * 60 / SECONDS))
    while len(order) < count:
        order += chance.sample(range(scenes), scenes)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        streams = []
        for place, number in enumerate(order[:count]):
            with av.open(io.BytesIO(made[number])) as container:
                streams = streams or [out.add_stream_from_template(stream) for stream in container.streams]
                for packet in container.demux():
                    if packet.dts is None:
                        continue
                    later = round(place * SECONDS / packet.time_base)
                    packet.pts, packet.dts = packet.pts + later, packet.dts + later
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)


def watch(model: Pipeline, path: Path, every: float, beams: int) -> Watching:
    """Watches a clip to its end."""
    sentences, peaks, items = 0, [], dict.fromkeys(MODALITIES, 0)
    began, cores = time.perf_counter(), time.process_time()
    most_resident()
    with tqdm(desc="watching", unit="s", leave=False) as bar:
        for glimpse in model.watch(path, every, beams=beams):
            sentences += glimpse.caption is not None
            items[MODALITIES[int(glimpse.state.modality.flatten()[glimpse.state.arrival.argmax()])]] += 1
            if glimpse.end >= 60 * (len(peaks) + 1):
                peaks.append(most_resident())
                bar.set_postfix_str(f"{peaks[-1]:.0f} MB")
            bar.update(glimpse.end - bar.n)
    peaks.append(most_resident())
    slots = int((glimpse.state.items > 0).sum())
    return Watching(peaks, time.perf_counter() - began, time.process_time() - cores, items, slots, sentences)


def most_resident() -> float:
    """The most memory that this process had resident since the last call, in MB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # proc(5): begins the count anew
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024 / 1e6


def measure(given: argparse.Namespace) -> dict:
    """Renders the clip, watches it, and says what that took.

    Raises:
        InputError: no such model or recipe.
    """
    model = load(given.model, "cpu")
    if given.ears:
        audio = read_recipe(given.recipe).audio
        model = Pipeline(grow(model.model, AudioConfig() if audio is None else audio), model.processor)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
            apart.submit(render, path, given.minutes, given.scenes).result()
        found = watch(model, path, given.every, given.beams)
    length = max(1, round(given.minutes * 60 / SECONDS)) * float(SECONDS)
    settings = {"model": given.model, "ears": given.ears, "beams": given.beams, "every": given.every}
    return settings | {"length": length} | found._asdict()


def row(found: dict) -> str:
    """A row of the table."""
    first, *later = found["peaks"]
    items = " + ".join(f"{count:,} {name}" for name, count in found["items"].items() if count)
    values = [
        found["model"] + (", random ears" if found["ears"] else ""),
        found["beams"],
        f"{found['length'] / 60:.1f}",
        items,
        found["slots"],
        f"{found['sentences']:,}",
        f"{first:.0f}",
        f"{found['peaks'][-1]:.0f}",
        f"{max([0.0, *(peak - first for peak in later)]):.0f}",
        f"{found['seconds']:,.0f}",
        f"{found['length'] / found['seconds']:.1f}",
        f"{found['core_seconds']:,.0f}",
    ]
    return f"| {' | '.join(map(str, values))} |"


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60, help="of clip; default: %(default)s")
    parser.add_argument("--model", default="nano", help="nano, a folder, or a hub name; default: %(default)s")
    parser.add_argument("--ears", action="store_true", help="give it ears with random weights")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/ears.yaml"), help="whose ears; %(default)s")
    parser.add_argument("--every", type=float, default=1.0, help="as in mm-memgpt watch; default: %(default)s")
    parser.add_argument("--beams", type=int, default=4, help="as in mm-memgpt watch; default: %(default)s")
    parser.add_argument("--scenes", type=int, default=24, help="rendered, then repeated; default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("runs/long_clip.json"), help="where the figures go, too")
    given = parser.parse_args(arguments)
    found = measure(given)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n".join([*HEAD, row(found)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
