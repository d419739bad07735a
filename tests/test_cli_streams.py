"""A stream that ends, breaks off, stalls or never answers is summed up as far as it came; what is wrong is one line."""

import socket
import struct
import threading
import time

import pytest

from mm_memgpt.datasets import clip_source

SHADES = range(0, 250, 50)


def serve(data: bytes, asked: bool = True, stall: float = 0.0) -> int:
    """The port of a server on loopback that sends this, when it has been `asked` or at once, waits, and hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                if asked:
                    connection.recv(4096)
                connection.sendall(data)
                time.sleep(stall)

    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1]


def http(data: bytes, length: int | None = None) -> bytes:
    """An answer that says it is `length` bytes long, or does not say."""
    said = "" if length is None else f"Content-Length: {length}\r\n"
    return f"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n{said}\r\n".encode() + data


@pytest.fixture
def live(film, tmp_path) -> bytes:
    """What a stream sends; it lies in `live.ts`, too."""
    return film(tmp_path / "live.ts", SHADES).read_bytes()


def test_a_stream_that_ends_is_summed_up(run, live):
    on_disk = run("watch", "live.ts")[1]
    for length in (None, len(live)):
        status, rows, errors = run("watch", f"http://127.0.0.1:{serve(http(live, length))}")
        assert (status, errors) == (0, [])
        assert rows == on_disk


def test_a_stream_that_ends_too_early_is_summed_up_and_is_a_failure(run, live):
    address = f"http://127.0.0.1:{serve(http(live[: len(live) * 3 // 4], len(live)))}"
    status, rows, errors = run("watch", address)
    assert status == 1
    assert errors == [f"{address}: broke off (Input/output error); check the stream and start again"]
    assert [row["kind"] for row in rows][-3:] == ["moment", "summary", "error"]
    assert 2 < rows[-2]["end"] < 4.5


@pytest.mark.parametrize("scheme", ["http", "tcp"])
def test_a_stream_that_stalls_is_summed_up_and_is_a_failure(scheme, run, live, monkeypatch):
    monkeypatch.setattr(clip_source, "TIMEOUT", 0.5)
    came = live[: len(live) * 3 // 4]
    address = f"{scheme}://127.0.0.1:{serve(came if scheme == 'tcp' else http(came), scheme != 'tcp', stall=30)}"
    began = time.monotonic()
    status, rows, errors = run("watch", address)
    assert status == 1
    assert errors == [f"{address}: stalled, nothing came for 0.5 s; check the stream and start again"]
    assert [row["kind"] for row in rows][-3:] == ["moment", "summary", "error"]
    assert 2 < rows[-2]["end"] < 4.5
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("scheme", ["http", "rtsp", "rtmp", "tcp"])
def test_who_never_answers_is_not_waited_for(scheme, run, monkeypatch):
    monkeypatch.setattr(clip_source, "TIMEOUT", 0.4)
    address = f"{scheme}://127.0.0.1:{serve(b'', stall=30)}/live"
    status, rows, errors = run("watch", address)
    assert (status, [row["kind"] for row in rows]) == (1, ["error"])
    assert errors == [f"{address}: no answer within 0.4 s; check that it is running"]


def test_an_address_is_captioned_beside_files(run, live):
    address = f"http://127.0.0.1:{serve(http(live))}"
    status, rows, errors = run("caption", address, "live.ts")
    assert (status, errors) == (0, [])
    assert [row["path"] for row in rows] == [address, "live.ts"]
    assert rows[0]["caption"] == rows[1]["caption"]


SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
"""One track, which is a transport stream (RFC 3551, payload type 33)."""


def camera(data: bytes, stall: float = 0.0) -> int:
    """The port of a camera on loopback: RTSP (RFC 2326), what it films in the same connection; at the end it waits."""
    server = socket.create_server(("127.0.0.1", 0))
    answers = {
        "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}",
        "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n",
        "PLAY": "Session: 1\r\n\r\n",
        "OPTIONS": "Public: DESCRIBE, SETUP, PLAY\r\n\r\n",
    }

    def run() -> None:
        with server:
            connection, _ = server.accept()
            with connection, connection.makefile("rwb") as file:
                while True:
                    asked = file.readline().decode().split()
                    lines = list(iter(file.readline, b"\r\n"))
                    [number] = (line for line in lines if line.startswith(b"CSeq"))
                    file.write(b"RTSP/1.0 200 OK\r\n" + number + answers[asked[0]].encode())
                    file.flush()
                    if asked[0] == "PLAY":
                        break
                for packet, start in enumerate(range(0, len(data), 7 * 188)):
                    sent = (
                        struct.pack(">BBHII", 128, 33, packet % 2**16, packet * 90, 7) + data[start : start + 7 * 188]
                    )
                    file.write(struct.pack(">cBH", b"$", 0, len(sent)) + sent)
                file.flush()
                time.sleep(stall)

    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1]


def test_a_camera_is_watched_until_it_stalls(run, live, monkeypatch):
    monkeypatch.setattr(clip_source, "TIMEOUT", 1.5)
    address = f"rtsp://127.0.0.1:{camera(live, stall=30)}/live"
    status, rows, errors = run("watch", address)
    assert status == 1
    assert errors == [f"{address}: stalled, nothing came for 1.5 s; check the stream and start again"]
    assert [row["kind"] for row in rows][-3:] == ["moment", "summary", "error"]
    assert rows[-2]["end"] > 4
