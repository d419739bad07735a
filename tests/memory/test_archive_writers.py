"""Whatever is killed and whoever writes beside: all that was acknowledged is there, in its writer's order, and once."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import Shape

SHAPE = Shape(tokens=3, width=4, key_width=5)
NEW = {"shape": SHAPE, "fingerprint": "nano 1", "create": True}
KILLS = 50

WRITER = """
import os, sys, time
import numpy as np
from mm_memgpt.memory import archive as module
from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import Shape
from mm_memgpt.memory.item import Item, new_id

address, name, seconds = sys.argv[1:]
module.EVERY = 7  # upkeep is among what is killed
with Archive.open(address, shape=Shape(3, 4, 5), fingerprint="nano 1", create=True) as archive:
    print("ready", flush=True)
    until = time.time() + float(seconds)
    number = 0
    while time.time() < until:
        items = []
        for _ in range(1 + number % 3):
            random = np.random.default_rng(number)
            number += 1
            items.append(Item(
                id=new_id(), source=name, modality="text", start=float(number), end=float(number), created=0.0,
                key=random.standard_normal(5).astype(np.float16), text=f"word{number}", preview=bytes(9000),
                tokens=random.standard_normal((3, 4)).astype(np.float16), mask=np.ones(3, bool),
            ))
        archive.add(items)
        os.write(1, "".join(item.id + "\\n" for item in items).encode())
        if number % 11 == 0:
            os.write(1, f"?{items[0].id}\\n".encode())
            archive.delete([items[0].id])
            os.write(1, f"-{items[0].id}\\n".encode())
            archive.purge()
"""


def start(address: Path, name: str, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(address), name, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def acknowledged(lines: list[str]) -> list[str]:
    """Items that must be there: added, and never about to be deleted."""
    doubtful = {line[1:] for line in lines if line.startswith("?")}
    return [line for line in lines if len(line) == 32 and line not in doubtful]


def deleted(lines: list[str]) -> set[str]:
    """Items that must not be there."""
    return {line[1:] for line in lines if line.startswith("-")}


def test_threads_and_archives_of_one_process_take_turns(tmp_path, item):
    archives = [Archive.open(tmp_path / "trip.memory", **NEW) for _ in range(2)]
    items = [item(number) for number in range(24)]

    def write(at: int) -> None:
        for one in items[at::4]:
            archives[at % 2].add([one])

    threads = [threading.Thread(target=write, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for archive in archives:
        there = [stored.item.id for stored in archive.since()]
        assert sorted(there) == sorted(one.id for one in items)
        for at in range(4):
            mine = [one.id for one in items[at::4]]
            assert [one for one in there if one in mine] == mine


def test_within_a_turn_nobody_else_writes(tmp_path, item):
    one, other = (Archive.open(tmp_path / "trip.memory", **NEW) for _ in range(2))
    thread = threading.Thread(target=lambda: other.add([item(1)]))
    with one.turn():
        thread.start()
        one.add([item(0)])
        time.sleep(0.2)
        assert len(one) == 1
    thread.join()
    assert len(one) == 2


@pytest.mark.slow
def test_killed_at_any_moment_a_memory_opens_with_all_that_was_acknowledged_once(tmp_path):
    address, lines, chance = tmp_path / "trip.memory", [], random.Random(0)
    following = start(address, "0", 600)
    for kill in range(KILLS):
        writer, following = following, start(address, str(kill + 1), 600)  # the next gets ready meanwhile, and writes
        assert writer.stdout.readline() == "ready\n", writer.stderr.read()
        time.sleep(chance.uniform(0, 0.7))
        writer.send_signal(signal.SIGKILL)
        output, errors = writer.communicate()
        assert errors == ""
        lines += output.splitlines()
        with Archive.open(address, **NEW) as archive:
            there = [stored.item.id for stored in archive.since()]
        assert len(set(there)) == len(there)
        assert set(acknowledged(lines)) <= set(there)
        assert not deleted(lines) & set(there)
        mine = acknowledged(output.splitlines())
        assert [one for one in there if one in set(mine)] == mine
    following.kill()
    following.communicate()
    assert len(acknowledged(lines)) > KILLS


@pytest.mark.slow
def test_two_that_add_and_one_that_asks_lose_nothing_and_starve_nobody(tmp_path):
    address, seconds = tmp_path / "trip.memory", 60
    Archive.open(address, **NEW).close()
    writers = [start(address, name, seconds) for name in ("one", "other")]
    lines: list[list[str]] = [[], []]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    readers = [
        threading.Thread(target=lambda at=at: lines[at].extend(writers[at].stdout.read().splitlines()))
        for at in range(2)
    ]
    for thread in readers:
        thread.start()
    asked = 0
    with Archive.open(address, read_only=True) as archive:
        while any(writer.poll() is None for writer in writers):
            for found in archive.search(text="word1", key=[1, 0, 0, 0, 0], k=5):
                assert found.item.source in ("one", "other")
            asked += 1
        for thread in readers:
            thread.join()
        assert [writer.stderr.read() for writer in writers] == ["", ""]
        assert [writer.returncode for writer in writers] == [0, 0]
        there = [stored.item.id for stored in archive.since()]
    due = [acknowledged(mine) for mine in lines]
    assert sorted(there) == sorted(due[0] + due[1])
    for mine in due:
        assert [one for one in there if one in set(mine)] == mine
    counts = sorted(len(mine) for mine in due)
    assert counts[0] > counts[1] / 2
    assert asked > 20
