"""Ctrl-C at any moment ends `remember` with what is kept, and leaves a memory that opens and can be gone on with."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COMMAND = [sys.executable, "-m", "mm_memgpt"]
COUNT = 300
"""Photos; more than are kept before the signal comes."""

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for seed in range(COUNT):
        pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"in/{seed:03}.png")
    return Path("in")


@pytest.fixture
def remember(tiny_model_folder, photos):
    """`remember(wait)`: what became of a process that got SIGINT `wait` seconds after it began to add, or to start."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    given = ["remember", str(photos), "--memory", "trip", "--model", str(tiny_model_folder), "--device", "cpu"]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a job in the background inherits deaf ears

    def stop(wait: float, begun: bool) -> subprocess.CompletedProcess:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen([*COMMAND, *given], env=environment, preexec_fn=heard, **pipes) as process:
            while begun and not any(Path("trip").rglob("*.lance")) and process.poll() is None:
                time.sleep(0.01)
            time.sleep(wait)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=120)
        return subprocess.CompletedProcess(given, process.returncode, output, errors)

    return stop


def items(place: str) -> int:
    done = subprocess.run([*COMMAND, "memory", "info", place, "--format", "json"], capture_output=True, check=True)
    return json.loads(done.stdout)["items"]


def said(errors: str) -> int:
    """The number of items that the last line says are kept."""
    [kept] = re.findall(r"^stopped: (nothing|[\d,]+ items?) of this run kept in trip", errors, re.MULTILINE)
    return 0 if kept == "nothing" else int(kept.split()[0].replace(",", ""))


def test_ctrl_c_at_any_moment_keeps_what_it_says(remember, tiny_model_folder):
    draw, kept = random.Random(0), 0
    for _ in range(6):
        done = remember(draw.uniform(0, 1.5), begun=True)
        assert (done.returncode, done.stdout) == (130, ""), done.stderr
        kept += said(done.stderr)
        assert items("trip") >= kept
        kept = items("trip")
    assert 0 < kept < COUNT
    given = ["remember", "in", "--memory", "trip", "--model", str(tiny_model_folder), "--device", "cpu"]
    subprocess.run([*COMMAND, *given], check=True, capture_output=True)
    assert items("trip") == COUNT  # all of them, none twice


def test_ctrl_c_before_anything_is_kept_says_so(remember):
    done = remember(2.0, begun=False)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
