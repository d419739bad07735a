"""Programs that nobody has read, run where they can do little: in a process of their own, bounded in time and memory.

Notable: no network, no further process, no file written, none of the caller's environment; the kernel sees to that
(`contained`), so where it cannot nothing is run. A program passes only by reaching the end of its tests: one that exits
before it, or prints whatever it likes, does not. What this does not stop is a program that sets out to deceive its
tests, with results that say they equal anything.
"""

import json
import math
import os
import platform
import secrets
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from mm_memgpt.evaluation.contained import BEGUN, MACHINES
from mm_memgpt.types import InputError

CONTAINED = Path(__file__).with_name("contained.py")

LONGEST_VERDICT = 4096
"""Bytes that are read of what comes of a program; ours is shorter."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a program may use."""

    seconds: float = 20.0
    """Of the processor, rounded up to whole ones; the clock on the wall may show twice that, for others run as well."""
    memory: int = 512 << 20
    """Bytes of address space."""

    def __post_init__(self) -> None:
        if not 0 < self.seconds < float("inf") or self.memory < 64 << 20:
            raise ValueError(f"{self.seconds} seconds and {self.memory} bytes; give more than 0 s, and 64 MiB or more")


class Verdict(NamedTuple):
    """What came of a program."""

    passed: bool
    line: str = ""
    """Why it did not pass, in one line."""


def run_program(program: str, tests: str, limits: Limits | None = None) -> Verdict:
    """Runs a Python program and then its tests, in the names that it made, and says whether all of it went through.

    Raises:
        InputError: this machine or its kernel cannot contain a program.
    """
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        machine = f"{sys.platform} on {platform.machine()}"
        raise InputError(f"programs cannot be contained here ({machine}); run them on Linux, x86-64 or aarch64")
    limits = limits or Limits()
    word = secrets.token_hex(16)
    with TemporaryDirectory() as folder:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            order = {"program": program, "tests": tests, "word": word, "pipe": writing, "memory": limits.memory}
            order |= {"seconds": math.ceil(limits.seconds), "machine": platform.machine()}
            said = _said(pipe.fileno(), _start(writing, folder), json.dumps(order).encode(), 2 * limits.seconds)
    return _verdict(said, word, limits)


def _start(writing: int, folder: str) -> subprocess.Popen:
    """The process, in a folder and a group of its own; it alone holds the pipe's end `writing` from here on."""
    try:
        return subprocess.Popen(
            [sys.executable, "-s", "-S", "-P", "-B", str(CONTAINED)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writing],
            cwd=folder,
            env={"HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
    finally:
        os.close(writing)


def _said(pipe: int, process: subprocess.Popen, order: bytes, seconds: float) -> bytes | None:
    """What the process writes until it ends, or None where time is up first; it is gone in the end."""
    deadline, said = time.monotonic() + seconds, b""
    try:
        try:
            process.stdin.write(order)
            process.stdin.close()
        except BrokenPipeError:
            return b""
        while len(said) < LONGEST_VERDICT:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            if not (more := os.read(pipe, LONGEST_VERDICT - len(said))):
                break
            said += more
        return said
    finally:
        process.kill()  # it cannot have made others
        process.wait()


def _verdict(said: bytes | None, word: str, limits: Limits) -> Verdict:
    if said is None:
        return Verdict(False, f"not done within {2 * limits.seconds:g} s")
    begun, said = said.startswith(BEGUN), said.removeprefix(BEGUN)
    try:
        found = json.loads(said)
        outcome, line = (found["outcome"], str(found["line"])) if found["word"] == word else ("silent", "")
    except (ValueError, KeyError, TypeError, RecursionError):  # the last, of a program that nests brackets
        outcome, line = "silent", ""
    if outcome == "uncontained" and not begun:  # afterwards it is the program that says so
        raise InputError(f"programs cannot be contained here ({line}); run them where the kernel has seccomp")
    if outcome == "silent":
        return Verdict(
            False, f"ended before its tests did: by itself, or at {limits.seconds:g} s or {limits.memory >> 20} MiB"
        )
    return Verdict(outcome == "passed", line)
