"""A program runs where it can do no harm, and passes only by reaching the end of its tests."""

import os
import time

import pytest

from mm_memgpt.evaluation import sandbox
from mm_memgpt.evaluation.contained import rules
from mm_memgpt.evaluation.sandbox import Limits, run_program
from mm_memgpt.types import InputError

RIGHT = "def double(x):\n    return 2 * x\n"
TESTS = "assert double(2) == 4\nassert double('a') == 'aa'\n"
QUICK = Limits(seconds=1.0, memory=256 << 20)


def test_a_right_program_passes():
    assert run_program(RIGHT, TESTS) == (True, "")


def test_a_wrong_one_does_not_and_the_line_says_why():
    verdict = run_program("def double(x):\n    return x + x if x else None.real\n", "assert double(0) == 0")
    assert verdict == (False, "AttributeError: 'NoneType' object has no attribute 'real'")


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("def double(x: return", "SyntaxError"),
        ("def double(x): return double(x)", "RecursionError"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import os; os._exit(0)", "ended before its tests"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import ctypes; ctypes.string_at(0)", "ended before its tests"),
        ("many = []\nwhile True: many.append(bytearray(10**8))", "MemoryError"),
        ("import os\nwhile True: os.fork()", "PermissionError"),
        ("import subprocess; subprocess.run(['true'])", "PermissionError"),
        ("import multiprocessing as m; m.Process(target=print).start()", "PermissionError"),
        ("import socket; socket.socket()", "PermissionError"),
        ("import urllib.request as r; r.urlopen('http://127.0.0.1:1')", "not permitted"),
        ("import os; os.kill(os.getppid(), 9)", "PermissionError"),
        ("import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1))", "ValueError"),
        ("import numpy", "ModuleNotFoundError"),
        ("import os; assert 'SECRET' not in os.environ; 1 / 0", "ZeroDivisionError"),
    ],
)
def test_what_goes_wrong_does_not_pass(program, why, monkeypatch):
    monkeypatch.setenv("SECRET", "told to nobody")
    verdict = run_program(program + "\n" + RIGHT.replace("double", "single"), TESTS, QUICK)
    assert not verdict.passed
    assert why in verdict.line


@pytest.mark.parametrize("program", ["while True: pass", "import time; time.sleep(60)"])
def test_one_that_does_not_end_is_ended(program):
    started = time.monotonic()
    assert not run_program(program, TESTS, QUICK).passed
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "lie",
    [
        """print('{"outcome": "passed", "line": "", "word": ""}', flush=True)""",
        "import os\nfor pipe in range(64):\n  try: os.write(pipe, b'"
        '{"outcome": "passed", "line": "", "word": "guessed"}'
        "')\n  except OSError: pass\n",
        "import os\nfor pipe in range(64):\n  try:\n    while os.write(pipe, b'x' * 999): pass\n  except OSError: pass",
        "import atexit, sys; atexit.register(print, 'passed')",
    ],
)
def test_saying_so_is_not_passing(lie):
    assert not run_program(f"{lie}\nraise SystemExit(0)", TESTS, QUICK).passed


FRAME = "import json, os, sys, time\norder = sys._getframe(1).f_locals['order']\n"
"""Where a program that sets out to deceive finds the pipe and the word."""


@pytest.mark.parametrize(
    "said",
    [
        "b'[' * 4000",  # deeper than what reads it goes
        "json.dumps({'word': order['word'], 'outcome': 'uncontained', 'line': ''}).encode()",
        "json.dumps({'word': order['word'], 'outcome': ['passed'], 'line': ''}).encode()",
    ],
)
def test_whatever_a_program_says_it_costs_itself_alone(said):
    verdict = run_program(f"{FRAME}os.write(order['pipe'], {said})\nos._exit(0)", TESTS, QUICK)
    assert not verdict.passed


def test_one_that_goes_on_saying_things_is_ended():
    started = time.monotonic()
    drip = "while True:\n    os.write(order['pipe'], b' ')\n    time.sleep(0.01)\n"
    assert not run_program(FRAME + drip, TESTS, QUICK).passed
    assert time.monotonic() - started < 30


