"""Hooks of MkDocs: the package as it installs for mkdocstrings, and the command line's own help as a page.

Notable: mkdocstrings reads sources without importing them, so it would look for mm_memgpt.encoders in vain in a
checkout, where encoders/ lies beside the package.
"""

import shutil
import tempfile
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
COMMAND_LINE = "reference/cli.md"
_layout = tempfile.TemporaryDirectory()


@event_priority(100)  # before mkdocstrings looks at its settings
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Copies the sources into one tree, and points mkdocstrings at it."""
    package = Path(_layout.name) / "mm_memgpt"
    parts = {"mm_memgpt": package, "encoders": package / "encoders", "datasets": package / "datasets"}
    for source, target in parts.items():
        only = shutil.ignore_patterns("__pycache__", "weights")
        shutil.copytree(ROOT / source, target, ignore=only, dirs_exist_ok=True)
    config.plugins["mkdocstrings"].config["handlers"]["python"]["paths"] = [_layout.name]
    return config


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Appends every command's help to the page of the command line."""
    if page.file.src_uri != COMMAND_LINE:
        return markdown
    from mm_memgpt.cli import parser

    return "\n".join([markdown, *_help(parser())])


def _help(parser: ArgumentParser) -> Iterator[str]:
    """The help of a command and of those below it, as Markdown."""
    parser.formatter_class = lambda prog: ArgumentParser().formatter_class(prog, width=100)
    yield f"## {parser.prog}\n\n```text\n{parser.format_help()}```\n"
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for command in action.choices.values():
                yield from _help(command)
