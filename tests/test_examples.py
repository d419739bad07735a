"""Every example in the README and the documentation runs: Python as it stands, command lines through the real parser.

A block that cannot run here has `<!-- not run: REASON -->` on the line above it, and only those listed below may.
"""

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from mm_memgpt.cli import main, parser

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
NOT_RUN = 3
"""Blocks that need what a test has not: a hub."""

_BLOCK = re.compile(r"(?P<note><!-- not run: [^>]+-->\n)?^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    page: Path
    line: int
    language: str
    code: str
    runs: bool


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(page, text.count("\n", 0, m.start("code")) + 1, m["language"], m["code"], m["note"] is None)
        for m in _BLOCK.finditer(text)
    ]


ALL = [block for page in PAGES for block in blocks(page)]
WITH_PYTHON = sorted({block.page for block in ALL if block.language == "python" and block.runs})


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder to write into, with what a checkout holds beside it."""
    for name in ("demos", "recipes", "docs", "README.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_runs_in_order(page, folder, capsys, monkeypatch):
    module = ModuleType("example_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for block in blocks(page):
        if block.language == "python" and block.runs:
            code = "\n" * (block.line - 1) + block.code  # so that a traceback names the page's own line
            exec(compile(code, str(page.relative_to(ROOT)), "exec"), module.__dict__)


def commands() -> list[tuple[str, list[str]]]:
    """Every call of mm-memgpt in a shell block, and where it stands."""
    found = []
    for block in ALL:
        if block.language in ("bash", "sh", "console"):
            for number, line in enumerate(block.code.replace("\\\n", "  ").splitlines()):
                _, begins, call = line.partition("mm-memgpt ")
                if begins and "pip install" not in line:
                    words = shlex.split(call.split("#")[0].split(" | ")[0])
                    found.append((f"{block.page.relative_to(ROOT)}:{block.line + number}", words))
    return found


@pytest.mark.parametrize(("place", "words"), commands(), ids=lambda given: given if isinstance(given, str) else "")
def test_a_command_line_is_one_that_the_parser_takes(place, words):
    assert parser().parse_args(words).run


def test_the_captions_that_the_pages_show_can_be_written(folder, capsys):
    shown = {tuple(words) for _, words in commands() if words[0] == "caption" and "-" not in words}
    runnable = [words for words in shown if not any(word.isupper() or word.startswith("INPUT") for word in words)]
    assert len(runnable) >= 3
    for words in runnable:
        assert main(["caption", *(word.replace("/tmp/", "") for word in words[1:]), "--beams", "1"]) == 0, words


def test_few_examples_are_left_out():
    assert sum(not block.runs for block in ALL) <= NOT_RUN


def test_every_page_of_the_documentation_is_in_its_contents():
    contents = (ROOT / "mkdocs.yml").read_text()
    missing = [page for page in PAGES[1:] if str(page.relative_to(ROOT / "docs")) not in contents]
    assert [page for page in missing if ROOT / "docs" in page.parents] == []
