"""The page on which a clip becomes a sentence: upload or record one, see what was kept of it, and read.

Notable: what the model says of the newest frame is shown as it goes; the frames come at the end, each with its second
and its sentence, in a step of their own, because Gradio forgets to delete the pictures of a gallery that was once told
to stay as it is; what came before a clip breaks off is shown, too.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio
from PIL.Image import Image

from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve.asking import gone, question, told
from mm_memgpt.serve.options import HOUR, MODEL, Options
from mm_memgpt.serve.watching import SILENT, View, watched
from mm_memgpt.serve.words import clock, hint, problem
from mm_memgpt.types import InputError

INTRODUCTION = (
    "The model watches a clip from beginning to end, keeps a frame whenever the picture has changed, once a second at "
    "most, and writes one sentence about it all."
)
PICTURES_ONLY = "This model has no ears: it watches the pictures alone."
FIRST = hint("Give a clip of your own.")


def add(model: Pipeline, options: Options) -> None:
    """Lays the page out inside the open Blocks, and says what happens on it."""
    hears = model.model.audio_encoder is not None
    gradio.Markdown(INTRODUCTION if hears else f"{INTRODUCTION} {PICTURES_ONLY}")
    with gradio.Row(equal_height=True):
        clip = gradio.Video(
            label="Clip", sources=["upload", "webcam"], height=380, min_width=320, elem_id="clip", buttons=[]
        )
        result = gradio.HTML(FIRST, elem_id="clip-result", min_width=320, padding=True, container=True)
    asks = question("What is heard?" if hears else "What is seen?")
    frames = gradio.Gallery(
        label="Frames that were kept",
        elem_id="frames",
        columns=4,
        height="auto",
        object_fit="cover",
        buttons=[],
        interactive=False,
    )
    memory = gradio.State(time_to_live=HOUR)

    def given(upload: dict[str, Any] | None, prompt: str) -> Iterator[tuple[Any, str, View | None]]:
        if upload is None:
            yield gradio.skip(), FIRST, None
            return
        for view in watched(model, upload["path"], upload["orig_name"] or "clip"):
            if view.frames:
                yield gradio.skip(), so_far(view), None
        player = gradio.skip() if view.state.items.any() else None
        yield player, describe(model, view, prompt, options.beams), view

    def kept(view: View | None) -> tuple[list[tuple[Image, str]], View | None]:
        return ([], None) if view is None else (shown(view), view._replace(frames=()))

    def asked(there: dict[str, Any] | None, view: View | None, prompt: str) -> str:
        return FIRST if there is None or view is None else describe(model, view, prompt, options.beams)

    run = {"concurrency_id": MODEL, "api_visibility": "private", "preprocess": False, "show_progress_on": result}
    starts = [clip.upload, clip.stop_recording]
    outputs = [clip, result, memory]
    gradio.on(starts, None, None, frames, js="() => []", api_visibility="private")
    watching = gradio.on(starts, given, [clip, asks], outputs, api_name="clip", trigger_mode="multiple", **run)
    watching.then(kept, memory, [frames, memory], show_progress="hidden", api_visibility="private")
    asks.submit(asked, [clip, memory, asks], result, api_name="ask_clip", **run)
    clip.clear(None, cancels=[watching])
    clip.change(None, [clip, result, frames], [result, frames], js=gone(FIRST, "[]"), api_visibility="private")


def so_far(view: View) -> str:
    """What is said of the newest frame while the clip is being watched."""
    newest = view.frames[-1]
    return f'{hint("Watching.")}<p class="mm-now" role="status">{clock(newest.start)} {escape(newest.said)}</p>'


def shown(view: View) -> list[tuple[Image, str]]:
    """The frames as a gallery takes them."""
    return [(frame.photo, f"{clock(frame.start)} {frame.said}") for frame in view.frames]


def describe(model: Pipeline, view: View, prompt: str, beams: int) -> str:
    """What went wrong, where anything did; the sentence about all that was seen and heard; and how much that was."""
    parts = [] if view.problem is None else [problem(str(view.problem))]
    if view.state.items.any():
        try:
            parts.append(told(model, view.state, " ".join(prompt.split()), beams, "clip")[1])
        except InputError as error:
            return problem(str(error))
        parts.append(f'<p class="mm-facts">{facts(view, model.model.audio_encoder is not None)}</p>')
    return "".join(parts)


def facts(view: View, hears: bool) -> str:
    """What was kept of the clip, in a line."""
    kept = f"{view.seen:,} frame{'' if view.seen == 1 else 's'} kept"
    if view.stride > 1:
        kept += f", one in {view.stride} shown"
    if view.heard == 0:
        return f"{kept}; the clip has no sound."
    if not hears:
        return f"{kept}; its sound was not heard."
    if view.loudest < SILENT:
        return f"{kept}; its sound is silent."
    return f"{kept}; {view.heard:,} piece{'' if view.heard == 1 else 's'} of sound heard."
