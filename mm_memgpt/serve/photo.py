"""The page on which a photo becomes a sentence: upload, paste, take or pick one, and read.

Notable: Gradio's own decoding is left out (`preprocess=False`), for it fails with a traceback where the package's
reader says in one line what is wrong; Gradio still sees to it that only what was uploaded is read. The photo comes back
as the model sees it: upright, without transparency, the first frame; so every format that can be read can be seen.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import gradio
from PIL.Image import Image

from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve.asking import gone
from mm_memgpt.serve.options import MODEL, Options
from mm_memgpt.serve.where import where
from mm_memgpt.serve.words import hint, problem, sentence
from mm_memgpt.types import InputError

INTRODUCTION = "The model looks at a photo and writes one sentence about it, and shows how sure it was of every word."
PREVIEW = 1024
"""Longest side, in pixels, at which a photo comes back to the page."""
THUMBNAIL = 256
"""Longest side of an example's."""


def add(model: Pipeline, options: Options) -> None:
    """Lays the page out inside the open Blocks, and says what happens on it."""
    first = hint("Pick an example, or give a photo of your own." if options.examples else "Give a photo of your own.")
    gradio.Markdown(INTRODUCTION)
    with gradio.Row(equal_height=True):
        photo = gradio.Image(
            label="Photo",
            sources=["upload", "clipboard", "webcam"],
            height=380,
            min_width=320,
            buttons=["fullscreen"],
        )
        result = gradio.HTML(first, elem_id="result", min_width=320, padding=True, container=True)
    button = gradio.Button("Where did each word look?", elem_id="look")
    looked = gradio.HTML("", elem_id="where", padding=True)
    seen = gradio.State()
    examples = _gallery(options.examples)

    def given(upload: dict[str, Any]) -> tuple[Image | None, str, str, str]:
        return *describe(model, upload["path"], upload["orig_name"] or "photo", options.beams), upload["path"], ""

    def picked(event: gradio.SelectData) -> tuple[Image | None, str, str, str]:
        path = options.examples[event.index]
        return *describe(model, path, path.name, options.beams), str(path), ""

    def asked(there: dict[str, Any] | None, path: str) -> str:
        return first if there is None else explain(model, path, options.beams)

    run = {"concurrency_id": MODEL, "api_visibility": "private"}
    shown = {
        "outputs": [photo, result, seen, looked],
        "show_progress_on": result,
        "trigger_mode": "multiple",  # who changes their mind while a caption is written gets the last photo's too
        **run,
    }
    photo.upload(given, photo, preprocess=False, **shown)
    examples.select(picked, None, **shown)
    # where a photo goes, by its button or since the next file was too large to upload, what was said of it goes too
    photo.change(None, [photo, result, looked], [result, looked], js=gone(first), api_visibility="private")
    button.click(asked, [photo, seen], looked, preprocess=False, show_progress_on=looked, **run)


def describe(model: Pipeline, path: str | PathLike, name: str, beams: int) -> tuple[Image | None, str]:
    """The photo in a file as the page shows it and its caption, or no photo and what is wrong with it.

    Args:
        model: writes the caption.
        path: where the file lies.
        name: what the user calls it.
        beams: of the search.
    """
    try:
        photo = as_photo(path, name)
        caption = model.caption(path, beams)
    except InputError as error:
        return None, problem(str(error))
    return reduced(photo, PREVIEW), sentence(caption, model.model.config.confidence is not None)


def explain(model: Pipeline, path: str, beams: int) -> str:
    """Where each word of the caption looked on the photo in a file, or what is wrong with the file."""
    try:
        photo = as_photo(path, "photo")
        return where(photo, model.explain(photo, beams=beams))
    except InputError as error:
        return problem(str(error))


def _gallery(photos: Sequence[Path]) -> gradio.Gallery:
    return gradio.Gallery(
        [(reduced(as_photo(path), THUMBNAIL), path.stem) for path in photos],
        label="Examples",
        show_label=False,
        elem_id="examples",
        height="auto",
        allow_preview=False,
        object_fit="cover",
        buttons=[],
        interactive=False,
        visible=bool(photos),
    )


def reduced(photo: Image, side: int) -> Image:
    """The photo itself, made so small that its longer side has at most `side` pixels."""
    photo.thumbnail((side, side))
    photo.info.clear()  # the photo is upright; its note on how to turn it would turn it again
    return photo
