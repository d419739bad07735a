"""`mm-memgpt demo`: the model in a browser, until Ctrl-C.

Notable: the port is looked at before the model is loaded, so that a mistake is told at once.
"""

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mm_memgpt.commands.inputs import expand
from mm_memgpt.pipeline import load
from mm_memgpt.serve.demo import build, free_port, serving
from mm_memgpt.serve.options import Options, packaged_photos

if TYPE_CHECKING:
    from mm_memgpt.task_pipeline import TaskPipeline


def run(arguments: Namespace) -> int:
    """Serves the demo and says where; Ctrl-C ends it."""
    port = free_port(arguments.host, arguments.port)
    options = Options(
        name=arguments.model,
        beams=arguments.beams,
        examples=examples(arguments.examples),
        readers=readers(arguments.read, arguments.device),
    )
    blocks = build(load(arguments.model, arguments.device), options)
    with serving(blocks, arguments.host, port, arguments.share) as address:
        print(f"{arguments.model} at {address} until Ctrl-C", flush=True)
        while blocks.is_running:
            time.sleep(0.2)
    return 0


def readers(folders: Sequence[str], device: str | None) -> "dict[str, TaskPipeline]":
    """The models of tasks in `folders`."""
    if not folders:
        return {}
    from mm_memgpt.task_pipeline import load_task  # a demo without them needs nothing of what they need

    return {folder: load_task(folder, device) for folder in folders}


def examples(folder: str | None) -> list[Path]:
    """The photos in `folder` and below it, or those that came with the package where it is None."""
    if folder is None:
        return packaged_photos()
    entries = list(expand([folder], []))
    for entry in entries:
        if entry.error is not None:
            raise entry.error
    return [Path(entry.path) for entry in entries]
