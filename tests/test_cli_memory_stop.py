"""Ctrl-C at any moment ends `remember` with a word on what is kept, and leaves a memory that can be gone on with."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COMMAND = [sys.executable, "-m", "mm_memgpt"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
COUNT = 1000
"""Photos; more than are named before the signal comes."""

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for seed in range(COUNT):
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"in/{seed:03}.png")
    return sorted(map(str, Path("in").iterdir()))


@pytest.fixture
def given(tiny_model_folder) -> list[str]:
    return ["--memory", "trip", "--model", str(tiny_model_folder), "--device", "cpu"]


@pytest.fixture
def stopped(photos, given):
    """`stopped(wait, ready)`: what became of a process that was told of a photo every 20 ms, and got SIGINT so many
    seconds after it was ready; its status is the one that a shell reports."""

    def feed(pipe: int) -> None:
        with suppress(BrokenPipeError):  # it has stopped, which is what is tested
            for name in photos:
                os.write(pipe, f"{name}\n".encode())
                time.sleep(0.02)

    def stop(wait: float, ready: Callable[[int], bool]) -> subprocess.CompletedProcess:
        heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a job in the background inherits deaf ears
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        names, told = os.pipe()
        command = [*COMMAND, "remember", "-", *given]
        with subprocess.Popen(command, env=ENVIRONMENT, preexec_fn=heard, stdin=names, **pipes) as process:
            os.close(names)
            feeding = threading.Thread(target=feed, args=[told])
            feeding.start()
            while not ready(process.pid):
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.01)
            time.sleep(wait)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=120)
        feeding.join()
        os.close(told)
        # by the signal itself while libraries are imported, and, as CPython has it, where an import raised it once
        status = 128 - process.returncode if process.returncode < 0 else process.returncode
        return subprocess.CompletedProcess(command, status, output, errors)

    return stop


def written(pattern: str) -> Callable[[int], bool]:
    """Whether there is one file more of the memory's table that fits the pattern than there was."""

    def count() -> int:
        return len(list(Path("trip/items.lance").glob(pattern)))

    there = count()
    return lambda process: count() > there


def importing(process: int) -> bool:
    """Whether the process has come to its libraries."""
    return b"numpy" in Path(f"/proc/{process}/maps").read_bytes()


def items(place: str) -> int:
    command = [*COMMAND, "memory", "info", place, "--format", "json"]
    return json.loads(subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True).stdout)["items"]


def said(errors: str) -> int:
    """The number of items that the only line says are kept."""
    kept = re.fullmatch(r"stopped: (nothing|[\d,]+) (?:items? )?of this run kept in trip(?:; .*)?\n", errors)[1]
    return 0 if kept == "nothing" else int(kept.replace(",", ""))


def test_ctrl_c_while_it_adds_keeps_what_it_says(stopped, given):
    before = 0
    for wait, new in (
        (0.0, "_versions/*.manifest"),
        (0.0, "data/*.lance"),
        (random.Random(0).uniform(0, 2), "data/*.lance"),
    ):
        done = stopped(wait, written(new))
        assert (done.returncode, done.stdout) == (130, ""), done.stderr
        now = items("trip")
        assert now >= before + said(done.stderr)
        before = now
    assert 0 < before < COUNT
    subprocess.run([*COMMAND, "remember", "in", *given], env=ENVIRONMENT, check=True, capture_output=True)
    assert items("trip") == COUNT  # all of them, none twice


def test_ctrl_c_while_it_starts_is_no_traceback(stopped):
    for wait in (0.0, 0.1, 0.5, 1.5, 3.0):  # some libraries take it for a failure of their own
        done = stopped(wait, importing)
        assert done.returncode == 130, done.stderr
        assert done.stdout == ""
        assert not done.stderr or said(done.stderr) == 0  # too early for a word
