"""The page on which a memory is filled, asked and made to forget: give things, see what was kept, ask, read a receipt.

Notable: each visitor has a memory of their own in a temporary folder, which is deleted when they leave the page, and at
the latest when the demo ends; an answer is taken away when anything is forgotten, because it may show it.
"""

import gradio
from gradio.context import Context

from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve.asking import LONGEST
from mm_memgpt.serve.memory_events import FIRST, Events
from mm_memgpt.serve.memory_timeline import EMPTY
from mm_memgpt.serve.memory_visitors import LONGEST_PART
from mm_memgpt.serve.options import MODEL, Options

INTRODUCTION = (
    "The model keeps what you give it in one memory, answers from it, shows what each word rests on, and forgets what "
    "you name. The memory is yours alone, and deleted when you leave this page. A note may be a text file (.txt); a "
    "file of facts has a head, a relation and a tail a line, with tabs between (.tsv)."
)
LONGEST_NOTE = 20_000
"""Letters of a note that is typed; a longer one comes as a file."""


def add(model: Pipeline, options: Options) -> None:
    """Lays the page out inside the open Blocks, and says what happens on it."""
    gradio.Markdown(INTRODUCTION)
    with gradio.Row():
        with gradio.Column(min_width=320):
            files = gradio.File(
                label="Photos, sounds, clips, notes, facts",
                file_count="multiple",
                height=160,
                elem_id="memory-files",
            )
            note = _box("A note", "The key hangs behind the door.", "Keep", LONGEST_NOTE, lines=6)
            fact, tell = _fact()
            told = gradio.HTML("", elem_id="memory-told", padding=True)
            kept = gradio.HTML(EMPTY, elem_id="memory-timeline", padding=True)
            source = gradio.Dropdown([], label="Something to forget", elem_id="memory-source")
            forget = gradio.Button("Forget", elem_id="memory-forget", variant="stop")
            proof = gradio.HTML("", elem_id="memory-receipt", padding=True)
        with gradio.Column(min_width=320):
            asks = _box("A question", "Where is the key?", "Ask", LONGEST, lines=1)
            said = gradio.HTML(FIRST, elem_id="memory-answer", padding=True, container=True)

    demo = Context.root_block
    events = Events(model, demo.upload_file_set)
    run = {"concurrency_id": MODEL, "api_visibility": "private", "preprocess": False}
    outputs = [told, kept, source]
    files.upload(events.given, files, [files, *outputs], trigger_mode="multiple", show_progress_on=told, **run)
    note.submit(events.noted, note, [note, *outputs], show_progress_on=told, **run)
    for event in (tell.click, *(part.submit for part in fact)):
        event(events.told, fact, [*fact, *outputs], show_progress_on=told, **run)
    asks.submit(events.asked, asks, said, **run)
    forget.click(events.forgotten, source, [proof, said, kept, source], show_progress_on=proof, **run)
    demo.unload(events.left)
    options.ending.callback(events.visitors.close)


def _box(label: str, example: str, button: str, letters: int, lines: int) -> gradio.Textbox:
    return gradio.Textbox(
        label=label,
        placeholder=example,
        max_lines=lines,
        max_length=letters,
        submit_btn=button,
        elem_id=f"memory-{label.split()[-1]}",
    )


def _fact() -> tuple[list[gradio.Textbox], gradio.Button]:
    """Three boxes that make a fact, and the button that keeps it."""
    with gradio.Row():
        parts = [
            gradio.Textbox(
                label=part.capitalize(),
                placeholder=example,
                max_length=LONGEST_PART,
                min_width=80,
                elem_id=f"memory-{part}",
            )
            for part, example in (("head", "Rex"), ("relation", "is a"), ("tail", "dog"))
        ]
    return parts, gradio.Button("Keep the fact", elem_id="memory-tell")
