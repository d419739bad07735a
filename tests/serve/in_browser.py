"""Captions a photo in a demo that is running, and compares the sentence with what the command line wrote of it.

python tests/serve/in_browser.py ADDRESS PHOTO CAPTION.json
"""

import json
import shutil
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

FLAGS = ("--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu")
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 90
"""Seconds a demo may take to start."""


def wait_for(address: str) -> None:
    """Returns when the demo answers. Raises URLError where it does not in time."""
    for attempt in range(PATIENCE):
        try:
            urlopen(address, timeout=5).close()
            return
        except URLError:
            if attempt == PATIENCE - 1:
                raise
            time.sleep(1)


def main(address: str, photo: str, written: str) -> None:
    due = json.loads(Path(written).read_text())["caption"]
    wait_for(address)
    with sync_playwright() as playwright:
        installed = next(filter(None, map(shutil.which, NAMES)), None)
        page = playwright.chromium.launch(executable_path=installed, args=FLAGS).new_page()
        page.goto(address)
        page.set_input_files("input[type=file]", photo)
        page.locator(".mm-word").first.wait_for()
        words = page.locator(".mm-word").evaluate_all("words => words.map(word => word.firstChild.data)")
    assert " ".join(words) == due, f"the demo says {words}, the command line {due!r}"
    print(due)


if __name__ == "__main__":
    main(*sys.argv[1:])