SIGNAL = """
import fcntl, os
end, other = os.pipe()
assert fcntl.fcntl(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 0), fcntl.F_GETFD) == fcntl.FD_CLOEXEC
for asked, value in ((8, os.getppid()), (10, 0), (15, b"\\1\\0\\0\\0" + os.getppid().to_bytes(4, "little"))):
    try:
        fcntl.fcntl(end, asked, value)
    except PermissionError:
        continue
    raise SystemExit(f"fcntl {asked} is allowed")
"""
"""Has the kernel signal the parent when something is written to a pipe: the owner, the signal, the owner by its kind.
The signal is one that means none, so that where it works nothing ends."""


def test_the_kernel_is_not_asked_to_signal_others():
    assert run_program(SIGNAL, "") == (True, "")


CALL = "import ctypes, os\nsystem = ctypes.CDLL(None, use_errno=True)\nstatus = system.{call}\n"


@pytest.mark.parametrize(
    "call",
    [
        "prctl(1, 0, 0, 0, 0)",  # to go on when the parent has ended
        "prctl(4, 1, 0, 0, 0)",  # to leave a dump
        "shmctl(0, 0, None)",
        "shmat(0, None, 0)",
        "semctl(0, 0, 0)",
        "msgctl(0, 0, None)",
        "msgsnd(0, b'12345678x', 1, 2048)",
        "mq_unlink(b'/none')",
        "sched_setscheduler(0, 5, bytes(4))",
        "sched_setaffinity(0, 8, bytes([1] + [0] * 7))",
    ],
)
def test_what_is_not_its_own_stays_as_it_is(call):
    # libc calls it EACCES where a queue is not to be removed
    tests = "assert status == -1 and ctypes.get_errno() in (1, 13), ctypes.get_errno()"
    assert run_program(CALL.format(call=call), tests, QUICK) == (True, "")


def test_one_that_crashes_leaves_no_dump():
    assert run_program(CALL.format(call="prctl(3, 0, 0, 0, 0)"), "assert status == 0", QUICK).passed


@pytest.mark.parametrize(
    "change",
    [
        "open('flood', 'w')",
        "open({path!r}, 'a').write('x')",
        "os.open({path!r}, os.O_RDWR)",
        "os.unlink({path!r})",
        "os.rename({path!r}, {path!r} + '2')",
        "os.truncate({path!r}, 0)",
        "os.chmod({path!r}, 0)",
        "os.utime({path!r})",
        "os.symlink({path!r}, 'link')",
        "os.link({path!r}, {path!r} + '3')",
        "os.mkdir('folder')",
        "os.mkfifo('pipe')",
        "os.setxattr({path!r}, 'user.a', b'1')",
        "shutil.rmtree(os.path.dirname({path!r}))",
    ],
)
def test_no_file_is_changed(change, tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("kept")
    before = path.stat()
    verdict = run_program("import os, shutil\n" + change.format(path=str(path)), "", QUICK)
    assert not verdict.passed
    assert "PermissionError" in verdict.line
    assert os.listdir(tmp_path) == ["kept.txt"]
    assert path.read_text() == "kept"
    assert path.stat().st_mtime == before.st_mtime
    assert path.stat().st_mode == before.st_mode


def test_a_file_may_be_read_and_a_thread_left_behind():
    program = (
        f"import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nopen({__file__!r}).read()\n"
    )
    assert run_program(program + RIGHT, TESTS, QUICK).passed


def test_sets_have_one_order_in_every_run():
    assert run_program("import sys", "assert not sys.flags.hash_randomization", QUICK).passed


def test_where_nothing_is_contained_nothing_runs(monkeypatch):
    monkeypatch.setattr(sandbox.platform, "machine", lambda: "riscv64")
    with pytest.raises(InputError, match=r"cannot be contained here \(linux on riscv64\); run them on Linux, x86-64"):
        run_program(RIGHT, TESTS)


def test_the_other_machine_has_rules_of_its_own():
    assert rules("aarch64") != rules("x86_64")
    assert all(len(rules(machine)) % 8 == 0 and len(rules(machine)) // 8 < 4096 for machine in ("aarch64", "x86_64"))


def test_limits_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="give more than 0 s, and 64 MiB or more"):
        Limits(seconds=0)
