"""The demo in a browser: its pages put together as tabs, and the server they come from.

Notable: nothing leaves the machine and nothing is fetched, no fonts and no statistics; requests queue and run one after
another, each with its own inputs and outputs, so that two people's cannot mix; uploads are deleted when they are an
hour old, and all of them at the end.
"""

import errno
import io
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reports to its makers from its import on

try:
    import gradio
except ModuleNotFoundError as error:
    if error.name != "gradio":
        raise
    raise ImportError('the demo needs Gradio: pip install "mm-memgpt[demo]"') from error

from mm_memgpt.datasets.files import reason
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve import clip, memory, photo, sound, text, writing
from mm_memgpt.serve.look import CSS, theme
from mm_memgpt.serve.options import HOUR, Options
from mm_memgpt.types import InputError


class Demo(gradio.Blocks):
    """An app that does, when it ends, what its pages left to be done then."""

    def __init__(self, ending: ExitStack, **settings: Any) -> None:
        super().__init__(**settings)
        self.ending = ending

    def close(self, verbose: bool = True) -> None:
        """Ends the server, then the pages."""
        super().close(verbose)
        self.ending.close()


Page = Callable[[Pipeline, Options], None]
"""Lays out one page inside the open Blocks."""

PAGES: Mapping[str, Page] = {
    "Photo": photo.add,
    "Sound": sound.add,
    "Clip": clip.add,
    "Memory": memory.add,
    "Write": writing.add,
}
"""The demo's tabs, one file each."""
READING: Mapping[str, Page] = {"Text": text.add}
"""Those behind them where models of tasks are shown that explain what they say."""

TITLE = "mm_memgpt: photos, sounds and clips become sentences"
MAX_UPLOAD = "256mb"
"""Of a clip mostly: some minutes as a phone films them."""
WAITING = 64
"""Requests in the queue at most; more are told that it is full."""
SETTINGS = {
    "quiet": True,
    "max_file_size": MAX_UPLOAD,
    "footer_links": [],
    "run_history": False,  # it keeps uploads in the browser
    "enable_monitoring": False,
    "ssr_mode": False,
    "mcp_server": False,
}
"""What else Gradio is told: the page as it is here, and nothing beside it."""


def build(model: Pipeline, options: Options | None = None, pages: Mapping[str, Page] = PAGES) -> gradio.Blocks:
    """The demo as a Gradio app, not started yet.

    Args:
        model: what the pages show.
        options: how they show it.
        pages: names of tabs and what lays each out; a single page has no tab.

    Raises:
        InputError: an example photo that cannot be used.
    """
    options = options or Options()
    pages = {**pages, **READING} if any(each.task.explained for each in options.readers.values()) else pages
    with Demo(options.ending, title=TITLE, analytics_enabled=False, delete_cache=(HOUR, HOUR)) as blocks:
        gradio.Markdown(f"# {TITLE}")
        with gradio.Tabs() if len(pages) > 1 else nullcontext():
            for name, add in pages.items():
                with gradio.Tab(name) if len(pages) > 1 else nullcontext():
                    add(model, options)
        gradio.Markdown(
            f"Model: {options.name}. What you give it is read on the machine that runs this demo, and deleted when it "
            "ends."
        )
    return blocks.queue(max_size=WAITING, default_concurrency_limit=1)


@contextmanager
def serving(blocks: gradio.Blocks, host: str = "127.0.0.1", port: int = 7860, share: bool = False) -> Iterator[str]:
    """Serves the app in the background while the context is open, and yields its address.

    Args:
        blocks: what `build` returned, or any other Gradio app.
        host: address to listen at; "0.0.0.0" is every one of this machine.
        port: 0 takes a free one.
        share: also open a public address, through Gradio's servers; it is the one yielded.

    Raises:
        InputError: the host is none of this machine's, the port is taken, or no public address can be had.
    """
    port = free_port(host, port)
    try:
        with redirect_stdout(io.StringIO()):  # what Gradio prints, the caller and the errors here say shorter
            _, local, public = blocks.launch(
                server_name=f"[{host}]" if ":" in host else host,
                server_port=port,
                share=share,
                prevent_thread_lock=True,
                inline=False,
                theme=theme(),
                css=CSS,
                **SETTINGS,
            )
        if share and public is None:
            raise InputError(
                "no public address to be had from Gradio's servers; check the network or leave out --share"
            )
        yield public or local
    finally:
        blocks.close(verbose=False)


def free_port(host: str, port: int) -> int:
    """`port`, or any free one where it is 0.

    Raises:
        InputError: it is taken or may not be used, or `host` is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left counts as free
            probe.bind(address)
            return probe.getsockname()[1]
    except PermissionError:
        raise InputError(f"port {port}: ports below 1024 need more rights; try --port 7860") from None
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is taken; stop what uses it, or give --port 0 for any free one") from None
        raise InputError(f"host {host}: no address of this machine ({reason(error)}); try --host 127.0.0.1") from None
