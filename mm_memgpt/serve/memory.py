"""The page on which a memory is filled, asked and made to forget: give things, see what was kept, ask, read a receipt.

Notable: each visitor has a memory of their own in a temporary folder, which is deleted when they leave the page, and at
the latest when the demo ends; an answer is taken away when anything is forgotten, because it may show it.
"""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import gradio
from gradio.context import Context
from gradio.utils import get_upload_folder

from mm_memgpt.pipeline import Pipeline
from mm_memgpt.recollection.results import Added
from mm_memgpt.serve.asking import LONGEST
from mm_memgpt.serve.memory_answer import answer
from mm_memgpt.serve.memory_receipt import receipt
from mm_memgpt.serve.memory_timeline import EMPTY, counted, timeline
from mm_memgpt.serve.memory_visitors import Visitor, Visitors
from mm_memgpt.serve.options import MODEL, Options
from mm_memgpt.serve.words import hint, problem
from mm_memgpt.types import InputError

INTRODUCTION = (
    "The model keeps what you give it in one memory, answers from it, shows what each word rests on, and forgets what "
    "you name. The memory is yours alone, and deleted when you leave this page."
)
FIRST = hint("Give photos, sounds, clips or notes, then ask about them.")
LONGEST_NOTE = 20_000
"""Letters of a note that is typed; a longer one comes as a file."""
PROGRESS = gradio.Progress()
"""As a default, it makes Gradio give a function what it can tell how far it is."""


def add(model: Pipeline, options: Options) -> None:
    """Lays the page out inside the open Blocks, and says what happens on it."""
    visitors = Visitors(model)
    gradio.Markdown(INTRODUCTION)
    with gradio.Row():
        with gradio.Column(min_width=320):
            files = gradio.File(
                label="Photos, sounds, clips, notes (.txt)", file_count="multiple", height=160, elem_id="memory-files"
            )
            note = gradio.Textbox(
                label="A note",
                placeholder="The key hangs behind the door.",
                max_lines=6,
                max_length=LONGEST_NOTE,
                submit_btn="Keep",
                elem_id="memory-note",
            )
            told = gradio.HTML("", elem_id="memory-told", padding=True)
            kept = gradio.HTML(EMPTY, elem_id="memory-timeline", padding=True)
            source = gradio.Dropdown([], label="Something to forget", elem_id="memory-source")
            forget = gradio.Button("Forget", elem_id="memory-forget", variant="stop")
            proof = gradio.HTML("", elem_id="memory-receipt", padding=True)
        with gradio.Column(min_width=320):
            asks = gradio.Textbox(
                label="A question",
                placeholder="Where is the key?",
                max_lines=1,
                max_length=LONGEST,
                submit_btn="Ask",
                elem_id="memory-question",
            )
            said = gradio.HTML(FIRST, elem_id="memory-answer", padding=True, container=True)

    def visitor(request: gradio.Request) -> Visitor:
        return visitors.of(request.session_hash, get_upload_folder())

    def given(
        uploads: list[dict[str, Any]] | None, request: gradio.Request, progress: gradio.Progress = PROGRESS
    ) -> tuple[None, str, str, Any]:
        me = visitor(request)
        with me.lock:
            added = [me.keep(each["path"], each["orig_name"] or "file", shown_by(progress)) for each in uploads or ()]
            return None, report(added), *state(me)

    def noted(text: str, request: gradio.Request, progress: gradio.Progress = PROGRESS) -> tuple[str, str, str, Any]:
        me = visitor(request)
        with me.lock:
            try:
                added = me.note(text, shown_by(progress))
            except InputError as error:
                return text, problem(str(error)), *state(me)
            return text if added.errors else "", report([added]), *state(me)

    def asked(question: str, request: gradio.Request) -> str:
        me = visitor(request)
        with me.lock:
            try:
                return answer(model, question, me.ask(question), me.files)
            except InputError as error:
                return problem(str(error))

    def forgotten(name: str | None, request: gradio.Request) -> tuple[str, str, str, Any]:
        me = visitor(request)
        with me.lock:
            try:
                if name is None:
                    raise InputError("nothing is chosen; choose what is to be forgotten")
                return receipt(me.forget(name)), FIRST, *state(me)
            except InputError as error:
                return problem(str(error)), gradio.skip(), *state(me)

    def left(request: gradio.Request) -> None:
        visitors.leave(request.session_hash)

    run = {"concurrency_id": MODEL, "api_visibility": "private", "preprocess": False}
    files.upload(given, files, [files, told, kept, source], trigger_mode="multiple", show_progress_on=told, **run)
    note.submit(noted, note, [note, told, kept, source], show_progress_on=told, **run)
    asks.submit(asked, asks, said, **run)
    forget.click(forgotten, source, [proof, said, kept, source], show_progress_on=proof, **run)
    Context.root_block.unload(left)
    options.ending.callback(visitors.close)


def shown_by(progress: gradio.Progress) -> Any:
    """What tells the page how far the reading of a source is."""
    return lambda source, items, done: progress(done, desc=f"{Path(source).name}: {counted(items, 'item')}")


def state(visitor: Visitor) -> tuple[str, Any]:
    """What a visitor's memory holds, as HTML, and the sources that they can have forgotten."""
    return timeline(visitor.timeline(), visitor.files), gradio.Dropdown(list(visitor.files), value=None)


def report(added: Iterable[Added]) -> str:
    """What became of each thing that was given, in a line of its own."""
    lines = []
    for each in added:
        lines += [f"{source}: {counted(each.items, 'item')} kept" for source in each.sources]
        lines += [f"{source}: {why}" for source, why in each.skipped]
    told = f'<p class="mm-facts" role="status">{"<br>".join(map(escape, lines))}</p>' if lines else ""
    return told + "".join(problem(str(error)) for each in added for error in each.errors)
