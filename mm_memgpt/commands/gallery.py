"""`mm-memgpt gallery`: captions a folder's photos and writes them into a Markdown file, between its markers."""

from argparse import Namespace
from pathlib import Path

from mm_memgpt.commands.inputs import expand
from mm_memgpt.evaluation.gallery import update
from mm_memgpt.pipeline import load


def run(arguments: Namespace) -> int:
    """Captions every photo of the folder, or fails at the first that cannot be used and leaves the file as it was."""
    entries = list(expand([arguments.folder], []))
    for entry in entries:
        if entry.error is not None:
            raise entry.error
    paths = [Path(entry.path) for entry in entries]
    captions = load(arguments.model, arguments.device).caption(paths, arguments.beams, arguments.batch)
    update(Path(arguments.readme), zip(paths, captions, strict=True))
    return 0
