"""Ctrl-C ends a command with one exit status, whatever a library makes of it."""

import signal
import subprocess
import sys
from argparse import Namespace

import pytest

from mm_memgpt import cli


@pytest.fixture
def command(monkeypatch):
    """`command(error)`: the status of one in which a library takes Ctrl-C for such an error of its own."""

    def run(error: Exception, presses: bool = True) -> int:
        def work(_: Namespace) -> int:
            try:
                if presses:
                    signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                pass
            raise error

        monkeypatch.setattr(cli, "parser", lambda: Namespace(parse_args=lambda _: Namespace(run=work)))
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits deaf ears
        try:
            status = cli.main([])
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            return status
        finally:
            signal.signal(signal.SIGINT, before)

    return run


@pytest.mark.parametrize("error", [RuntimeError("half made"), ModuleNotFoundError("Could not import GenerationMixin")])
def test_what_a_library_makes_of_ctrl_c_is_no_traceback(command, error, capsys):
    assert command(error) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("error", [ImportError("pip install 'mm-memgpt[demo]'"), FileNotFoundError(2, "", "a.png")])
def test_an_error_that_ctrl_c_cannot_make_is_told(command, error, capsys):
    assert command(error, presses=False) == 1
    assert capsys.readouterr().err.startswith("mm-memgpt: error: ")


def test_a_full_disk_after_ctrl_c_is_told(command, capsys):
    assert command(OSError(28, ""), presses=True) == 1
    assert capsys.readouterr().err == "mm-memgpt: error: output: No space left on device\n"


def test_a_bug_without_ctrl_c_traces_back(command):
    with pytest.raises(RuntimeError, match="half made"):
        command(RuntimeError("half made"), presses=False)


def test_where_ctrl_c_is_ignored_it_stays_so(monkeypatch):
    work = Namespace(run=lambda _: signal.raise_signal(signal.SIGINT) or 0)
    monkeypatch.setattr(cli, "parser", lambda: Namespace(parse_args=lambda _: work))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert cli.main([]) == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


IMPORTING = """
import signal
from mm_memgpt.interrupt import ending, remembered

signal.signal(signal.SIGINT, signal.default_int_handler)
with remembered(), ending():
    try:
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        print("caught")
"""


def test_while_libraries_are_imported_the_signal_itself_ends_the_process():
    done = subprocess.run([sys.executable, "-c", IMPORTING], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
