"""`mm-memgpt demo` says where it is, ends with Ctrl-C and leaves nothing behind; what is wrong is one line at once."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from uuid import uuid4

import pytest

from mm_memgpt.cli import main


def error_line(capsys) -> str:
    output, errors = capsys.readouterr()
    [line] = errors.splitlines()
    assert output == ""
    return line


def test_its_help_imports_nothing_heavy():
    code = (
        "import sys; from mm_memgpt.cli import main\n"
        "assert main(['demo', '--help']) == 0\n"
        "print(sorted({'gradio', 'torch', 'transformers', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("[]\n"), done.stderr


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_is_a_number_from_0_to_65535(port, capsys):
    assert main(["demo", f"--port={port}"]) == 2
    assert f"{port!r} is not a port" in capsys.readouterr().err


def test_without_gradio_it_names_the_extra(monkeypatch, capsys):
    for module in ("mm_memgpt.commands.demo", "mm_memgpt.serve.demo"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["demo"]) == 1
    assert error_line(capsys) == 'mm-memgpt: error: the demo needs Gradio: pip install "mm-memgpt[demo]"'


def test_a_port_that_is_taken_is_one_line_before_the_model_is_looked_for(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["demo", "--port", str(port), "--model", "./none"]) == 1
    assert error_line(capsys).startswith(f"mm-memgpt: error: port {port} is taken; ")


def test_a_folder_without_photos_is_one_line(tmp_path, capsys):
    assert main(["demo", "--port", "0", "--examples", str(tmp_path)]) == 1
    assert error_line(capsys).startswith(f"mm-memgpt: error: {tmp_path}: no photo in this folder; ")


def test_no_public_address_is_one_line(tiny_model_folder, monkeypatch, capsys):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # nobody listens there, so nothing leaves this machine
    assert main(["demo", "--port", "0", "--model", str(tiny_model_folder), "--share"]) == 1
    assert error_line(capsys).startswith("mm-memgpt: error: no public address to be had")


def test_it_serves_until_ctrl_c_and_leaves_no_upload_behind(tiny_model_folder, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "mm_memgpt", "demo", "--port", "0", "--model", tiny_model_folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "GRADIO_TEMP_DIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background job ignores it
    )
    try:
        line = process.stdout.readline()
        assert line.startswith(f"{tiny_model_folder} at http://127.0.0.1:"), process.stderr.read()
        address = line.split()[2]
        assert "mm_memgpt: photos, sounds and clips become sentences" in fetch(address)
        fetch(f"{address}gradio_api/upload", upload=b"somebody's photo")
        assert [path.read_bytes() for path in tmp_path.rglob("mine.jpg")] == [b"somebody's photo"]
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, output, errors) == (128 + signal.SIGINT, "", "")
    assert not [*tmp_path.rglob("mine.jpg")]


def fetch(address: str, upload: bytes | None = None) -> str:
    """What the address answers, after giving it a file where there is one."""
    request = urllib.request.Request(address)
    if upload is not None:
        edge = uuid4().hex.encode()
        head = b'Content-Disposition: form-data; name="files"; filename="mine.jpg"\r\n\r\n'
        request.data = b"--" + edge + b"\r\n" + head + upload + b"\r\n--" + edge + b"--\r\n"
        request.add_header("Content-Type", f"multipart/form-data; boundary={edge.decode()}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()
