"""Several processes use one memory at once: nothing is lost, nobody waits for ever, nothing fails."""

import subprocess
import sys

import pytest

SECONDS = 20
"""How long each is at it, once it has begun."""

ADD = """
import sys, time
from mm_memgpt import Text
from mm_memgpt.pipeline import load
model, folder, name = load(sys.argv[1], device="cpu"), sys.argv[2], sys.argv[3]
number, until = 0, time.time() + float(sys.argv[4])
with model.memory(folder) as memory:
    while time.time() < until:
        memory.add(Text(f"{name} has written note {number}"), source=f"{name} {number}")
        print(number, flush=True)  # only what was acknowledged
        number += 1
"""

ASK = """
import sys, time
from mm_memgpt.pipeline import load
model, folder = load(sys.argv[1], device="cpu"), sys.argv[2]
until = time.time() + float(sys.argv[4])
with model.memory(folder, read_only=True) as memory:
    while time.time() < until:
        answer = memory.ask("Who has written note 0?")
        print("" if answer.declined else answer.text, flush=True)
"""


@pytest.mark.slow
def test_two_add_while_one_asks(model, tiny_model_folder, tmp_path):
    folder = tmp_path / "shared.memory"
    model.memory(folder).close()
    running = {
        name: subprocess.Popen(
            [sys.executable, "-c", code, str(tiny_model_folder), str(folder), name, str(SECONDS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, code in (("anna", ADD), ("ben", ADD), ("carl", ASK))
    }
    printed = {}
    for name, process in running.items():
        printed[name], complaint = process.communicate(timeout=10 * SECONDS)
        assert process.returncode == 0, complaint
    counts = {name: len(lines.splitlines()) for name, lines in printed.items()}
    assert min(counts.values()) >= 3, counts
    said = printed["carl"].splitlines()
    assert said[-1].endswith("has written note 0")
    with model.memory(folder, read_only=True) as memory:
        texts = sorted(row.item.text for row in memory.store.archive.since())
        added = [f"{name} has written note {number}" for name in ("anna", "ben") for number in range(counts[name])]
        assert texts == sorted(added)
        assert all(check.passed for check in memory.verify())
