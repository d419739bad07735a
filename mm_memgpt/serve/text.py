"""The page on which models of tasks read: type a text, see what is predicted, and which words speak for it.

Notable: what is typed is shown again by the explanation's own HTML, in which everything is escaped; what a model does
not read is not asked for.
"""

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import gradio
import numpy as np

from mm_memgpt.explain.overlay import overlay
from mm_memgpt.explain.text import METHODS
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve.options import MODEL, Options
from mm_memgpt.serve.words import hint, percent, problem
from mm_memgpt.tasks.base import Prediction
from mm_memgpt.types import InputError

if TYPE_CHECKING:
    from mm_memgpt.task_pipeline import TaskPipeline

INTRODUCTION = (
    "A model that learned a task reads what you give it, says what it predicts, and shows what that rests on: what "
    "is green, on a solid line, speaks for it; what is red, on a dotted one, against it."
)
FIRST = hint("Write a text, or pick an example.")
LONGEST = 5_000
"""Characters of a text: an explanation takes some dozen readings."""
NAMES = {"text": "the text", "text_pair": "the second text", "image": "the photo", "sound": "the sound"}
"""What can be given, by role, and what each is called."""
EXAMPLES = (
    "I laughed, I cried, and I would see it again tomorrow.",
    "The actors do what they can, but the story never wakes up.",
    "Who wrote the letter that Ada Lovelace received in London?",
)
"""Texts to begin with."""

Shown = tuple[Any, str, Any]
"""Probabilities, what was said as HTML, and the photo with what it rests on."""


def add(model: Pipeline, options: Options) -> None:
    """Lays the page out inside the open Blocks, and says what happens on it."""
    readers = {name: reader for name, reader in options.readers.items() if reader.task.explained}
    names = [*readers]
    gradio.Markdown(INTRODUCTION)
    with gradio.Row():
        with gradio.Column(min_width=320):
            chosen = gradio.Dropdown(names, value=names[0], label="Model", elem_id="text-model")
            boxes = _boxes(readers[names[0]].reads)
            method = gradio.Radio([*METHODS], value=next(iter(METHODS)), label="Explained by", elem_id="text-method")
            button = gradio.Button("Read", variant="primary", elem_id="text-read")
            gradio.Examples([[text] for text in EXAMPLES], [boxes[0]], label="Examples", elem_id="text-examples")
        with gradio.Column(min_width=320):
            sure = gradio.Label(label="Prediction", visible=False, elem_id="text-label")
            result = gradio.HTML(FIRST, elem_id="text-result", padding=True, container=True)
            photo = gradio.Image(label="What it rests on", visible=False, interactive=False, elem_id="text-photo")

    def given(name: str, how: str, *values: Any) -> Shown:
        if name not in readers:
            return _nothing(problem(f"no model {name!r}; choose one"))
        return describe(readers[name], dict(zip(NAMES, values, strict=True)), how)

    def changed(name: str) -> list[Any]:
        reads = readers[name].reads if name in readers else ()
        return [*(gradio.update(visible=role in reads) for role in NAMES), *_nothing(FIRST)]

    shown = [sure, result, photo]
    run = {"concurrency_id": MODEL, "api_visibility": "private", "preprocess": False}
    gradio.on(
        [button.click, boxes[0].submit, boxes[1].submit],
        given,
        [chosen, method, *boxes],
        shown,
        show_progress_on=result,
        **run,
    )
    chosen.change(changed, chosen, [*boxes, *shown], **run)


def describe(reader: "TaskPipeline", given: Mapping[str, Any], method: str) -> Shown:
    """What a model says of what was given, and why; or what is wrong with that.

    Args:
        reader: the model.
        given: a text, or an uploaded file, a role; roles that it does not read are passed over.
        method: how it is explained.
    """
    try:
        example = reader.example(_read(reader, given), "what you gave")
        found = reader.explain(example, method)
    except (InputError, ImportError, ValueError) as error:
        return _nothing(problem(str(error)))
    prediction = found.prediction
    said = f'<p class="mm-sentence mm-read">{_value(prediction, example.inputs.text_pair or example.inputs.text)}</p>'
    picture = overlay(example.inputs.image, np.array(found.image)) if found.image else None
    return (
        gradio.update(value=_probabilities(prediction), visible=_probabilities(prediction) is not None),
        said + found.to_html(),
        gradio.update(value=picture, visible=picture is not None),
    )


def _read(reader: "TaskPipeline", given: Mapping[str, Any]) -> dict[str, Any]:
    """What the model reads of what was given.

    Raises:
        InputError: something is missing or too long.
    """
    row: dict[str, Any] = {}
    for role in reader.reads:
        value = given.get(role)
        if isinstance(value, str):
            if not value.strip():
                raise InputError(f"{NAMES[role]} is empty; write something")
            if len(value) > LONGEST:
                raise InputError(f"{NAMES[role]} has {len(value):,} characters; this page reads at most {LONGEST:,}")
            row[role] = value
        elif isinstance(value, Mapping) and "path" in value:
            row[role] = value["path"]
        else:
            raise InputError(f"{NAMES[role]} is missing; give one")
    return row


def _boxes(reads: tuple[str, ...]) -> tuple[gradio.components.Component, ...]:
    """Where each of NAMES is given; those that are not read are hidden."""
    texts = (("Text", "text", 6), ("Second text (an answer, a passage)", "text_pair", 6))
    return (
        *(
            gradio.Textbox(label=label, lines=3, max_lines=most, visible=role in reads, elem_id=role.replace("_", "-"))
            for label, role, most in texts
        ),
        gradio.Image(label="Photo", sources=["upload"], visible="image" in reads, elem_id="text-image"),
        gradio.Audio(label="Sound", sources=["upload"], visible="sound" in reads, elem_id="text-sound"),
    )


def _nothing(message: str) -> Shown:
    return gradio.update(value=None, visible=False), message, gradio.update(value=None, visible=False)


def _probabilities(prediction: Prediction) -> dict[str, float] | None:
    return prediction.details.get("probabilities")


def _value(prediction: Prediction, text: str | None) -> str:
    """What is predicted: entities and answers marked in their text, anything else by itself."""
    value, details = prediction.value, prediction.details
    if isinstance(value, tuple):
        marks = [(*entity["characters"], entity["kind"]) for entity in value]
        return _marked(text, marks) if marks else "No entity."
    if "no_answer" in details:
        return "No answer." if details["no_answer"] else _marked(text, [(details["start"], details["end"], "answer")])
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    sure = "" if prediction.confidence is None else f" ({percent(prediction.confidence)})"
    return f"<strong>{escape(shown)}</strong>{sure}"


def _marked(text: str, marks: list[tuple[int, int, str]]) -> str:
    pieces, last = [], 0
    for begin, end, kind in marks:
        pieces += [escape(text[last:begin]), f'<mark class="mm-merged">{escape(text[begin:end])}</mark>']
        pieces.append(f" <small>{escape(kind)}</small>")
        last = end
    return "".join(pieces) + escape(text[last:])
